"""plumbline verify: are the stored statistics those of the stored events?"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import numpy as np
import typer

from deploy.local import environment, home
from ops import comparison, store
from ops.comparison import Key, Readings
from ops.console import Json, print_json
from ops.store import Connection, Piece
from shared.statistics import unpack
from shared.statistics.stored import decode_partials

DEVICES_AT_ONCE = 200
SHOWN = 20
SECOND = 1_000_000  # in µs, as keys have it


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: plumbline verify --days 1")(verify)


def verify(
    days: Annotated[int, typer.Option(min=1, help="How many of the newest days with events to look at.")] = 7,
    as_json: Json = False,
) -> None:
    """Recompute stored statistics from raw events and compare; exit status 1 if one differs.

    Looked at are the buckets that are closed and stored, and of those the ones with nothing late outstanding.
    """
    report = check(environment.require(home.default()), days)
    if as_json:
        print_json(report)
    else:
        for line in report["differences"][:SHOWN]:
            print(f"problem: {line}")
        compared = ", ".join(f"{count:,} of {level} s" for level, count in report["compared"].items())
        verdict = f"{len(report['differences']):,} differences" if report["differences"] else "all as recomputed"
        print(f"{compared or 'no closed bucket'}: {verdict}")
    if not report["ok"]:
        raise typer.Exit(1)


def check(values: Mapping[str, str], days: int) -> dict[str, Any]:
    """The report: `ok`, `differences` in words, and how many rows of each level were `compared`."""
    compared: Counter[int] = Counter()
    found: list[str] = []
    with store.snapshot(values) as connection:
        levels, names = store.materialized(connection), store.series_names(connection)
        for piece in _pieces(connection, days):
            readings, dirty = _readings(connection, piece), store.dirty(connection, piece)
            for level, until in levels.items():
                settled = Settled(level, int(until.timestamp() * SECOND), dirty)
                for key, problems in _compare(connection, piece, readings, settled):
                    compared[level] += 1
                    found += [f"{level} s, {_named(key, names)}: {problem}" for problem in problems]
    return {"ok": not found, "differences": found, "compared": dict(compared)}


class Settled:
    """Tells which buckets of a level are closed and stored, with no late event that waits to be counted in."""

    def __init__(self, level: int, until: int, dirty: Iterable[tuple[int, int]]) -> None:
        self.level, self._until, self._width = level, until, level * SECOND
        self._late = {(device, moment - moment % self._width) for device, moment in dirty}

    def __call__(self, key: Key) -> bool:
        device, _, bucket = key
        return bucket + self._width <= self._until and (device, bucket) not in self._late


def _pieces(connection: Connection, days: int) -> Iterator[Piece]:
    """The days, newest first, by some devices each: what fits into memory."""
    devices = store.device_ids(connection)
    for day in store.event_days(connection)[-days:][::-1]:
        start = datetime(day.year, day.month, day.day, tzinfo=UTC)
        for first in range(0, len(devices), DEVICES_AT_ONCE):
            yield Piece(start, start + timedelta(days=1), devices[first : first + DEVICES_AT_ONCE])


def _readings(connection: Connection, piece: Piece) -> Readings:
    device, metric, ts, value = unpack(store.packed_events(connection, piece), store.layouts(connection))
    return Readings(device.astype(np.int64), metric.astype(np.int64), ts.astype(np.int64), value)


def _compare(
    connection: Connection, piece: Piece, readings: Readings, settled: Settled
) -> Iterator[tuple[Key, list[str]]]:
    """Every settled key that is stored or recomputed, with what differs."""
    partials = decode_partials(store.copy_statistics(connection, piece, settled.level))
    rows = {key: (row, summary) for key, row, summary in comparison.stored(partials) if settled(key)}
    for group in comparison.groups(readings, settled.level):
        if settled(group.key):
            known = rows.pop(group.key, None)
            yield group.key, comparison.differences(group, partials, *known) if known else ["there is no stored row"]
    for key in rows:
        yield key, ["a row is stored, but there is no event"]


def _named(key: Key, names: tuple[Mapping[int, str], Mapping[int, str]]) -> str:
    device, metric, bucket = key
    start = datetime.fromtimestamp(bucket / SECOND, UTC)
    return f"{names[0].get(device, device)} {names[1].get(metric, metric)} {start:%Y-%m-%dT%H:%M:%SZ}"
