"""What Grafana is given: as the builder writes it, in Grafana's own model, complete, and consistent in itself."""

import itertools
import json
import re
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.local import prometheus
from deploy.local.home import CHECKOUT
from grafana.builder import FOLDER, alerts, boards
from grafana.builder.panels import Limits
from ops import metrics_doc
from tests.dashboards import listing
from tests.dashboards.catalogue import NAMES, Found, Json, document, panels, queries

PROVISIONING = CHECKOUT / "grafana" / "provisioning"
# Names that Grafana gives a value by itself.
GIVEN = re.compile(r"__\w+")


def expressions(name: str) -> list[str]:
    """All that a dashboard asks of Prometheus."""
    return [query["expr"] for _, query in queries(name) if "expr" in query]


def sources() -> dict[str, Json]:
    """The data sources that are provisioned, by uid."""
    text = (PROVISIONING / "datasources" / "plumbline.yml").read_text()
    return {source["uid"]: source for source in yaml.safe_load(text)["datasources"]}


def test_the_files_are_what_the_builder_makes() -> None:
    made = {f"{board.name}.json": board.text() for board in boards()}
    assert sorted(made) == sorted(f"{name}.json" for name in NAMES)
    there = {file.name: file.read_text(encoding="utf-8") for file in FOLDER.iterdir()}
    stale = sorted(name for name in made.keys() | there.keys() if made.get(name) != there.get(name))
    assert stale == [], "→ make dashboards"


@pytest.mark.parametrize("name", NAMES)
def test_grafana_s_own_model_knows_all_of_it(name: str) -> None:
    """What it doesn't know, it loses on the way."""
    register_default_plugins()
    given = document(name)
    again = json.loads(json.dumps(Dashboard.from_json(dict(given)), cls=JSONEncoder))
    assert again == given


@pytest.mark.parametrize("name", NAMES)
def test_every_panel_says_what_it_is(name: str) -> None:
    known = {value for value in vars(units).values() if isinstance(value, str)}
    for panel in panels(document(name)):
        assert panel["title"]
        assert len(panel["description"]) > 10, panel["title"]
        if panel["type"] == "text":
            continue
        assert panel["fieldConfig"]["defaults"]["unit"] in known, panel["title"]
        assert panel["datasource"]["uid"] in sources()
        assert {query["datasource"]["uid"] for query in panel["targets"]} == {panel["datasource"]["uid"]}
        letters = [query["refId"] for query in panel["targets"]]
        assert len(set(letters)) == len(letters) > 0


@pytest.mark.parametrize("name", NAMES)
def test_lines_of_a_panel_can_be_told_apart(name: str) -> None:
    for panel in panels(document(name)):
        asked = [query for query in panel.get("targets", []) if "expr" in query]
        if panel["type"] == "timeseries":
            legends = [query["legendFormat"] for query in asked]
            assert all(legends), panel["title"]
            assert len(set(legends)) == len(legends), panel["title"]
            for query in asked:
                split = re.match(r"(?:max|min|sum) by \(([^)]+)\)", query["expr"])
                labels = [label.strip() for label in split[1].split(",")] if split else []
                assert all(f"{{{{{label}}}}}" in query["legendFormat"] for label in labels), panel["title"]


@pytest.mark.parametrize("name", NAMES)
def test_panels_have_ids_and_places_of_their_own(name: str) -> None:
    """Those of a collapsed row lie below each other by themselves."""
    given = document(name)
    headings = [panel for panel in given["panels"] if panel["type"] == "row"]
    ids = [panel["id"] for panel in [*headings, *panels(given)]]
    assert len(set(ids)) == len(ids)
    groups = [given["panels"], *(heading["panels"] for heading in headings if heading["collapsed"])]
    for group in groups:
        places = [panel["gridPos"] for panel in group]
        assert all(place["x"] >= 0 and place["x"] + place["w"] <= 24 for place in places)
        for one, other in itertools.combinations(places, 2):
            beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
            above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
            assert beside or above, (one, other)


@pytest.mark.parametrize("name", NAMES)
def test_every_variable_that_is_used_is_declared_and_the_other_way_round(name: str) -> None:
    given = document(name)
    declared = {variable["name"] for variable in given["templating"]["list"]}
    asking = [panel for panel in panels(given) if panel["type"] != "text"]  # the runbook has a shell's variables
    text = json.dumps([asking, given["links"], [variable["query"] for variable in given["templating"]["list"]]])
    used = {one or other for one, other in re.findall(r"\$(\w+)|\$\{(\w+)", text)}
    assert {each for each in used if not GIVEN.match(each)} == declared


