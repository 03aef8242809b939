"""What a question reads is what it asks for, also of partitions that the planner has no figures of."""

from collections.abc import Callable

import httpx

from tests.integration.api_service.warehouse import MICROS, Warehouse, at
from tests.pipeline import wait_for

MINUTE = 60 * MICROS
START = at("2025-05-01T00:00:00")

READ = """
SELECT coalesce(sum(idx_tup_fetch + seq_tup_read), 0)::int8 FROM pg_stat_user_tables
WHERE relname LIKE 'stats_60_%' OR relname LIKE 'events_2%'
"""


def test_far_ends_of_a_range_are_read_alone(warehouse: Warehouse, serve: Callable[..., httpx.Client]) -> None:
    warehouse.add(
        [(f"dev-{device}", START + minute * MINUTE, {"m": 1.0}) for device in range(8) for minute in range(2_880)]
    )
    warehouse.store(START + 2_880 * MINUTE, analyze=False)
    [before] = warehouse.connection.execute(READ).fetchall()[0]
    client = serve()
    asked = {"from": "2025-05-01T00:30:30Z", "to": "2025-05-02T23:30:30Z", "bucket": "1h"}
    rows = client.get("/stats", params={**asked, "device_id": [f"dev-{device}" for device in range(8)]}).json()["rows"]
    assert sum(row["count"] for row in rows) == 8 * 47 * 60

    def fetched() -> int:
        [now] = warehouse.connection.execute(READ).fetchall()[0]
        return int(now - before)

    # Of each device 29 minutes at one end, 30 at the other, and an event where a minute is cut.
    wait_for(lambda: fetched() >= 8 * 59, "the server has told what it read")
    assert fetched() <= 8 * 70
