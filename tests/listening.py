"""A client of /stats/stream: reads events, and keeps the rows that they bring."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

Row = dict[str, Any]


@dataclass(frozen=True)
class Event:
    id: str | None
    name: str
    data: dict[str, Any]


def events(lines: Iterator[str]) -> Iterator[Event]:
    """The events of a text/event-stream, as the HTML standard reads it; fields that it doesn't know are left out."""
    fields: dict[str, str] = {}
    for line in lines:
        if not line:
            if "data" in fields:
                yield Event(fields.get("id"), fields.get("event", "message"), json.loads(fields["data"]))
            fields = {}
            continue
        name, _, value = line.partition(":")
        if name:
            fields[name] = value.removeprefix(" ")


@dataclass
class Ear:
    """What a client makes of the events: `rows` by device, metric and start."""

    coming: Iterator[Event]
    rows: dict[tuple[str, str, str], Row] = field(default_factory=dict)
    last_id: str | None = None

    def hear(self) -> Event:
        """The next event, applied."""
        event = next(self.coming)
        self.last_id = event.id or self.last_id
        if event.data.get("complete"):
            self.rows = {}
        for row in event.data.get("rows", ()):
            self.rows[row["device_id"], row["metric"], row["start"]] = row
        return event

    def until(self, reached: Callable[[], bool]) -> None:
        """Goes on until the rows are as wanted; the client's timeout ends a wait in vain."""
        while not reached():
            self.hear()


@contextmanager
def listening(client: httpx.Client, params: Mapping[str, Any], last_id: str | None = None) -> Iterator[Ear]:
    """An open stream."""
    headers = {"Last-Event-ID": last_id} if last_id else {}
    with client.stream("GET", "/stats/stream", params=params, headers=headers) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield Ear(events(answer.iter_lines()))
