"""Writes of one turn of the event loop leave together, in order, and before the connection ends."""

import asyncio

from api_service.corked import Corked


class _Recorded(asyncio.Transport):
    """Keeps what is done with it."""

    def __init__(self) -> None:
        super().__init__()
        self.done: list[bytes | str] = []
        self.closing = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.done.append(bytes(data))

    def write_eof(self) -> None:
        self.done.append("eof")

    def close(self) -> None:
        self.closing = True
        self.done.append("close")

    def is_closing(self) -> bool:
        return self.closing

    def get_write_buffer_size(self) -> int:
        return 7


def test_one_turn_is_one_write() -> None:
    async def run() -> list[bytes | str]:
        transport = _Recorded()
        corked = Corked(transport, asyncio.get_running_loop())
        corked.write(b"head ")
        corked.write(b"body")
        assert transport.done == []
        await asyncio.sleep(0)
        corked.write(b"next")
        await asyncio.sleep(0)
        return transport.done

    assert asyncio.run(run()) == [b"head body", b"next"]


def test_what_was_written_comes_before_the_end() -> None:
    async def run(end: str) -> list[bytes | str]:
        transport = _Recorded()
        corked = Corked(transport, asyncio.get_running_loop())
        corked.write(b"last")
        getattr(corked, end)()
        await asyncio.sleep(0)
        return transport.done

    assert asyncio.run(run("close")) == [b"last", "close"]
    assert asyncio.run(run("write_eof")) == [b"last", "eof"]


def test_nothing_is_written_once_it_closes() -> None:
    async def run() -> list[bytes | str]:
        transport = _Recorded()
        corked = Corked(transport, asyncio.get_running_loop())
        corked.write(b"lost")
        transport.close()
        await asyncio.sleep(0)
        assert corked.get_write_buffer_size() == 7
        return transport.done

    assert asyncio.run(run()) == ["close"]
