"""From what was typed to a backfill that is done: found again or begun, locked, carried out."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aggregation_service.store import Store
from deploy.local.environment import conninfo
from ops.backfill import store as backfills
from ops.backfill.plan import DAY_S, Job, Range, Request, stored_levels
from ops.backfill.rebuild import Rebuild
from ops.moments import at, micros, moment, rfc3339
from ops.operators import who
from ops.progress import progress
from ops.store import answering
from shared.deployment import typed
from shared.errors import PlumblineError
from shared.failpoints import Failpoints
from shared.statistics.buckets import bucket_name, parse_bucket

SECOND = 1_000_000


@dataclass(frozen=True)
class Asked:
    """As it was typed; no `level`: all, no `devices`: all."""

    since: str
    until: str
    level: str | None = None
    devices: tuple[str, ...] = ()
    fleet: bool = False


def listed(values: Mapping[str, str], most: int) -> list[dict[str, Any]]:
    """The newest backfills, newest first."""
    with _connected(values) as store:
        return backfills.listed(store.connection, most)


def run(values: Mapping[str, str], asked: Asked, agreed: Callable[[str], None]) -> dict[str, Any]:
    """Begins a backfill, or goes on with the same one, until it is done; its row.

    `agreed` is told what is about to be done, and raises to prevent it.

    Raises:
        PlumblineError: a time, level or device that can't be meant; another process works at it.
        Unavailable: the database went away.
    """
    with _connected(values) as store:
        connection = store.connection
        request = _request(store, asked, datetime.now(UTC))
        known = backfills.unfinished(connection, request)
        agreed(_sentence(asked, request, known))
        job = known or backfills.begin(connection, request, who())
        if not backfills.lock(connection, job):
            raise PlumblineError(f"another process works at backfill {job.id} → wait for it, or end that one first")
        _carry_out(store, backfills.extend(connection, job, request))
        return backfills.finish(connection, job)


def _carry_out(store: Store, job: Job) -> None:
    devices = sorted(backfills.ids(store.connection, None).values()) if job.devices is None else job.devices
    stretches = job.range.stretches(backfills.days(store.connection, job.range), job.position)
    days = sum((stretch.end - stretch.start) // DAY_S for stretch in stretches)
    try:
        with progress("backfill", days * len(devices), "readings") as advance:
            Rebuild(store, Failpoints.from_environment()).run(job, stretches, devices, advance)
    except KeyboardInterrupt:
        sys.stderr.write(typed("stopped → the same command goes on where it is (plumbline backfill --list)\n"))
        raise


@contextmanager
def _connected(values: Mapping[str, str]) -> Iterator[Store]:
    target = conninfo(values)
    with answering(target), closing(Store(target)) as store:
        yield store


def _request(store: Store, asked: Asked, now: datetime) -> Request:
    """What the words mean now."""
    start, end = (micros(moment(text, now)) // SECOND for text in (asked.since, asked.until))
    if start >= end:
        raise PlumblineError(f"--from {asked.since} isn't before --to {asked.until} → turn them round")
    widths = stored_levels(store.levels(), _width(asked.level))
    devices = None
    if asked.devices:
        known = backfills.ids(store.connection, asked.devices)
        if missing := set(asked.devices) - known.keys():
            raise PlumblineError(f"there is no device {', '.join(sorted(missing))} → check its spelling")
        devices = sorted(known.values())
    return Request(asked.since, asked.until, Range(start, end, widths), devices, asked.fleet)


def _width(level: str | None) -> int | None:
    if level is None:
        return None
    try:
        return parse_bucket(level).seconds
    except ValueError as error:
        raise PlumblineError(f"--level {level}: {error} → name a stored level, such as 1m") from None


def _sentence(asked: Asked, request: Request, known: Job | None) -> str:
    """What is about to be done."""
    names = ", ".join(map(bucket_name, request.range.widths))
    whose = ", ".join(asked.devices) if asked.devices else "all devices"
    span = known.range if known else request.range
    start, end = (rfc3339(at(second * SECOND)) for second in (span.start, max(span.end, request.range.end)))
    what = f"{names} of {whose} from {start} to {end}"
    if known is None:
        return f"make again {what}"
    reached = rfc3339(at(known.position.day * SECOND))
    return f"go on with backfill {known.id}, begun at {rfc3339(known.started_at)}, at {reached}: {what}"
