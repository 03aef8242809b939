"""What may come by the thousand is logged by itself a few times, and the rest as a sum.

So a flood of bad tokens, or of requests while Kafka is away, doesn't flood the log.
"""

import asyncio
import contextvars
import re
from collections import Counter
from dataclasses import dataclass, field

from shared import log

_WINDOW_S = 10.0
_EACH_BY_ITSELF = 5
_ADDRESSES = 100  # that a sum counts apart
_MOST_CHARACTERS = 64
_UNUSUAL = re.compile(r"[^\w.:/+=@|-]", re.ASCII)


_log = log.get(__name__)


@dataclass(slots=True)
class _Window:
    """What came of one reason within ten seconds of the first of them."""

    count: int = 0
    addresses: Counter[str] = field(default_factory=Counter)


class Floods:
    """`each` time an event comes; there are few reasons, so there are few windows. For the event loop."""

    def __init__(self, event: str) -> None:
        self._event = event
        self._windows: dict[str, _Window] = {}

    def each(self, reason: str, address: str) -> bool:
        """Whether this one is to be logged by itself."""
        window = self._windows.get(reason)
        if window is None:
            window = self._windows[reason] = _Window()
            # In a context of its own: the sum is of no single request.
            asyncio.get_running_loop().call_later(_WINDOW_S, self._close, reason, context=contextvars.Context())
        window.count += 1
        if window.count <= _EACH_BY_ITSELF:
            return True
        if address in window.addresses or len(window.addresses) < _ADDRESSES:
            window.addresses[address] += 1
        return False

    def _close(self, reason: str) -> None:
        window = self._windows.pop(reason)
        if (more := window.count - _EACH_BY_ITSELF) > 0:
            (address, times), *_ = window.addresses.most_common(1)
            _log.warning(
                "repeated",
                what=self._event,
                reason=reason,
                count=more,
                seconds=_WINDOW_S,
                addresses=len(window.addresses),
                most_from=address,
                most=times,
            )


def plain(text: str | None) -> str | None:
    """What others chose, so that it can't pass for anything else in a log."""
    return None if text is None else _UNUSUAL.sub("?", text[:_MOST_CHARACTERS])
