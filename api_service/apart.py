"""Computing that would hold up the event loop goes to a thread; what is done sooner than a thread would start stays."""

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_SMALL = 512 * 1024  # bytes of input: a few milliseconds


async def compute(size: int, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """The result of `work`, whose input has about `size` bytes."""
    return work(*args, **kwargs) if size < _SMALL else await asyncio.to_thread(work, *args, **kwargs)


class Turns:
    """The same, one large input after the other: what one of them needs of memory is then what all of them need."""

    def __init__(self) -> None:
        self._turn = asyncio.Semaphore(1)

    async def compute(self, size: int, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of `work`, whose input has about `size` bytes."""
        if size < _SMALL:
            return work(*args, **kwargs)
        async with self._turn:
            return await asyncio.to_thread(work, *args, **kwargs)
