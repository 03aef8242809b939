"""The command plumbline trace."""

import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Annotated, Any

import typer

from deploy.local import environment, home
from ops import broker, store
from ops.console import Json, print_json
from ops.dlq import store as letters
from ops.dlq.store import Filter
from ops.moments import at, moment
from ops.store import Connection, Row
from ops.trace import picture
from ops.trace import store as ways
from ops.trace.records import Records
from ops.trace.way import Found, Position, bucket, decoded, position, reading, verdict
from shared.deployment import typed
from shared.settings import TopicSettings, load

LETTERS = 1_000  # of a device, looked through for a time


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: plumbline trace dev-2 2025-09-09T17:00:00Z; plumbline trace 3:1042")(trace)


def trace(
    what: Annotated[str, typer.Argument(help="A device id, or PARTITION:OFFSET, or TOPIC/PARTITION:OFFSET.")],
    timestamp: Annotated[
        str | None, typer.Argument(help="The event's time, as RFC 3339 or epoch; the device's latest event's.")
    ] = None,
    topic: Annotated[str | None, typer.Option(metavar="TOPIC", help="If it isn't TOPIC_READINGS.")] = None,
    as_device: Annotated[bool, typer.Option("--device", help="A device id, though it looks like an offset.")] = False,
    scan: Annotated[
        int, typer.Option(metavar="N", min=1, help="Look for a device's record among so many from its time on.")
    ] = 200_000,
    no_scan: Annotated[bool, typer.Option("--no-scan", help="Don't look for a device's record in Kafka.")] = False,
    as_json: Json = False,
) -> None:
    """Show an event's way: record in Kafka, commit, row or dead letter, ack, buckets and their statistics.

    Exit status 1 if the event is nowhere.
    """
    values = environment.require(home.default())
    where = None if as_device else position(what)
    readings = (where.topic if where else None) or topic or load(TopicSettings).topic_readings
    with broker.connect(values) as asked:
        held = asked.held([readings]).get(readings)
    found = Found(topic_id=held.topic_id if held else None)
    with _connected(values) as (connection, kafka):
        if where is not None:
            _by_position(found, connection, kafka, Position(readings, where.partition, where.offset))
        else:
            name = unicodedata.normalize("NFC", what)
            when = moment(timestamp, datetime.now(UTC)) if timestamp else ways.latest(connection, name)
            _by_device(found, connection, kafka, (name, when, readings, 0 if no_scan else scan))
        _read(found, connection)
        found.buckets = [row for event in found.events for row in _buckets(connection, event)]
    there, words = verdict(found)
    words = typed(words)
    if as_json:
        print_json({"found": there, "verdict": words, **picture.plain(found)})
    else:
        picture.show(found, f"{what}: {words}")
    if not there:
        raise typer.Exit(1)


@contextmanager
def _connected(values: Mapping[str, str]) -> Iterator[tuple[Connection, Records]]:
    kafka = Records(values)
    try:
        with store.snapshot(values) as connection:
            yield connection, kafka
    finally:
        kafka.close()


def _by_position(found: Found, connection: Connection, kafka: Records, place: Position) -> None:
    found.place = place
    found.record = kafka.at(place.topic or "", place.partition, place.offset)
    if found.record is None:
        found.record_note = "Kafka has no record there: retention took it, it is a gap, or it isn't written yet"
    there = Filter(topic=place.topic, partition=place.partition, offset=place.offset, topic_id=found.topic_id)
    # Of a topic's former self, or of a record that was lost, only where there is no record now.
    if (record := found.record) is not None:
        wanted = replace(there, record=(record.key, record.value))
    else:
        wanted = replace(there, topic_id=None)
    found.dead_letter = next(letters.scan(connection, wanted, whole=False, newest_first=True), None)
    event = decoded(found.record.value) if found.record else None
    if event is not None and found.dead_letter is None:
        stored = ways.events(connection, event.device, at(event.ts_us))
        found.events = [row for row in stored if tuple(row["metrics"]) == event.names]


def _by_device(
    found: Found, connection: Connection, kafka: Records, asked: tuple[str, datetime | None, str, int]
) -> None:
    device, when, topic, scan = asked
    if when is None:
        found.record_note = "the device has no event; give a time to look for a record or a dead letter"
        return
    found.events = ways.events(connection, device, when)
    if not found.events:
        of_device = letters.scan(connection, Filter(device=device), whole=True, newest_first=True)
        found.dead_letter = next((row for row in islice(of_device, LETTERS) if _is_of(row, when)), None)
    if found.dead_letter is not None:
        letter = found.dead_letter
        _by_position(found, connection, kafka, Position(letter["topic"], letter["partition"], letter["offset"]))
        if found.dead_letter is None or letters.identity(found.dead_letter) != letters.identity(letter):
            found.dead_letter, found.events, found.record = letter, [], None
            found.record_note = "Kafka lost it: another record is in its place"
    elif not scan:
        found.record_note = "not looked for (--no-scan)"
    else:
        found.record, looked = kafka.of_event(topic, device, when, scan)
        found.record_note = "" if found.record else _not_found(looked)
        if found.record is not None:
            found.place = Position(topic, found.record.partition, found.record.offset)


def _not_found(looked: int) -> str:
    return (
        f"not found among {looked:,} records from the event's time on: retention took it, or it was sent much later "
        "(--scan N looks further)"
    )


def _is_of(letter: Row, when: datetime) -> bool:
    event = decoded(letter["value"])
    return event is not None and at(event.ts_us) == when


def _read(found: Found, connection: Connection) -> None:
    """What the offsets say of the record's place."""
    if found.dead_letter is not None:
        found.topic_id = found.dead_letter["topic_id"]
    if (place := found.place) is None or place.topic is None or found.topic_id is None:
        return
    found.read = reading(ways.chapters(connection, place.topic, place.partition), found.topic_id, place.offset)
    if found.read.chapter is not None:
        found.ack = ways.ack(connection, found.topic_id, place.partition, place.offset, found.read.chapter)


def _buckets(connection: Connection, event: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The event's bucket at each level."""
    for level in ways.levels(connection):
        start = bucket(event["ts"], level["level"])
        end = start + timedelta(seconds=level["level"])
        late = ways.late(connection, event["device"], start, end)
        statistics = ways.statistics(connection, level["level"], event["device"], event["metric_ids"], start)
        if level["until"] is not None and end <= level["until"]:
            state = f"dirty: {late} late events wait" if late else "stored"
        else:
            closed = level["watermark"] is not None and end <= level["watermark"]
            state = "closed, not stored yet" if closed else "open"
        yield {"level": level["level"], "start": start, "end": end, "state": state, "statistics": statistics}
