"""`plumbline wait` and `missing` on real servers: what they say, and the exit status."""

from datetime import UTC, datetime, timedelta

from deploy.local import environment, home
from ops import wait
from shared.errors import PlumblineError
from tests.aggregated import DAY, put_now
from tests.operator import Operator
from tests.pipeline import event, ingestion, produce, running
from tests.servers import Database, Topics


def test_stored_lacks_what_kafka_has_and_ends_once_that_is_stored(
    operator: Operator, database: Database, topics: Topics
) -> None:
    produce(topics, [event("dev-1", second, a=1.0) for second in range(20)])
    lacking = operator.json("wait", "stored", "--timeout", "0", status=1)
    assert not lacking["ok"]
    assert all(text.endswith("records aren't stored") for text in lacking["lacking"])
    refused = operator.run("wait", "stored", "--timeout", "0")
    assert isinstance(refused.exception, PlumblineError)
    assert str(refused.exception).startswith("after 0 s: ")
    now = wait.stored(environment.require(home.default()))
    assert now() != []
    with running("ingestion_service", ingestion(topics, database)):
        done = operator.json("wait", "stored", "--timeout", "60")
        assert (done["ok"], done["lacking"]) == (True, [])
    produce(topics, [event("dev-1", 30, a=1.0)])
    assert now() == [], "what came later isn't waited for"
    with database.connect() as connection:
        assert connection.execute("SELECT count(*) FROM events").fetchall() == [(20,)]


def test_statistics_are_up_to_date_until_an_event_comes_late(operator: Operator, rolled: Database) -> None:
    assert operator.json("wait", "statistics", "--timeout", "0")["ok"]
    put_now(rolled, [("dev-1", DAY + 70.25, {"a": 2.0})])
    lacking = operator.json("wait", "statistics", "--timeout", "0", status=1)["lacking"]
    assert lacking == ["late events wait to be worked in"]


def test_a_history_begins_where_events_end(operator: Operator, rolled: Database) -> None:
    hour = operator.json("missing", "--last", "1h")["since"]
    assert abs(datetime.now(UTC) - timedelta(hours=1) - datetime.fromisoformat(hour)) < timedelta(minutes=1)
    with rolled.connect() as connection:
        newest = connection.execute("SELECT max(ts) FROM events").fetchall()[0][0]
    assert datetime.fromisoformat(operator.run("missing", "--last", "10d").stdout.strip()) == newest
    put_now(rolled, [("dev-1", datetime.now(UTC).timestamp(), {"a": 2.0})])
    assert operator.run("missing", "--last", "10d").stdout == ""
