"""The audit log of refused tokens: who was refused when, where and why, never the token.

A flood of bad tokens doesn't flood the log: of each reason some are logged each by itself, the rest as a sum.
"""

import asyncio
import hashlib
import re
from collections import Counter
from dataclasses import dataclass, field

from fastapi import Request

from api_service.limits import client_host
from shared import log

_WINDOW_S = 10.0
_EACH_BY_ITSELF = 5
_ADDRESSES = 100  # that a sum counts apart
_MOST_CHARACTERS = 64
_UNUSUAL = re.compile(r"[^\w.:/+=@|-]", re.ASCII)


@dataclass(slots=True)
class _Window:
    """What came of one reason since the first of them."""

    count: int = 0
    addresses: Counter[str] = field(default_factory=Counter)


class Refusals:
    """`note` each refusal; there are few reasons, so there are few windows."""

    def __init__(self) -> None:
        self._windows: dict[str, _Window] = {}
        self._log = log.get(__name__)

    def note(
        self, request: Request, reason: str, token: str, kid: str | None = None, subject: str | None = None
    ) -> None:
        """One refused token. `subject`: only where the signature was right."""
        window = self._windows.get(reason)
        if window is None:
            window = self._windows[reason] = _Window()
            asyncio.get_running_loop().call_later(_WINDOW_S, self._close, reason)
        address = client_host(request)
        window.count += 1
        if window.count > _EACH_BY_ITSELF:
            if address in window.addresses or len(window.addresses) < _ADDRESSES:
                window.addresses[address] += 1
            return
        self._log.warning(
            "token_refused",
            reason=reason,
            address=address,
            route=getattr(request.scope.get("route"), "path", ""),
            token_sha256=hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()[:16],
            kid=plain(kid),
            subject=plain(subject),
        )

    def _close(self, reason: str) -> None:
        window = self._windows.pop(reason)
        if (more := window.count - _EACH_BY_ITSELF) > 0:
            (address, times), *_ = window.addresses.most_common(1)
            self._log.warning(
                "tokens_refused",
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
