"""From records to what is shown of each. Pure."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from ops.dlq.letters import device as device_of
from ops.dlq.letters import printable, readable
from ops.moments import at, rfc3339
from ops.trace.way import Record
from shared.events import Decoded, Decoder

CODE, DETAIL = "plumbline.error.code", "plumbline.error.detail"
PARTITION, OFFSET = "plumbline.error.partition", "plumbline.error.offset"
SHOWN_METRICS = 8
SHOWN_CHARACTERS = 160


@dataclass(frozen=True, slots=True)
class Line:
    """One record. `time` is the event's, Kafka's where there is none; `lag_seconds` from the event's time to Kafka's.

    `metrics` is None for what isn't an event; `code` and `detail` say why; `text` is the value of a topic without
    events.
    """

    time: datetime | None
    device: str | None
    partition: int
    offset: int
    lag_seconds: float | None
    metrics: dict[str, float] | None = None
    code: str | None = None
    detail: str | None = None
    text: str | None = None


def matcher(pattern: str | None) -> Callable[[str | None], bool]:
    """Whether a device id is meant: all, one, or a pattern with `*`, as in tokens."""
    if pattern is None:
        return lambda _device: True
    pieces = map(re.escape, unicodedata.normalize("NFC", pattern).split("*"))
    meant = re.compile(".*".join(pieces), re.DOTALL)
    return lambda device: device is not None and meant.fullmatch(device) is not None


def events(records: Sequence[Record], decoder: Decoder, now_us: int) -> list[Line]:
    """Records of the readings topic, each decoded as ingestion does it."""
    found = decoder.decode([each.value for each in records], now_us, [each.key for each in records])
    return _in_order(records, found)


def _in_order(records: Sequence[Record], found: Decoded) -> list[Line]:
    by_position: dict[int, Line] = {}
    for group in found.groups:
        rows = zip(group.position.tolist(), group.device, group.ts_us.tolist(), group.values.tolist(), strict=True)
        for position, device, ts_us, values in rows:
            record, time = records[position], at(ts_us)
            metrics = dict(zip(group.names, values, strict=True))
            lag = record.timestamp - time.timestamp() if record.timestamp else None
            by_position[position] = Line(time, device, record.partition, record.offset, lag, metrics=metrics)
    for reject in found.rejects:
        refused = _other(records[reject.position], reject.code.value, reject.detail)
        by_position[reject.position] = refused
    return [by_position[position] for position in range(len(records))]


def dead_letters(records: Sequence[Record]) -> list[Line]:
    """Records of the dead letters' topic: the code that their headers have, and the place where each was read."""
    found = []
    for record in records:
        headers = {name: (value or b"").decode(errors="replace") for name, value in record.headers}
        place = f"from {headers.get(PARTITION, '?')}:{headers.get(OFFSET, '?')}"
        detail = f"{headers.get(DETAIL, '')} ({place})".strip()
        found.append(_other(record, headers.get(CODE, "unknown"), detail))
    return found


def texts(records: Sequence[Record]) -> list[Line]:
    """Records of any other topic, such as acks: their values as they are."""
    return [
        Line(_written(record), None, record.partition, record.offset, None, text=readable(record.value))
        for record in records
    ]


def _other(record: Record, code: str, detail: str) -> Line:
    device = device_of(record.key, record.value)
    return Line(_written(record), device, record.partition, record.offset, None, code=code, detail=detail)


def _written(record: Record) -> datetime | None:
    return at(round(record.timestamp * 1_000_000)) if record.timestamp else None


def sentence(line: Line) -> str:
    """The line for a terminal: nothing in it controls one."""
    if line.text is not None:
        what = [_cut(line.text)]
    elif line.metrics is not None:
        what = [line.device or "", _metrics(line.metrics)]
    else:
        what = [line.device or "?", f"{line.code}: {line.detail}"]
    time = rfc3339(line.time) if line.time else "no time"
    lag = [] if line.lag_seconds is None else [f"{line.lag_seconds:+.1f} s"]
    return printable("  ".join([time, *what, f"{line.partition}:{line.offset}", *lag])).replace("\n", "\\n")


def _metrics(metrics: dict[str, float]) -> str:
    shown = " ".join(f"{name}={value:.6g}" for name, value in list(metrics.items())[:SHOWN_METRICS])
    more = len(metrics) - SHOWN_METRICS
    return f"{shown} and {more} more" if more > 0 else shown or "no metrics"


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"
