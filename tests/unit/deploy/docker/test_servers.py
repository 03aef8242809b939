"""Kafka and Postgres are told the same in containers as beside them."""

from pathlib import PurePath

from deploy.local import kafka, postgres
from tests.unit.deploy.docker.composed import SERVICES, environment, volumes

# Where the servers are, which differs; and what is of use to our own tests alone.
KAFKA_ELSEWHERE = {"listeners", "advertised.listeners", "controller.quorum.voters", "group.min.session.timeout.ms"}
POSTGRES_ELSEWHERE = {"listen_addresses", "unix_socket_directories"}


def properties() -> dict[str, str]:
    """The broker's, as the official image makes them out of its environment."""
    given = {name.removeprefix("KAFKA_"): str(value) for name, value in environment("kafka").items()}
    del given["HEAP_OPTS"]
    return {name.lower().replace("_", "."): value for name, value in given.items()}


def test_kafka_s_properties() -> None:
    [data] = [target for source, target, _ in volumes("kafka") if source == "kafka-data"]
    embedded = {name: str(value) for name, value in kafka.settings(PurePath(data), 9092, 9093).items()}
    ours = properties()
    assert {n: v for n, v in ours.items() if n not in KAFKA_ELSEWHERE} == {
        n: v for n, v in embedded.items() if n not in KAFKA_ELSEWHERE
    }
    assert KAFKA_ELSEWHERE & ours.keys() == KAFKA_ELSEWHERE - {"group.min.session.timeout.ms"}


def test_kafka_answers_under_the_name_that_its_clients_have() -> None:
    address = environment("ingestion")["KAFKA_BOOTSTRAP_SERVERS"]
    assert properties()["advertised.listeners"] == f"PLAINTEXT://{address}"
    assert properties()["listeners"].startswith(f"PLAINTEXT://:{address.partition(':')[2]},")


def test_kafka_s_memory() -> None:
    assert environment("kafka")["KAFKA_HEAP_OPTS"].split() == [flag for flag in kafka.HEAP if flag.startswith("-Xm")]


def test_postgres_settings() -> None:
    program, *flags = SERVICES["postgres"]["command"]
    given = dict(flag.removeprefix("-c").split("=", 1) for flag in flags)
    assert program == "postgres"
    assert given == {name: value for name, value in postgres.SETTINGS.items() if name not in POSTGRES_ELSEWHERE}


def test_postgres_is_made_alike() -> None:
    assert tuple(environment("postgres")["POSTGRES_INITDB_ARGS"].split()) == postgres.INITDB
    assert environment("postgres")["POSTGRES_USER"] == postgres.OWNER
    assert environment("postgres")["POSTGRES_DB"] == postgres.DATABASE
    assert environment("postgres")["LANG"] == postgres.ENVIRONMENT["LANG"]
