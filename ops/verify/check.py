"""Which stored rows are looked at, and what becomes of each."""

from collections.abc import Iterable, Iterator

import numpy as np

from ops.progress import Advance
from ops.statistics_store import Key
from ops.store import Connection
from ops.verify import comparison, fleet, sampling, store
from ops.verify.comparison import Readings
from ops.verify.draws import DAY, SECOND
from ops.verify.findings import NO_EVENT, NO_ROW, SPOILT, Findings
from ops.verify.frame import Frame, readings
from shared.statistics import Partials

Data = tuple[Readings, Partials, list[Key]]  # of a level: the last are rows that can't be read

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
                partials, spoilt = store.statistics(connection, piece, level)
                _compare(known, level, (read, partials, spoilt), late, findings)
                if level in merged:
                    merged[level].add(partials)
            advance(len(some), len(read.ts))
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
        for device, bucket in sampling.of_devices(connection, known, (level, share), random):
            piece = known.piece(bucket, bucket + level * SECOND, [device])
            data = (readings(connection, known, piece), *store.statistics(connection, piece, level))
            _compare(known, level, data, store.dirty(connection, piece), findings)
            left -= 1
            advance(1, 1)
        if level in known.fleet:
            asked = (level, -(-share // FLEET_SHARE))
            fleet.compare_some(connection, known, level, sampling.of_fleet(connection, known, asked, random), findings)
    return wanted - left


def _compare(known: Frame, level: int, data: Data, dirty: Iterable[tuple[int, int]], findings: Findings) -> None:
    """What was read of a level: readings and stored rows. `dirty`: (device, moment) of late events that wait."""
    width = level * SECOND
    waiting = {(device, moment - moment % width) for device, moment in dirty}
    for key, problems in _judged(known, level, data):
        if (key[0], key[2]) in waiting:
            findings.skipped[level] += 1
        else:
            findings.judged(level, key, problems)


def _judged(known: Frame, level: int, data: Data) -> Iterator[tuple[Key, list[str]]]:
    """Every key that is stored or recomputed, with what differs."""
    read, partials, spoilt = data
    span = known.levels[level]
    rows = {key: row for key, row in comparison.stored(partials).items() if known.covers(level, span, key[2])}
    for group in comparison.groups(read, level):
        if known.covers(level, span, group.key[2]):
            row = rows.pop(group.key, None)
            missing = [SPOILT if group.key in spoilt else NO_ROW]
            yield group.key, comparison.differences(group.values, row) if row else missing
    for key in rows:
        yield key, [NO_EVENT]
