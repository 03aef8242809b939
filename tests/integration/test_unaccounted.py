"""The accounting identity as a metric: told by the row that a commit has just moved."""

import urllib.request

from tests.faults.readiness import free_port
from tests.pipeline import caught_up, event, ingestion, produce, running, wait_for
from tests.servers import Database, Topics


def unaccounted(port: int) -> list[float]:
    """The metric's values, one a partition that was written to."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    return [float(line.split()[1]) for line in lines if line.startswith("ingestion_unaccounted_offsets{")]


def test_a_row_whose_counters_do_not_add_up_is_told(topics: Topics, database: Database) -> None:
    port = free_port()
    keys: list[bytes | None] = [f"d{i % 9}".encode() for i in range(90)]
    with running("ingestion_service", ingestion(topics, database, METRICS_PORT=port)):
        for round_, expected in ((0, 0.0), (1, -5.0)):
            produce(topics, [event(f"d{i % 9}", 100 * round_ + i, m=i) for i in range(90)], keys)
            wait_for(lambda: caught_up(topics, database), "caught up")
            wait_for(lambda value=expected: unaccounted(port) == [value] * 2, "told")  # type: ignore[misc]
            with database.connect() as connection:
                connection.execute("UPDATE kafka_offsets SET gap_total = gap_total + 5")
