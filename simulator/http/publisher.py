"""The publisher over HTTP: an event loop in a thread behind a spool that the run fills."""

import asyncio
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from shared import log
from simulator.http import client
from simulator.http.batches import pack
from simulator.http.delivery import Delivery
from simulator.http.endpoints import Endpoints
from simulator.http.lanes import Lanes
from simulator.http.settings import TokenSettings
from simulator.http.spool_store import Spool
from simulator.http.tokens import tokens
from simulator.metrics import Metrics
from simulator.pacing import CHUNK
from simulator.publisher import DRAIN_TIMEOUT_S
from simulator.record import Record

_MEMORY_BYTES = 64 * 1024 * 1024
"""Of events that wait where there is no spool on disk."""
_TELL_EVERY_S = 5.0
_log = log.get(__name__)


@dataclass(frozen=True)
class HttpOptions:
    """Where to, and how."""

    urls: Sequence[str]
    """Base addresses in order of preference, without a slash at the end."""
    batch: int
    connections: int
    gzip: bool
    timeout_s: float
    """For a request."""
    give_up_s: float
    """At the end of a run, when nothing was settled for so long."""
    spool: Path | None
    spool_bytes: int


class HttpPublisher:
    """Publishes to `POST /ingest`. Sets `stop` when it is refused for good, so that the run ends.

    Raises:
        Unavailable: no API answers, and there is no spool on disk to wait in.
        ConfigurationError: there is no token, nor anything to ask for one with.
        PlumblineError: the spool can't be used.
    """

    def __init__(self, options: HttpOptions, settings: TokenSettings, metrics: Metrics, stop: threading.Event) -> None:
        self._options = options
        self._settings = settings
        self._metrics = metrics
        self._stop = stop
        self._stopped_at: float | None = None
        self._began = time.monotonic()
        if options.spool is None:
            client.require_one(options.urls)
        size = _MEMORY_BYTES if options.spool is None else options.spool_bytes
        self._spool = Spool(options.spool, size, options.connections)
        self.delivery = Delivery(recovered=self._spool.recovered, maybe_twice=self._spool.recovered)
        metrics.spool(lambda: self._spool.events, lambda: self._spool.bytes, self._spool.age_s)
        self._error: Exception | None = None
        self._lanes: Lanes | None = None
        self._sending: asyncio.Task[None] | None = None
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._work, name="http", daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._lanes is None:
            self._ended()
            self.check()

    def publish(self, records: Sequence[Record]) -> None:
        """Hands records over: they are in the spool then. Blocks while it is full; gives up on that after a stop."""
        self.delivery.handed_over += len(records)
        for at in range(0, len(records), CHUNK):
            part = records[at : at + CHUNK]
            if not self._put(part):
                self.delivery.unsent += len(part)

    def close(self) -> None:
        """Returns once all records are settled, or nothing more is to be hoped for; `delivery` says how it went."""
        if self._lanes is not None:
            self._lanes.draining = True
            self._lanes.settled_at = time.monotonic()
            self._wake()
        told = time.monotonic()
        while self._thread.is_alive() and self._hopeful():
            self._thread.join(0.1)
            if time.monotonic() - told > _TELL_EVERY_S:
                told = time.monotonic()
                _log.info("draining", status=self.status())
        if self._thread.is_alive() and self._sending is not None:
            self._loop.call_soon_threadsafe(self._sending.cancel)
        self._ended()

    def check(self) -> None:
        """Returns if each event was accepted, rejected as planned, or kept.

        Raises:
            PlumblineError: it wasn't, or an API refuses us.
        """
        if self._error is not None:
            raise self._error
        self.delivery.check()

    def status(self) -> str:
        """For progress."""
        accepted, flying = self.delivery.accepted, self._lanes.in_flight if self._lanes else 0
        rate = accepted / (time.monotonic() - self._began)
        wait = f"{self._spool.events:,} {'spooled' if self._options.spool else 'waiting'}"
        return f"; {accepted:,} accepted, {rate:,.0f}/s; {flying} requests in flight, {wait}"

    def _ended(self) -> None:
        self._thread.join()
        self._loop.close()
        left = self._spool.events
        if self._options.spool is None:
            self.delivery.unsent += left
        else:
            self.delivery.spooled = left
        self._spool.close()

    def _put(self, records: Sequence[Record]) -> bool:
        parcels = pack(records, self._options.connections, self._options.batch)
        while self._thread.is_alive():
            if self._spool.put(parcels, wait_s=0.2):
                self._wake()
                return True
            if self._stopping_s() > DRAIN_TIMEOUT_S:
                return False
        return self._options.spool is not None and self._spool.put(parcels, wait_s=0)

    def _hopeful(self) -> bool:
        """Whether to wait for what is under way."""
        if self._stopping_s() > min(DRAIN_TIMEOUT_S, self._options.give_up_s):
            return False
        return self._lanes is not None and time.monotonic() - self._lanes.settled_at < self._options.give_up_s

    def _stopping_s(self) -> float:
        """How long ago a stop was noticed, in seconds; 0 without one."""
        if not self._stop.is_set():
            return 0.0
        self._stopped_at = self._stopped_at or time.monotonic()
        return time.monotonic() - self._stopped_at

    def _wake(self) -> None:
        if self._lanes is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._lanes.wake)

    def _work(self) -> None:
        try:
            self._loop.run_until_complete(self._send())
        except asyncio.CancelledError:
            return
        except Exception as error:  # noqa: BLE001  `check` raises it in the main thread
            self._error = error
            self._stop.set()
        finally:
            self._ready.set()

    async def _send(self) -> None:
        options = self._options
        self._sending = asyncio.current_task()
        async with client.session(options.connections, options.timeout_s) as session:
            source = tokens(self._settings, session, time.monotonic)
            self._lanes = Lanes(
                session, source, Endpoints(options.urls), self._spool, self.delivery, self._metrics,
                options.connections, options.batch, options.gzip,
            )  # fmt: skip
            self._ready.set()
            await self._lanes.run()
