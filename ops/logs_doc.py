"""`python -m ops.logs_doc` prints docs/logs.md: every event that a service may log."""

import sys
from collections.abc import Sequence

import aggregation_service.log_events
import api_service.log_events
import ingestion_service.log_events
import simulator.log_events
from shared.log_events import ALWAYS, COMMON, FIELDS, LogEvent

_HEAD = """\
# Logs

Each service logs to stderr, one line an event: JSON (`LOG_FORMAT=json`, the default), or for reading (`console`).
`event` is one of the names below and nothing else, so that it can be searched and counted; what differs from line to
line is in fields, and a field means the same wherever it is. There is no line for a record, and floods of refusals are
summed up. No line holds a token, a password, or what a client sent: of errors whose text may quote it, the kind is
told. `LOG_LEVEL` is the least level that is logged.

```console
$ tail -qf .local/logs/*.log | jq -c 'select(.level != "info")'
```

What ends a process, such as a setting that can't be used, is told in plain text as its last line: "VAR: what is wrong →
how to fix it". This list is made by `make docs` from the services' `log_events.py`.
"""

_SECTIONS: tuple[tuple[str, Sequence[LogEvent]], ...] = (
    ("Any service", COMMON),
    ("Ingestion", ingestion_service.log_events.EVENTS),
    ("Aggregation", aggregation_service.log_events.EVENTS),
    ("API", api_service.log_events.EVENTS),
    ("Simulator", simulator.log_events.EVENTS),
)


def text() -> str:
    """The document."""
    parts = [_HEAD, "## On every line\n", _fields(ALWAYS)]
    for title, events in _SECTIONS:
        parts += [f"## {title}\n", "| event | level | meaning | what to do | fields |\n|---|---|---|---|---|"]
        parts += [_row(event) for event in sorted(events, key=lambda event: event.name)]
        parts.append("")
    return "\n".join([*parts, "## Fields\n", _fields(FIELDS)])


def _fields(meanings: dict[str, str]) -> str:
    rows = [f"| `{name}` | {meaning} |" for name, meaning in meanings.items()]
    return "\n".join(["| field | meaning |\n|---|---|", *rows, ""])


def _row(event: LogEvent) -> str:
    fields = ", ".join(f"`{name}`" for name in event.fields)
    return f"| `{event.name}` | {event.level} | {event.meaning} | {event.remedy} | {fields} |"


if __name__ == "__main__":
    sys.stdout.write(text())
