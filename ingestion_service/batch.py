"""Records of one poll → a batch: which offsets of which partitions it covers, and what was decoded. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ingestion_service.columns import Prepared
from shared import tracing
from shared.events import Decoder, Group


class Record(Protocol):
    """What we read of a confluent_kafka.Message."""

    def partition(self) -> int | None: ...
    def offset(self) -> int | None: ...
    def leader_epoch(self) -> int | None: ...
    def key(self) -> bytes | None: ...
    def value(self) -> bytes | None: ...
    def headers(self) -> Any: ...  # [(name, bytes or None)] or None
    def timestamp(self) -> tuple[int, int]: ...


@dataclass(frozen=True, slots=True)
class Claim:
    """A partition is ours: `epoch` fences every older owner, `next_offset` is where to go on."""

    topic: str
    partition: int
    topic_id: str
    epoch: int
    next_offset: int
    leader_epoch: int | None = None
    truncated: bool = False  # Kafka lost records before `next_offset`, and nobody has decided yet


@dataclass(slots=True)
class Span:
    """The offsets [start, stop) of one partition that a batch covers, and what became of their records."""

    claim: Claim
    start: int
    stop: int
    leader_epoch: int | None = None
    records: int = 0
    first_ms: int = 0  # Kafka's timestamp of the first of them
    persisted: int = 0
    duplicates: int = 0
    conflicts: int = 0
    dead_letters: int = 0
    unaccounted: int = 0  # offsets of the partition without an outcome, as its row says after this batch: always 0

    @property
    def gaps(self) -> int:
        """Offsets without a record: transaction markers, and what compaction took."""
        return self.stop - self.start - self.records


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that can't be taken, as it was; headers are (name, bytes) pairs."""

    slot: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Trace:
    """The span of a batch, and those that its records came from; `began_ns`: since 1970."""

    span: tracing.Span
    topic: str
    origins: Sequence[tracing.Context]
    began_ns: int


@dataclass(slots=True)
class Batch:
    """One transaction's worth. `slot[i]` is the span (index into `spans`) of the i-th record."""

    spans: list[Span]
    records: Sequence[Record]
    slot: npt.NDArray[np.int32]
    groups: list[Group]
    dead: dict[int, DeadLetter] = field(default_factory=dict)  # by position
    known: frozenset[int] = frozenset()  # positions of those of them that were stored before: duplicates
    readings: int = 0  # values that its COMMIT stored
    copy_seconds: float = 0.0  # that the COPY of its rows took
    prepared: Prepared | None = None  # once the ids of all its devices and layouts are known
    edition: int = 0  # of the catalogue that had these ids
    attempted: bool = False  # a COMMIT may have been sent: ask before writing again
    trace: Trace | None = None

    @property
    def oldest_ms(self) -> int | None:
        """Kafka's timestamp of the record that has waited longest; None: there are no records."""
        return min((span.first_ms for span in self.spans if span.records), default=None)

    def bury(self, position: int, code: str, detail: str) -> None:
        """The record at `position` becomes a dead letter."""
        record = self.records[position]
        try:
            headers = list(record.headers() or [])
        except (SystemError, UnicodeDecodeError):  # a name that isn't UTF-8, which the client can't give us
            headers, detail = [], f"{detail}; its headers can't be read"
        self.dead[position] = DeadLetter(
            slot=int(self.slot[position]),
            offset=record.offset() or 0,
            key=record.key(),
            value=record.value(),
            headers=headers,
            code=code,
            detail=detail,
        )


def assemble(
    records: Sequence[Record],
    ends: Mapping[int, int],
    claims: Mapping[int, Claim],
    positions: Mapping[int, int],
    decoder: Decoder,
    now_us: int,
) -> Batch | None:
    """A batch of what we own and didn't see before; None when that moves no partition.

    `positions` is the next offset expected of each partition; `ends` are the ends of partitions that were reached
    (offsets up to there that hold no record are gaps).
    """
    partition = np.array([record.partition() for record in records], np.int32)
    offset = np.array([record.offset() for record in records], np.int64)
    spans: list[Span] = []
    slot = np.full(len(records), -1, np.int32)  # −1: revoked meanwhile, or fetched again
    for number in sorted({*np.unique(partition).tolist(), *ends} & claims.keys()):
        start = positions[number]
        mine = np.flatnonzero(partition == number)
        mine = mine[_new(offset[mine], start)]
        last = int(offset[mine[-1]]) + 1 if len(mine) else start
        stop = max(last, ends.get(number, 0))
        if stop > start:
            slot[mine] = len(spans)
            span = Span(claims[number], start, stop, records=len(mine))
            if len(mine):
                span.leader_epoch = records[mine[-1]].leader_epoch()
                span.first_ms = records[mine[0]].timestamp()[1]
            spans.append(span)
    if not spans:
        return None
    kept = np.flatnonzero(slot >= 0)
    if len(kept) < len(records):
        records, slot = [records[i] for i in kept.tolist()], slot[kept]
    return _decoded(spans, records, slot, decoder, now_us)


def _new(offsets: npt.NDArray[np.int64], start: int) -> npt.NDArray[np.bool_]:
    """Which of these offsets lie beyond `start` and all that came before them."""
    before = np.maximum.accumulate(np.concatenate(([start - 1], offsets)))[:-1]
    return offsets > before


def _decoded(
    spans: list[Span], records: Sequence[Record], slot: npt.NDArray[np.int32], decoder: Decoder, now_us: int
) -> Batch:
    decoded = decoder.decode([r.value() for r in records], now_us, [r.key() for r in records])
    batch = Batch(spans, records, slot, decoded.groups)
    for reject in decoded.rejects:
        batch.bury(reject.position, reject.code, reject.detail)
    return batch
