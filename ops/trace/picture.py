"""An event's way for people, as a tree, and for programs, as JSON."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from rich.text import Text
from rich.tree import Tree

from ops.console import console
from ops.dlq.letters import printable, readable, state
from ops.moments import rfc3339
from ops.trace.way import Found, Record

SHOWN_CHARACTERS = 200
SHOWN_METRICS = 20


def show(found: Found, title: str) -> None:
    """Prints the tree."""
    tree = Tree(_text(title), highlight=False)
    _add(tree, "Kafka", _record_lines(found))
    if found.read is not None:
        _add(tree, f"ingestion: {found.read.words}", _ack_lines(found))
    if found.dead_letter is not None:
        _add(tree, f"dead letter: {found.dead_letter['code']}, {state(found.dead_letter)}", _letter_lines(found))
    for event in found.events:
        title = f"events: {event['device_id']} at {rfc3339(event['ts'])}, layout {event['layout']}"
        _add(tree, title, _event_lines(event))
    for each in found.buckets:
        title = f"bucket of {each['level']} s from {rfc3339(each['start'])}: {each['state']}"
        _add(tree, title, map(_statistic, each["statistics"][:SHOWN_METRICS]))
    console().print(tree)


def _add(tree: Tree, title: str, lines: Iterable[str]) -> None:
    branch = tree.add(_text(title))
    for line in lines:
        branch.add(_text(line))


def _record_lines(found: Found) -> list[str]:
    place, record = found.place, found.record
    lines = [f"{place.topic}[{place.partition}] at offset {place.offset}"] if place else []
    if record is None:
        return [*lines, found.record_note]
    lines.append(f"timestamp {_time(record)}, key {_bytes(record.key)}, {len(record.value or b''):,} bytes")
    lines.append(_bytes(record.value))
    return lines + [f"header {name}: {_bytes(value)}" for name, value in record.headers]


def _ack_lines(found: Found) -> list[str]:
    if found.read is None or found.read.acknowledged is None:
        return []
    told = "published" if found.read.acknowledged else "not published yet"
    if found.ack is None:
        return [f"success ack {told}; its range isn't kept any more"]
    ack = found.ack
    counts = ", ".join(f"{ack[name]} {name}" for name in ("persisted", "duplicates", "conflicts", "dead_lettered"))
    span = f"{ack['first_offset']} to {ack['last_offset']}"
    return [f"success ack {told}: offsets {span}, committed {rfc3339(ack['committed_at'])}", counts]


def _letter_lines(found: Found) -> list[str]:
    letter = found.dead_letter or {}
    times = ("at", "published_at", "replayed_at", "discarded_at")
    return [letter["detail"], *(f"{name} {rfc3339(letter[name])}" for name in times if letter[name] is not None)]


def _event_lines(event: Mapping[str, Any]) -> list[str]:
    pairs = list(zip(event["metrics"], event["values"], strict=True))
    lines = [f"{metric} = {value!r}" for metric, value in pairs[:SHOWN_METRICS]]
    if len(pairs) > SHOWN_METRICS:
        lines.append(f"… {len(pairs) - SHOWN_METRICS} more metrics (--json shows them)")
    return [*lines, f"extras {event['extras']}"] if event["extras"] else lines


def _statistic(row: Mapping[str, Any]) -> str:
    numbers = " ".join(f"{name} {row[name]:g}" for name in ("min", "avg", "max"))
    return f"{row['metric']}: count {row['count']} {numbers}"


def plain(found: Found) -> dict[str, Any]:
    """All of it, as JSON has it."""
    made: dict[str, Any] = {}
    if found.place is not None:
        place = found.place
        made |= {"topic": place.topic, "partition": place.partition, "offset": place.offset}
    made |= {"topic_id": found.topic_id, "record": None, "record_note": found.record_note}
    if (record := found.record) is not None:
        made["record"] = {
            "timestamp": _time(record),
            "key": readable(record.key),
            "value": readable(record.value),
            "headers": [[name, readable(value)] for name, value in record.headers],
            "bytes": len(record.value or b""),
        }
    read = found.read
    made["ingestion"] = None if read is None else {"state": read.state, "detail": read.words, "chapter": read.chapter}
    made["ack"] = None if read is None else {"published": read.acknowledged, **(found.ack or {})}
    letter = found.dead_letter
    of_letter = ("code", "detail", "at", "published_at", "replayed_at", "discarded_at")
    made["dead_letter"] = letter and {name: letter[name] for name in of_letter} | {"state": state(letter)}
    made["events"] = [
        {name: row[name] for name in ("device_id", "ts", "layout", "extras")}
        | {"values": dict(zip(row["metrics"], row["values"], strict=True))}
        for row in found.events
    ]
    return made | {"buckets": found.buckets}


def _time(record: Record) -> str | None:
    return None if record.timestamp is None else rfc3339(datetime.fromtimestamp(record.timestamp, UTC))


def _bytes(value: bytes | None) -> str:
    text = readable(value)
    if text is None:
        return "none"
    cut = f"… ({len(text):,} characters)" if len(text) > SHOWN_CHARACTERS else ""
    return text[:SHOWN_CHARACTERS] + cut


def _text(line: str) -> Text:
    return Text(printable(line))
