"""What the fixtures of conftest.py hand to a test: a database of its own, topics of its own."""

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg import sql

from deploy.local.environment import ROLES, conninfo
from shared import kafka, migrations, topics
from shared.settings import TopicSettings

TEMPLATE = "plumbline_template"
# A test's data needn't outlive the machine, and it is little.
POSTGRES = {"fsync": "off", "full_page_writes": "off", "max_wal_size": "256MB"}


@dataclass(frozen=True)
class Database:
    """A migrated database that nobody else uses. `conninfo` is the owner's, a superuser's."""

    name: str
    conninfo: str
    _stack: Mapping[str, str]

    def environment(self, service: str | None = None) -> dict[str, str]:
        """The DB_ variables of the owner, or of a role: ingestion, aggregation, api, readonly."""
        owner = {name: value for name, value in self._stack.items() if name.startswith("DB_")}
        role = ROLES[service] if service else None
        own = {"DB_USER": role, "DB_PASSWORD": self._stack[f"{role.upper()}_PASSWORD"]} if role else {}
        return {**owner, **own, "DB_NAME": self.name}

    def connect(self, *, autocommit: bool = True) -> psycopg.Connection:
        """A connection as the owner."""
        return psycopg.connect(self.conninfo, autocommit=autocommit)


@dataclass(frozen=True)
class Topics:
    """The pipeline's topics under names that nobody else uses."""

    settings: TopicSettings

    def environment(self) -> dict[str, str]:
        """The variables that point a service at these topics and their broker."""
        names = ("kafka_bootstrap_servers", "topic_readings", "topic_dead_letters", "topic_acks_prefix")
        own = {name.upper(): str(getattr(self.settings, name)) for name in names}
        return {**own, "TOPIC_PARTITIONS": str(self.settings.topic_partitions)}


def make_template(stack: Mapping[str, str]) -> None:
    """The database that each test's is cloned from."""
    with psycopg.connect(conninfo(stack), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {TEMPLATE}")
    migrations.migrate(conninfo({**stack, "DB_NAME": TEMPLATE}), {})


@contextmanager
def database(stack: Mapping[str, str]) -> Iterator[Database]:
    """A clone of the template, dropped afterwards whoever is still connected."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    identifier = sql.Identifier(name)
    with psycopg.connect(conninfo(stack), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(identifier, sql.Identifier(TEMPLATE)))
    yield Database(name, conninfo({**stack, "DB_NAME": name}), stack)
    with psycopg.connect(conninfo(stack), autocommit=True) as connection:  # the server may be another one by now
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(identifier))


@contextmanager
def fresh_topics(stack: Mapping[str, str], partitions: int) -> Iterator[Topics]:
    """New topics with so many partitions each, deleted afterwards."""
    prefix = f"test-{uuid.uuid4().hex[:12]}"
    settings = TopicSettings.model_validate(
        {
            "kafka_bootstrap_servers": stack["KAFKA_BOOTSTRAP_SERVERS"],
            "topic_readings": f"{prefix}.readings",
            "topic_dead_letters": f"{prefix}.dead-letters",
            "topic_acks_prefix": f"{prefix}.acks",
            "topic_partitions": partitions,
        }
    )
    created = topics.ensure(settings)
    admin = kafka.admin(settings)
    yield Topics(settings)
    for deleted in admin.delete_topics(created, operation_timeout=10).values():
        deleted.exception()
