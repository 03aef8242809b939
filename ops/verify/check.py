"""Which stored rows are looked at, and what becomes of each."""

from collections.abc import Iterable, Iterator

import numpy as np

from ops.progress import Advance
from ops.store import Connection
from ops.verify import comparison, fleet, store
from ops.verify.comparison import Key, Readings
from ops.verify.draws import DAY, SECOND, Grid
from ops.verify.findings import NO_EVENT, NO_ROW, Findings
from ops.verify.frame import Frame, readings
from shared.statistics import Partials

DEVICES_AT_ONCE = 200
FLEET_SHARE = 10  # groups of a sample to one row across devices, which costs a look at every device


def whole(connection: Connection, known: Frame, findings: Findings, advance: Advance) -> None:
    """Every row of the frame's days, newest day first, by some devices each: what fits into memory."""
    devices = list(known.devices)
    for day in known.days[::-1]:
        merged = {level: fleet.Merged() for level in known.fleet}
        for first in range(0, len(devices), DEVICES_AT_ONCE):
            some = devices[first : first + DEVICES_AT_ONCE]
            piece = known.piece(day, day + DAY, some)
            read, late = readings(connection, known, piece), store.dirty(connection, piece)
            for level in known.levels:
                partials = store.statistics(connection, piece, level)
                _compare(known, level, (read, partials), late, findings)
                if level in merged:
                    merged[level].add(partials)
            advance(len(some))
        for level, sums in merged.items():
            fleet.compare_day(connection, known, (level, day), sums, findings)


def sample(
    connection: Connection, known: Frame, wanted: int, random: np.random.Generator, findings: Findings, advance: Advance
) -> int:
    """At most `wanted` groups of (level, device, bucket) that hold events or rows; returns how many there were.

    The levels have equal shares, but for those that hold less; the finest takes what the others leave.
    """
    left, levels = wanted, sorted(known.levels, reverse=True)
    for number, level in enumerate(levels):
        share = left // (len(levels) - number)
        left -= _sample_level(connection, known, (level, share), random, findings, advance)
        fleet.sample(connection, known, (level, -(-share // FLEET_SHARE)), random, findings)
    return wanted - left


def _sample_level(
    connection: Connection,
    known: Frame,
    asked: tuple[int, int],
    random: np.random.Generator,
    findings: Findings,
    advance: Advance,
) -> int:
    level, share = asked
    found = 0
    for device, bucket in Grid(level, list(known.devices), known.days).drawn(share, random):
        if found == share:
            break
        if not known.covers(level, known.levels[level], bucket):
            continue
        piece = known.piece(bucket, bucket + level * SECOND, [device])
        read, partials = readings(connection, known, piece), store.statistics(connection, piece, level)
        if len(read.ts) or len(partials):
            _compare(known, level, (read, partials), store.dirty(connection, piece), findings)
            found += 1
            advance(1)
    return found


def _compare(
    known: Frame, level: int, data: tuple[Readings, Partials], dirty: Iterable[tuple[int, int]], findings: Findings
) -> None:
    """What was read of a level: readings and stored rows. `dirty`: (device, moment) of late events that wait."""
    width = level * SECOND
    waiting = {(device, moment - moment % width) for device, moment in dirty}
    for key, problems in _judged(known, level, data):
        if (key[0], key[2]) in waiting:
            findings.skipped[level] += 1
        else:
            findings.judged(level, key, problems)


def _judged(known: Frame, level: int, data: tuple[Readings, Partials]) -> Iterator[tuple[Key, list[str]]]:
    """Every key that is stored or recomputed, with what differs."""
    read, partials = data
    until = known.levels[level]
    rows = {key: row for key, row in comparison.stored(partials).items() if known.covers(level, until, key[2])}
    for group in comparison.groups(read, level):
        if known.covers(level, until, group.key[2]):
            row = rows.pop(group.key, None)
            yield group.key, comparison.differences(group.values, row) if row else [NO_ROW]
    for key in rows:
        yield key, [NO_EVENT]
