"""All that is listened to: who asks the same shares a channel, and each channel is asked once a round."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec
import psycopg

from api_service.auth.claims import Principal
from api_service.endless import event
from api_service.problems import Problem, unavailable
from api_service.query.asking import Statistics
from api_service.query.changes import Heard
from api_service.query.channel import Channel
from api_service.query.listener import Listener
from api_service.query.metrics import StreamMetrics
from api_service.query.question import Question
from api_service.query.times import SECOND
from api_service.settings import ApiSettings
from shared import log
from shared.plain_errors import reason, trace
from shared.statistics.buckets import Bucket

# Channels that are asked together: they share a snapshot. Between two such groups others have their turn.
_AT_ONCE = 64
# Of all channels, as they were last: some hundred megabytes.
_MOST_ROWS = 500_000
_AWAY = event("trouble", msgspec.json.encode({"detail": "The database doesn't answer; what is shown may be stale."}))

Key = tuple[Question, tuple[str, ...] | None]


class Hub:
    """One for a process."""

    def __init__(
        self,
        statistics: Statistics,
        settings: ApiSettings,
        metrics: StreamMetrics,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._statistics, self._settings, self._metrics, self._clock = statistics, settings, metrics, clock
        self._channels: dict[Key, Channel] = {}
        self._wanted = asyncio.Event()
        self._log = log.get(__name__)
        self._listeners = 0
        metrics.listeners.set_function(lambda: self._listeners)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Looks for changes in the block."""
        rounds = asyncio.create_task(self._rounds())
        try:
            yield
        finally:
            rounds.cancel()
            await asyncio.wait({rounds})

    @asynccontextmanager
    async def listening(
        self, asked: Question, bucket: Bucket, who: Principal, listener: Listener, known: Heard | None
    ) -> AsyncIterator[Channel]:
        """The listener hears of the question's changes in the block.

        Raises:
            Problem: it can't be answered; 503, too many listen.
            psycopg.Error: the database ended it.
        """
        rows = sum(channel.size for channel in self._channels.values())
        if self._listeners >= self._settings.stream_max_listeners or rows > _MOST_ROWS:
            raise unavailable("As many clients listen, or to as much, as may.", 5)
        key = (asked, who.devices)
        channel = self._channels.setdefault(key, Channel(asked, bucket, who, self._statistics))
        self._listeners += 1
        channel.users += 1
        try:
            await channel.begin(listener, known, self._now())
            self._wanted.set()
            yield channel
        finally:
            self._listeners -= 1
            channel.users -= 1
            channel.listeners.discard(listener)
            if listener.overrun:
                self._metrics.dropped.inc()
            if not channel.users:
                del self._channels[key]

    async def _rounds(self) -> None:
        loop, interval = asyncio.get_running_loop(), self._settings.stream_interval_seconds
        while True:
            self._wanted.clear()
            if not self._channels:
                await self._wanted.wait()
            started, channels = loop.time(), list(self._channels.values())
            asking = 0.0
            for first in range(0, len(channels), _AT_ONCE):
                # Spread over the interval, so that other questions don't wait for all of them.
                await asyncio.sleep(started + interval * first / len(channels) - loop.time())
                begun = loop.time()
                await asyncio.gather(*(self._look(channel) for channel in channels[first : first + _AT_ONCE]))
                asking += loop.time() - begun
            self._metrics.round_seconds.observe(asking)
            await asyncio.sleep(started + interval - loop.time())

    async def _look(self, channel: Channel) -> None:
        try:
            await channel.look(self._now())
        except Problem as problem:
            channel.tell(event("trouble", msgspec.json.encode({"detail": problem.detail})))
        except psycopg.Error:
            channel.tell(_AWAY)
        except Exception as error:  # noqa: BLE001  one channel's failure isn't the others'
            self._log.error("stream_failed", error=reason(error), trace=trace(error))
            channel.tell(_AWAY)

    def _now(self) -> int:
        return int(self._clock() * SECOND)
