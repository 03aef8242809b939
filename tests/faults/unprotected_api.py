"""The API with its one protection off: `WITHOUT=confirmation python -m tests.faults.unprotected_api`.

It answers 202 for what is not yet in Kafka. A control must see the damage; the product has no such switch.
"""

import os
from typing import Any

from api_service import __main__ as service
from api_service.gateway.outlet import Outlet
from shared import lifecycle

_send = Outlet.send


def _unconfirmed(self: Outlet, messages: list[dict[str, Any]], *, headers: bool = False) -> None:
    for message in messages:
        settled = message["callback"]
        settled(None, _Somewhere())
        message["callback"] = lambda *_: None
    _send(self, messages, headers=headers)


class _Somewhere:
    """A place that was made up."""

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return 0


if __name__ == "__main__":
    assert os.environ["WITHOUT"] == "confirmation"
    Outlet.send = _unconfirmed  # type: ignore[method-assign]
    lifecycle.run(service.main)