def test_links_lead_somewhere() -> None:
    given = {document(name)["uid"]: document(name) for name in NAMES}
    links = [found for each in given.values() for found in re.findall(r"/d/[\w?=-]+", json.dumps(each))]
    assert len(links) > 20
    for link in links:
        uid, _, panel = link.removeprefix("/d/").partition("?viewPanel=")
        assert uid in given
        assert not panel or int(panel) in [each["id"] for each in panels(given[uid])]
    for each in given.values():
        assert {link["title"] for link in each["links"]} == {"Dashboards", "Runbook", "Analysts' page"}


def test_every_metric_is_on_a_panel() -> None:
    asked = " ".join(expr for name in NAMES for expr in expressions(name))
    asked += " ".join(expr for rule, expr in alerts.rules().items() if rule in asked and ":" in rule)
    declared = {each.name for service in metrics_doc.SERVICES for each in metrics_doc.catalogue(service)}
    shown = {re.sub(r"_(bucket|count|sum)$", "", name) for name in re.findall(r"(?<![\w:])[a-z][\w:]+", asked)}
    assert declared - shown == set(), "metrics that no panel shows"
    ours = {name for name in shown if re.match(r"(aggregation|ingestion|plumbline|simulator)_", name)}
    assert ours - declared == set(), "metrics that nobody declares"


def test_data_sources_fit_the_stack() -> None:
    metrics, database = sources()["plumbline-prometheus"], sources()["plumbline-postgres"]
    assert metrics["jsonData"]["timeInterval"] == prometheus.INTERVAL, "what $__rate_interval is made of"
    assert database["user"] == "plumbline_readonly"
    assert database["secureJsonData"]["password"].startswith("$GF_"), "the official image reads GF_…__FILE"
    assert not any(source["editable"] for source in (metrics, database))


def test_grafana_looks_for_dashboards_where_they_are_mounted() -> None:
    (provider,) = yaml.safe_load((PROVISIONING / "dashboards" / "plumbline.yml").read_text())["providers"]
    assert provider["options"]["path"] == "/var/lib/grafana/dashboards"
    files = sorted(str(file.relative_to(PROVISIONING)) for file in PROVISIONING.rglob("*") if file.is_file())
    assert files == ["dashboards/plumbline.yml", "datasources/plumbline.yml"], "Grafana reads all that is there"


def test_the_list_of_panels_is_up_to_date() -> None:
    """But for the samples, which a stack gives."""
    boards = [(document(name), [Found(panel, query, []) for panel, query in queries(name)]) for name in NAMES]
    written = listing.without_samples(listing.FILE.read_text(encoding="utf-8"))
    assert listing.without_samples(listing.text(boards)) == written, "→ make panels"


def test_colours_change_where_alerts_fire() -> None:
    numbers: dict[str, Any] = {
        panel["title"]: panel for panel in panels(document("pipeline")) if panel["type"] == "stat"
    }

    def steps(title: str) -> list[tuple[float | None, str]]:
        found = numbers[title]["fieldConfig"]["defaults"]["thresholds"]["steps"]
        return [(step["value"], step["color"]) for step in found]

    assert steps("Ingestion behind") == [(None, "green"), (30, "red")]
    assert steps("Unaccounted events") == [(None, "green"), (1, "red")]
    assert steps("API errors") == [(None, "green"), (0.006, "orange"), (0.0144, "red")]
    assert steps("Disk left") == [(None, "red"), (0.05, "green")]
    assert all(len(steps(title)) > 1 for title in numbers), "every figure that it begins with has a limit"


def test_a_rule_without_a_limit_is_no_colour() -> None:
    with pytest.raises(ValueError, match="PlumblineServiceMissing: its expression has no limit"):
        alerts.above(act="PlumblineServiceMissing")


def test_limits_below_come_in_rising_order() -> None:
    steps = Limits(look=0.25, act=0.05, below=True).steps()
    assert [(step.value, step.color) for step in steps] == [(None, "red"), (0.05, "orange"), (0.25, "green")]
