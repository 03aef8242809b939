"""Each panel's query finds something on a stack that really runs, asked as Grafana asks it."""

from collections.abc import Iterator

import pytest

from deploy.local import process
from tests.dashboards import catalogue, scene
from tests.dashboards.answers import Servers

DATA_S = 60.0
pytestmark = pytest.mark.embedded("asks the Prometheus of a whole embedded stack")


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with scene.running(tmp_path_factory.mktemp("dashboards").resolve()) as running:
        yield running


@pytest.mark.parametrize("name", catalogue.NAMES)
def test_every_query_finds_something(name: str, servers: Servers) -> None:
    """Rates need some samples, and late data a run of the aggregator: so this waits."""
    empty = ["not asked yet"]

    def full() -> bool:
        empty[:] = [
            f"{each.panel['title']}: {each.query.get('expr') or each.query['rawSql']}"
            for each in catalogue.found(name, servers, scene.SCRAPE_S)
            if not each.sample
        ]
        return not empty

    process.until(full, DATA_S, poll_s=1.0)
    assert empty == []


@pytest.mark.parametrize("name", catalogue.NAMES)
def test_a_figure_is_one_number(name: str, servers: Servers) -> None:
    figures = [each for each in catalogue.found(name, servers, scene.SCRAPE_S) if each.panel["type"] == "stat"]
    assert figures
    assert [each.panel["title"] for each in figures if len(each.sample) != 1] == []
