"""A file that may change while we run: what is in it now, or, if that can't be used, what was."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Generic, TypeVar

from shared import log
from shared.errors import ConfigurationError

_EVERY_S = 2.0
_SOONEST_S = 1.0

T = TypeVar("T")
_Mark = tuple[int, int, int] | None


class Watched(Generic[T]):
    """`load` reads and checks the file."""

    def __init__(self, file: Path, load: Callable[[Path], T], clock: Callable[[], float] = time.monotonic) -> None:
        """Reads it.

        Raises:
            ConfigurationError: it can't be used.
        """
        self._file, self._load, self._clock = file, load, clock
        self._mark, self._looked = _mark(file), clock()
        self.now = load(file)
        self._log = log.get(__name__)

    async def look(self) -> T:
        """What it holds, looked at now unless that was a moment ago."""
        if self._clock() - self._looked >= _SOONEST_S:
            self._looked = self._clock()
            await asyncio.to_thread(self._look)
        return self.now

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Looks at it every other second as long as the block lasts."""
        task = asyncio.create_task(self._keep())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(_EVERY_S)
            await self.look()

    def _look(self) -> None:
        mark = _mark(self._file)
        if mark == self._mark:
            return
        # Before it is read: a change meanwhile is seen by the next look.
        self._mark = mark
        try:
            self.now = self._load(self._file)
        except ConfigurationError as error:
            self._log.error("file_refused", problem=str(error))
        else:
            self._log.info("file_read_again", file=str(self._file))


def _mark(file: Path) -> _Mark:
    """What changes with the file; a link is followed, since some systems swap what it points to."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
