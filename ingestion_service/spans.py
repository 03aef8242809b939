"""A batch in traces: a span from its records in hand to its COMMIT, linked with the spans that its records came from.

And back: each of those gets a child that ends with the COMMIT, so that a request's trace says when its events were
stored, and by which batch.
"""

import time
from collections.abc import Sequence
from concurrent.futures import Future

from ingestion_service.batch import Batch, Record, Trace
from shared import tracing
from shared.tracing import Context

_MOST = 128  # origins of a batch
_OUTCOMES = ("persisted", "duplicates", "conflicts", "dead_letters")


def begin(batch: Batch, topic: str, group: str, began_ns: int) -> Trace | None:
    """The trace of a batch that was decoded since `began_ns`; None: traces are off, or it has no records."""
    if not tracing.on() or not batch.records:
        return None
    decoded_ns = time.time_ns()
    found = origins(batch.records)
    attributes = {
        **tracing.messaging(topic, "process"),
        "messaging.consumer.group.name": group,
        "messaging.batch.message_count": len(batch.records),
        "plumbline.offsets": [f"{span.claim.partition}/{span.start}-{span.stop - 1}" for span in batch.spans],
    }
    span = tracing.start(f"process {topic}", "consumer", links=found, attributes=attributes, at_ns=began_ns)
    if span is None:
        return None
    decode = tracing.start("decode", parent=span, at_ns=began_ns)
    if decode is not None:
        decode.end(at_ns=decoded_ns)
    return Trace(span, topic, found, began_ns)


def origins(records: Sequence[Record], most: int = _MOST) -> list[Context]:
    """The distinct contexts that these records carry, the first so many, of spans that are recorded."""
    seen: set[bytes] = set()
    found: list[Context] = []
    for record in records:
        header = _header(record)
        if header is None or header in seen:
            continue
        seen.add(header)
        context = tracing.parse(header)
        if context is not None and context.sampled:
            found.append(context)
            if len(found) == most:
                break
    return found


def _header(record: Record) -> bytes | None:
    try:
        headers = record.headers()
    except (SystemError, UnicodeDecodeError):  # a name that isn't UTF-8, which the client can't give us
        return None
    return next((value for name, value in headers or () if name == tracing.HEADER and value), None)


def end(trace: Trace, batch: Batch, done: "Future[object]") -> None:
    """The batch is stored, or never will be by us."""
    error = done.exception()
    if error is None:
        trace.span.note({f"plumbline.{name}": sum(getattr(span, name) for span in batch.spans) for name in _OUTCOMES})
        for origin in trace.origins:
            stored = tracing.start(
                f"settle {trace.topic}",
                "consumer",
                parent=origin,
                links=[trace.span.context],
                attributes=tracing.messaging(trace.topic, "settle"),
                at_ns=trace.began_ns,
            )
            if stored is not None:
                stored.end()
    trace.span.end(error)
