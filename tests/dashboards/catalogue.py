"""The dashboards as they are on disk: their panels, and what each found on a stack."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from grafana.builder import FOLDER
from tests.dashboards.answers import Servers
from tests.dashboards.expand import Values, Window

Json = Mapping[str, Any]
NAMES = ("pipeline", "ingestion", "statistics", "api", "fleet")


@dataclass(frozen=True)
class Found:
    """A panel's query and some of what it found; no sample: nothing."""

    panel: Json
    query: Json
    sample: list[str]


def document(name: str) -> Json:
    """A dashboard's JSON."""
    loaded: Json = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return loaded


def panels(of: Json) -> Iterator[Json]:
    """All panels but the rows' headings; those of a collapsed row too."""
    for panel in of["panels"]:
        if panel["type"] == "row":
            yield from panel["panels"]
        else:
            yield panel


def window(seconds: int, scrape: int, now: datetime | None = None) -> Window:
    """The last so many seconds, a point every scrape."""
    end = now or datetime.now(UTC)
    return Window(end - timedelta(seconds=seconds), end, scrape, scrape)


def values(of: Json, servers: Servers, span: Window) -> Values:
    """Each variable's value: what is typed, or all that there is to choose from."""
    chosen: dict[str, Any] = {}
    for variable in of["templating"]["list"]:
        if variable["type"] == "textbox":
            chosen[variable["name"]] = variable["query"]
        else:
            found = servers.choices(variable, span, chosen)
            everything = variable.get("allValue") or found
            chosen[variable["name"]] = everything if variable["multi"] else found[0]
    return chosen


def found(name: str, servers: Servers, scrape: int) -> list[Found]:
    """What each query of a dashboard finds now."""
    metrics, database = window(300, scrape), window(3 * 3600, 10)
    given = values(document(name), servers, database)
    return [
        Found(panel, query, servers.sample(query, database if "rawSql" in query else metrics, given))
        for panel, query in queries(name)
    ]


def queries(name: str) -> Iterator[tuple[Json, Json]]:
    """Each query of a dashboard, with its panel."""
    for panel in panels(document(name)):
        for query in panel.get("targets", []):
            yield panel, query
