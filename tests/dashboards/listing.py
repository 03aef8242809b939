"""docs/dashboards.md: each panel, what it asks, and some of what it found. Pure."""

from collections.abc import Iterator, Sequence

from deploy.local.home import CHECKOUT
from tests.dashboards.catalogue import Found, Json

FILE = CHECKOUT / "docs" / "dashboards.md"
_SAMPLE = "→"
_UNITS = {
    "none": "a number", "short": "a number", "s": "seconds", "percentunit": "a share", "bool_yes_no": "yes or no",
    "eps": "events/s", "reqps": "requests/s", "recps": "records/s", "rowsps": "rows/s", "cps": "/s", "Bps": "bytes/s",
}  # fmt: skip
_HEAD = """\
# Dashboards

Five of them, for Grafana 11 and later: `grafana/provisioning` is what Grafana wants at `/etc/grafana/provisioning`,
`grafana/dashboards` at `/var/lib/grafana/dashboards`. What the data sources need from Grafana's environment is at the
top of `grafana/provisioning/datasources/plumbline.yml`; Postgres is asked under the role `plumbline_readonly`. Links to
the analysts' page go to `http://localhost:8000`, or where `&var-page=https://…` in a dashboard's address says.

Begin with *Pipeline overview*: two rows of figures, all green when all is well. A figure turns red where its alert
begins to fire: the builder reads the limits from `deploy/prometheus/rules`. Each panel's ⓘ says what it means and what
is normal; the runbook is the last panel of that dashboard, and a link on all of them.

The JSON is written by `make dashboards` from `grafana/builder`, a module a dashboard; a test compares. `make panels`
starts a stack with history, late and silent devices, malformed events, and requests good and bad, asks it what every
panel asks, and writes this list. Below each query, after an arrow, is some of what it found: lines by name with their
last value, or a row.
"""


def text(boards: Sequence[tuple[Json, Sequence[Found]]]) -> str:
    """The whole file, of dashboards and what their queries found."""
    return "\n".join([_HEAD, *(line for board, found in boards for line in _board(board, found))]) + "\n"


def without_samples(document: str) -> list[str]:
    """What doesn't change from one stack to another."""
    return [line for line in document.splitlines() if not line.startswith((f"# {_SAMPLE}", f"-- {_SAMPLE}"))]


def _board(board: Json, found: Sequence[Found]) -> Iterator[str]:
    yield from (f"## {board['title'].removeprefix('Plumbline / ')}", "", board["description"], "")
    chosen = [each for each in board["templating"]["list"] if each["name"] != "page"]
    if chosen:
        yield from ("| variable | |", "|---|---|")
        yield from (f"| {each['label']} | {each['description']} |" for each in chosen)
        yield ""
    for panel in board["panels"]:
        if panel["type"] == "row":
            yield from (f"### {panel['title']}", "")
        for each in panel["panels"] if panel["type"] == "row" else [panel]:
            yield from _panel(each, [query for query in found if query.panel["id"] == each["id"]])


def _panel(panel: Json, found: Sequence[Found]) -> Iterator[str]:
    unit = f" ({_unit(panel)})" if found and panel["type"] != "table" else ""  # a table's columns have their own
    yield from (f"**{panel['title']}**{unit}: {panel['description']}", "")
    for each in found:
        yield from _asked(each)


def _asked(found: Found) -> Iterator[str]:
    language, comment = ("promql", "#") if "expr" in found.query else ("sql", "--")
    query = found.query["expr" if language == "promql" else "rawSql"]
    yield from (f"```{language}", query, f"{comment} {_SAMPLE} {'; '.join(found.sample)}", "```", "")


def _unit(panel: Json) -> str:
    unit = str(panel["fieldConfig"]["defaults"]["unit"])
    return _UNITS.get(unit, unit)
