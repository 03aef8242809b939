"""Decoded events → the columns of `events`: sorted for the primary key, each identity once. Pure."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from shared import pgcopy
from shared.events import Group

Positions = npt.NDArray[np.int64]

_DAY_US = 86_400_000_000
_JSONB_VERSION = b"\x01"


@dataclass(frozen=True, slots=True)
class Rows:
    """m rows of one layout. `position` is a row's record in the batch."""

    layout: int
    device: npt.NDArray[np.int32]  # (m,)
    ts_us: npt.NDArray[np.int64]  # (m,) microseconds since 1970
    values: npt.NDArray[np.float64]  # (m, k)
    position: npt.NDArray[np.int64]  # (m,)
    extras: npt.NDArray[np.object_] | None  # (m,) JSON bytes or None

    def __len__(self) -> int:
        return len(self.device)

    def take(self, chosen: npt.NDArray[np.int64] | npt.NDArray[np.bool_]) -> "Rows":
        """These rows only."""
        return replace(
            self,
            device=self.device[chosen],
            ts_us=self.ts_us[chosen],
            values=self.values[chosen],
            position=self.position[chosen],
            extras=None if self.extras is None else self.extras[chosen],
        )


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a batch adds to `events`: rows that repeat nothing in the batch, and the same as binary COPY.

    `duplicates` are the positions of those that do, `conflicts` of those of them that have other values.
    """

    rows: list[Rows]
    blocks: list[bytes]
    duplicates: Positions
    conflicts: Positions


def prepare(
    groups: Sequence[Group],
    dead: Collection[int],
    devices: Mapping[str, int],
    layouts: Mapping[tuple[str, ...], int],
) -> Prepared:
    """The groups' events but for those at the positions in `dead`.

    Raises:
        KeyError: a device or layout has no id yet.
    """
    rows = build(groups, devices, layouts)
    if dead:
        buried = np.array(list(dead), np.int64)
        rows = [kept for r in rows if len(kept := r.take(~np.isin(r.position, buried)))]
    rows, duplicates, conflicts = without(rows, [repeated(r) for r in rows])
    return Prepared(rows, blocks(rows), duplicates, conflicts)


def without(
    rows: Sequence[Rows], found: Sequence[tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]]
) -> tuple[list[Rows], Positions, Positions]:
    """The rows that repeat nothing, and the positions of those that do, and of those with other values."""
    duplicates = [r.position[same] for r, (same, _) in zip(rows, found, strict=True)]
    conflicts = [r.position[differs] for r, (_, differs) in zip(rows, found, strict=True)]
    kept = [r if not same.any() else r.take(~same) for r, (same, _) in zip(rows, found, strict=True)]
    nothing = np.empty(0, np.int64)
    return (
        [r for r in kept if len(r)],
        np.concatenate([nothing, *duplicates]),
        np.concatenate([nothing, *conflicts]),
    )


def build(groups: Sequence[Group], devices: Mapping[str, int], layouts: Mapping[tuple[str, ...], int]) -> list[Rows]:
    """One Rows a layout, sorted by (device, ts, arrival): neighbours in the table's key are neighbours on disk."""
    by_layout: dict[int, list[Group]] = {}
    for group in groups:
        by_layout.setdefault(layouts[group.names], []).append(group)
    return [_sorted(_joined(layout, members, devices)) for layout, members in by_layout.items()]


def _joined(layout: int, groups: list[Group], devices: Mapping[str, int]) -> Rows:
    extras = None
    if any(group.extras for group in groups):
        extras = np.array([e for g in groups for e in (g.extras or [None] * len(g.device))], np.object_)
    names = [name for group in groups for name in group.device]
    return Rows(
        layout,
        np.fromiter(map(devices.__getitem__, names), np.int32, len(names)),
        np.concatenate([group.ts_us for group in groups]),
        np.concatenate([group.values for group in groups]),
        np.concatenate([group.position for group in groups]),
        extras,
    )


def _sorted(rows: Rows) -> Rows:
    return rows.take(np.lexsort((rows.position, rows.ts_us, rows.device)))


def repeated(rows: Rows) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Which of these sorted rows repeat an earlier one's identity, and which of those have other values."""
    same = np.zeros(len(rows), np.bool_)
    same[1:] = (rows.device[1:] == rows.device[:-1]) & (rows.ts_us[1:] == rows.ts_us[:-1])
    if not same.any():
        return same, same
    first = np.maximum.accumulate(np.where(same, 0, np.arange(len(rows))))
    differs = (rows.values != rows.values[first]).any(axis=1)
    return same, same & differs


def blocks(rows: Sequence[Rows]) -> list[bytes]:
    """All of the rows as binary COPY."""
    return [block for r in rows for block in copy_blocks(r)]


def copy_blocks(rows: Rows, numbers: npt.NDArray[np.int32] | None = None) -> Iterator[bytes]:
    """Binary COPY blocks of (device, ts, layout, values, extras), with `numbers` as one more column if given."""
    if rows.extras is None:
        yield _encoded(rows, None, numbers)
        return
    lengths = np.array([-1 if extra is None else len(extra) for extra in rows.extras], np.int64)
    for length in np.unique(lengths).tolist():
        chosen = lengths == length
        some = rows.take(chosen)
        extras = None
        if length >= 0 and some.extras is not None:
            data = b"".join(_JSONB_VERSION + extra for extra in some.extras)
            extras = np.frombuffer(data, np.uint8).reshape(len(some), length + len(_JSONB_VERSION))
        yield _encoded(some, extras, None if numbers is None else numbers[chosen])


def _encoded(rows: Rows, extras: npt.NDArray[np.uint8] | None, numbers: npt.NDArray[np.int32] | None) -> bytes:
    layout = np.full(len(rows), rows.layout, np.int32)
    columns: list[pgcopy.Column] = [rows.device, rows.ts_us.view("datetime64[us]"), layout, rows.values, extras]
    return pgcopy.encode(columns if numbers is None else [*columns, numbers])


@dataclass(frozen=True, slots=True)
class Late:
    """Events below the watermark: how many came for each bucket (µs), device and layout."""

    bucket: npt.NDArray[np.int64]
    device: npt.NDArray[np.int32]
    layout: npt.NDArray[np.int32]
    events: npt.NDArray[np.int32]


def late_buckets(blocks: Sequence[Rows], width_us: int, watermark_us: int) -> Late | None:
    """What `dirty` must hold of these rows, by buckets of `width_us`; None if nothing is late."""
    parts = []
    for rows in blocks:
        below = rows.ts_us < watermark_us
        if below.any():
            bucket = rows.ts_us[below] // width_us * width_us
            pairs, counts = np.unique(
                np.stack([bucket, rows.device[below].astype(np.int64)]), axis=1, return_counts=True
            )
            parts.append((pairs, counts, np.full(len(counts), rows.layout)))
    if not parts:
        return None
    pairs, counts, layouts = (np.concatenate(column, axis=-1) for column in zip(*parts, strict=True))
    return Late(pairs[0], pairs[1].astype(np.int32), layouts.astype(np.int32), counts.astype(np.int32))


def days(blocks: Sequence[Rows]) -> set[int]:
    """The UTC days (since 1970) that these rows need partitions of."""
    found: set[int] = set()
    for rows in blocks:
        first, last = int(rows.ts_us.min()) // _DAY_US, int(rows.ts_us.max()) // _DAY_US
        found.update((first, last) if last - first < 2 else np.unique(rows.ts_us // _DAY_US).tolist())
    return found
