"""Events that come now, without Kafka: written by the transaction that ingestion writes a batch with."""

import multiprocessing
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

import numpy as np
import psycopg

from ingestion_service.batch import Batch, Span
from ingestion_service.columns import Rows, copy_blocks
from ingestion_service.pairs import Pairs
from ingestion_service.store import Store
from shared.errors import PlumblineError
from shared.failpoints import Failpoints
from shared.settings import DatabaseSettings
from tests.benchmarks.fleet import DEVICES, ensure_days, rows
from tests.benchmarks.latency import due
from tests.benchmarks.load import DAY_S
from tests.benchmarks.service import wait_for
from tests.servers import Database

_US = 1_000_000
_DEADLINE_S = 30.0


class Arrivals:
    """Writes events as the owner of a partition; the transaction logs those that come late."""

    def __init__(self, database: Database) -> None:
        variables = {name.lower(): value for name, value in database.environment("ingestion").items()}
        settings = DatabaseSettings.model_validate(variables)
        self._store = Store(settings.conninfo(), uuid.uuid4(), Failpoints(""))
        claim = self._store.claim("arrivals", 0, "arrivals", 0)
        assert claim is not None
        self._claim, self._next = claim, claim.next_offset

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._store.close()

    def write(self, new: Rows) -> int:
        """One batch; returns how many of its events came late."""
        nothing, first, self._next = np.empty(0, np.int32), self._next, self._next + len(new)
        span = Span(self._claim, first, self._next, records=len(new), persisted=len(new))
        batch = Batch([span], [], nothing, [])
        return self._store.write(batch, [new], list(copy_blocks(new)), Pairs(nothing, nothing))


def stream(database: Database, rate: int, seconds: float, late: float = 0.0, tick_s: float = 0.2) -> None:
    """Writes so many events a second evenly, of all devices in turn.

    `late`: the share of them that happened at some time of the last 24 hours, the others happen just now.
    """
    generator = np.random.default_rng(23)
    now = time.time()
    with database.connect() as connection:
        ensure_days(connection, now - DAY_S, now + seconds)
    sent = 0
    with Arrivals(database) as arrivals:
        began = time.monotonic()
        while (elapsed := time.monotonic() - began) < seconds:
            if count := due(int(rate * seconds), rate, elapsed) - sent:
                number = sent + np.arange(count)
                ts = int(time.time() * _US) + np.arange(count)
                chosen = generator.random(count) < late
                ts[chosen] -= generator.integers(120 * _US, DAY_S * _US, int(chosen.sum()))
                device = (1 + number % DEVICES).astype(np.int32)
                order = np.lexsort((ts, device))
                arrivals.write(rows(device[order], ts[order], generator))
                sent += count
            time.sleep(max(0.0, tick_s - (time.monotonic() - began - elapsed)))


@contextmanager
def coming(database: Database, rate: int, seconds: float, late: float = 0.0) -> Iterator[None]:
    """`stream` in another process while the block lasts, once its first events are there.

    Raises:
        PlumblineError: it ended before the block did.
    """
    process = multiprocessing.get_context("spawn").Process(target=stream, args=(database, rate, seconds, late))
    with database.connect() as look:
        process.start()
        try:
            wait_for(lambda: bool(persisted(look)), "the first events", _DEADLINE_S)
            yield
            if not process.is_alive():
                raise PlumblineError(f"the stream of events ended with {process.exitcode} → see its error above")
        finally:
            process.terminate()
            process.join()


def persisted(connection: psycopg.Connection) -> int:
    """Events that came so far."""
    row = connection.execute("SELECT coalesce(sum(persisted_total), 0)::int8 FROM kafka_offsets").fetchone()
    return int(row[0]) if row else 0
