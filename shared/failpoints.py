"""Exact spots where a test makes a process die, freeze or fail: FAILPOINTS="after_copy=kill@3,before_relay=stop".

Without the variable a failpoint is one attribute read.
"""

import os
import signal
import threading
from collections.abc import Mapping

from shared.errors import ConfigurationError

_SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}


class Failpoints:
    """Parsed from the variable's text; `hit(name)` acts on the Nth time that it is reached (`@N`, default 1)."""

    def __init__(self, text: str) -> None:
        self._plan: dict[str, tuple[signal.Signals, int]] = {}
        self._hits: dict[str, int] = {}
        self._lock = threading.Lock()
        for item in filter(None, (part.strip() for part in text.split(","))):
            name, _, action = item.partition("=")
            verb, _, nth = action.partition("@")
            if verb not in _SIGNALS or not (nth or "1").isdigit():
                raise ConfigurationError(f"FAILPOINTS: {item!r} → name=kill or name=stop, with @N for the Nth time")
            self._plan[name] = (_SIGNALS[verb], int(nth or "1"))

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Failpoints":
        """The failpoints of this process."""
        return cls(environment.get("FAILPOINTS", ""))

    def hit(self, name: str) -> None:
        """Here is the spot `name`."""
        if not self._plan or name not in self._plan:
            return
        number, nth = self._plan[name]
        with self._lock:
            self._hits[name] = self._hits.get(name, 0) + 1
            due = self._hits[name] == nth
        if due:
            # To this thread: one for the process may reach another one first, and this one would go on for a moment.
            signal.pthread_kill(threading.get_ident(), number)
