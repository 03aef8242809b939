"""Topics that are made again, and logs that begin anew."""

from confluent_kafka.admin import NewTopic  # type: ignore[attr-defined]

from ops import broker
from shared import kafka
from tests.pipeline import wait_for
from tests.servers import Database, Topics


def recreate(topics: Topics, partitions: int) -> None:
    """Deletes the readings topic and makes it again."""
    name, admin = topics.settings.topic_readings, kafka.admin(topics.settings)
    admin.delete_topics([name], operation_timeout=10)[name].result()
    wait_for(lambda: name not in admin.list_topics(timeout=10).topics, "topic deleted")
    admin.create_topics([NewTopic(name, num_partitions=partitions, replication_factor=1)])[name].result()
    # The broker confirms a topic before its own metadata shows it.
    wait_for(lambda: name in admin.list_topics(timeout=10).topics, "topic made again")


def truncate(topics: Topics, database: Database, partitions: int) -> None:
    """Empties the log as the database sees it: another topic, under the id that is stored of the old one."""
    recreate(topics, partitions)
    name = topics.settings.topic_readings
    with broker.connect(database.environment() | topics.environment()) as connected:
        topic_id = connected.held([name])[name].topic_id
    with database.connect() as connection:
        for table in ("kafka_offsets", "dead_letters", "outbox"):
            connection.execute(f"UPDATE {table} SET topic_id = %s".encode(), [topic_id])  # noqa: S608  three constants
