"""What goes into a bundle, each from its source; a source that is away is said, and the rest goes on."""

import platform
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import psycopg
from confluent_kafka import KafkaException

from deploy import parts as stack
from deploy.local import environment, java
from deploy.local import status as local
from ops import alerts, broker, scrape, store
from ops.bundle import store as database
from ops.bundle.redaction import Redactor, masked, without_literals
from ops.bundle.secrets import environments, secret_variables, setting_names
from ops.console import json_text
from ops.status import commands as status
from shared.errors import PlumblineError, Unavailable
from shared.version import VERSION

LOG_LINES = 500
LOG_BYTES = 256 * 1024
PROMETHEUS = {
    "alerts": "/api/v1/alerts",
    "rules": "/api/v1/rules",
    "targets": "/api/v1/targets",
    "flags": "/api/v1/status/flags",
}


@dataclass(frozen=True, slots=True)
class Source:
    """One file of the bundle: `read` gives its text, or raises; `log`: lines that may name devices and quote SQL."""

    path: str
    read: Callable[[], str]
    log: bool = False


def sources(home: Path) -> Iterator[Source]:
    """Everything, in the order in which a reader wants it."""
    values = environment.read(home)
    yield Source("status.json", lambda: json_text(status.document(home)))
    yield Source("doctor.json", lambda: json_text([asdict(finding) for finding in stack.findings(home)]))
    yield Source("versions.json", lambda: json_text(_versions(home)))
    yield Source("settings.json", lambda: json_text(_settings(home, values)))
    for url in (name for name in values if name.startswith("METRICS_URL_")):
        part = url.removeprefix("METRICS_URL_").lower()
        yield Source(f"metrics/{part}.txt", _bound(_metrics, url, values))
    for query in database.QUERIES:
        yield Source(f"postgres/{query}.json", _bound(_queried, query, values))
    yield Source("kafka/topics.json", lambda: json_text(_topics(values)))
    for name, path in PROMETHEUS.items():
        yield Source(f"prometheus/{name}.json", _bound(_prometheus, path, values))
    for file in sorted((home / "logs").glob("*.log")):
        yield Source(f"logs/{file.name}", _bound(_log, file, values), log=True)


def _bound(read: Callable[[Any, Mapping[str, str]], str], what: Any, values: Mapping[str, str]) -> Callable[[], str]:
    return lambda: read(what, values)


def read(source: Source, redactor: Redactor) -> tuple[str | None, str | None]:
    """The text, redacted, and what is wrong: one of the two is None."""
    try:
        text = source.read()
    except (PlumblineError, psycopg.Error, KafkaException, OSError, LookupError) as error:
        why = str(error) if not isinstance(error, LookupError) else "there is no such part in stack.env"
        return None, redactor.text(why or type(error).__name__)
    return (redactor.log(text) if source.log else redactor.text(text)), None


def _versions(home: Path) -> dict[str, Any]:
    installed = {each.metadata["Name"]: each.version for each in metadata.distributions()}
    return {
        "plumbline": VERSION,
        "python": sys.version,
        "system": platform.platform(),
        "parts": {part.name: part.version for part in stack.parts(home) if part.version},
        "kafka_jars": java.KAFKA_VERSION,
        "packages": dict(sorted(installed.items())),
    }


def _settings(home: Path, values: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """stack.env, and of what each process was given the variables that are settings."""
    secret, names = secret_variables(), setting_names()
    found = {"stack.env": masked(values, secret)}
    for part, environ in environments(home).items():
        own = {name: value for name, value in environ.items() if name in names or name in values}
        found[part] = masked(own, secret)
    return found


def _metrics(url: str, values: Mapping[str, str]) -> str:
    pages = scrape.read(values[url])
    return (
        "\n".join(f"# {address}\n{text}" for address, text in pages.items())
        if len(pages) > 1
        else "".join(pages.values())
    )


def _queried(query: str, values: Mapping[str, str]) -> str:
    with store.snapshot(values) as connection:
        rows = database.ask(connection, query)
    for row in rows:
        if "query" in row:
            row["query"] = without_literals(row["query"] or "")
    return json_text(rows)


def _topics(values: Mapping[str, str]) -> list[dict[str, Any]]:
    """Each topic's partitions with their leaders, replicas and watermarks."""
    if local.troubles("kafka", values) is None:  # a cheap look: clients take their time to give up
        raise Unavailable("Kafka doesn't answer → plumbline up --only kafka")
    with broker.connect(values) as kafka:
        return kafka.described()


def _prometheus(path: str, values: Mapping[str, str]) -> str:
    return json_text(alerts.get(values, path))


def _log(file: Path, _values: Mapping[str, str]) -> str:
    """The last lines."""
    with file.open("rb") as lines:
        size = lines.seek(0, 2)
        lines.seek(max(0, size - LOG_BYTES))
        text = lines.read().decode(errors="replace")
    kept = text.splitlines()[1 if size > LOG_BYTES else 0 :][-LOG_LINES:]
    return "\n".join(kept)
