"""The servers that every other test stands on."""

from collections.abc import Callable, Mapping

import psycopg
import pytest

from shared import kafka
from tests.servers import Database, Topics


def test_each_service_can_log_in_to_the_test_database_and_only_the_owner_is_superuser(database: Database) -> None:
    for service in ("ingestion", "aggregation", "api", "readonly"):
        env = database.environment(service)
        with psycopg.connect(
            host=env["DB_HOST"], port=env["DB_PORT"], user=env["DB_USER"], password=env["DB_PASSWORD"],
            dbname=env["DB_NAME"],
        ) as connection:  # fmt: skip
            assert connection.execute("SELECT current_database(), current_setting('is_superuser')").fetchone() == (
                database.name,
                "off",
            )


def test_a_wrong_password_is_refused(database: Database) -> None:
    with pytest.raises(psycopg.OperationalError, match="authentication failed"):
        psycopg.connect(f"{database.conninfo} password=wrong")


def test_topics_are_the_tests_own(make_topics: Callable[[int], Topics], stack: Mapping[str, str]) -> None:
    one, other = make_topics(3), make_topics(1)
    known = kafka.admin(one.settings).list_topics(timeout=10).topics
    assert len(known[one.settings.topic_readings].partitions) == 3
    assert len(known[other.settings.topic_readings].partitions) == 1
    assert one.environment()["KAFKA_BOOTSTRAP_SERVERS"] == stack["KAFKA_BOOTSTRAP_SERVERS"]
