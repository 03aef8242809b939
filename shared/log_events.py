"""The vocabulary of the logs: what a line's `event` may be, and what its fields mean.

Each service declares its events in `log_events.py`, those that any of them may log are here; a test holds log calls to
it, and docs/logs.md is made of it.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class LogEvent:
    """`remedy`: what whoever reads it should do; empty: nothing. `fields`: names out of FIELDS."""

    name: str
    level: Literal["debug", "info", "warning", "error"]
    meaning: str
    remedy: str = ""
    fields: tuple[str, ...] = ()


# On every line, by themselves.
ALWAYS = {
    "timestamp": "when, RFC 3339 in UTC",
    "level": "`debug`, `info`, `warning` or `error`",
    "service": "`ingestion`, `aggregation`, `api` or `simulator`",
    "event": "a name of this list",
    "trace_id": "of the request or batch that it was logged for, where there is one (docs/tracing.md)",
    "span_id": "likewise, with traces on",
}

# A field means the same wherever it is.
FIELDS = {
    "address": "a client's",
    "addresses": "how many clients' addresses, 100 at most",
    "attempt": "the how-manieth, from 1",
    "client_id": "a client of AUTH_CLIENTS_FILE; null: there is no such client",
    "count": "how many",
    "epoch": "of the claim: a higher one fences it",
    "error": "what went wrong, without anything that was sent to us",
    "file": "a file's name",
    "group": "the consumer group",
    "host": "an address of this machine",
    "kafka": "KAFKA_BOOTSTRAP_SERVERS",
    "keys": "how many keys",
    "keys_kept": "whether the keys that came before still count",
    "kid": "the key id that a token names",
    "levels": "AGGREGATION_LEVELS",
    "logger": "the library's part that said it",
    "message": "its words",
    "method": "of the request",
    "modules": "API_MODULES",
    "most_from": "the address that most came from",
    "most": "how many came from there",
    "offset": "the next one to be read",
    "owner": "the process in `kafka_offsets.owner`",
    "partition": "a partition",
    "partitions": "partitions",
    "port": "a port of this machine",
    "problem": "what is wrong → how to fix it",
    "reason": "one of few words, or the other side's own",
    "retry_after_s": "seconds that the other side asked for; null: it didn't",
    "retry_in_s": "seconds until the next attempt",
    "route": "the template that matched, never the path",
    "seconds": "that it sums up",
    "spans": "spans of traces that were dropped",
    "sqlstate": "Postgres's code; null: the connection broke",
    "status": "of the answer, or of the work",
    "stream": "which of the relay's records",
    "subject": "whom a token names, if its signature is right",
    "timeout_s": "seconds that it may take",
    "token_sha256": "the first 16 digits of the token's SHA-256",
    "topic": "a topic",
    "trace": "where in the code, without variables and without what was sent to us",
    "url": "of an endpoint of ours",
    "what": "the event that it sums up",
}

COMMON = (
    LogEvent("connecting", "info", "The process waits for Kafka and Postgres.", "", ("kafka", "timeout_s")),
    LogEvent(
        "started", "info", "It does its work from now on.", "",
        ("topic", "group", "owner", "levels", "host", "port", "modules"),
    ),
    LogEvent("stopped", "info", "It was told to stop, and has.", ""),
    LogEvent(
        "crashed", "error", "A fault of ours ended a thread, or the process.",
        "Start it again, and report it with `plumbline support-bundle`.", ("error", "trace"),
    ),
    LogEvent(
        "library", "warning",
        "A library's own words, at its own level: uvicorn, psycopg, librdkafka, aiohttp, asyncio, Python's warnings.",
        "Read `message`; what follows from it, if anything does, is logged by us as well.",
        ("logger", "message", "error", "trace"),
    ),
    LogEvent(
        "traces_dropped", "warning", "The receiver of traces doesn't take them; logged once, until it does.",
        "Start it, or mend OTEL_EXPORTER_OTLP_ENDPOINT. Nothing but traces is lost.", ("spans", "error"),
    ),
    LogEvent("traces_sent", "info", "The receiver takes traces again.", "", ("spans",)),
)  # fmt: skip
