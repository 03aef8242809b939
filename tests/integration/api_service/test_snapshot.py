"""An answer is of one moment: what a transaction wrote is in it as a whole or not at all."""

import threading
from collections.abc import Callable

import httpx

from tests.integration.api_service.warehouse import MICROS, Warehouse, at
from tests.servers import Database

Serve = Callable[..., httpx.Client]

HOUR = at("2025-05-01T00:00:00")
TAIL = HOUR + 3_600 * MICROS


def test_stored_statistics_and_raw_events_are_of_one_moment(
    warehouse: Warehouse, serve: Serve, database: Database
) -> None:
    warehouse.add([("a", HOUR, {"m": 1.0}), ("a", TAIL, {"m": 1.0})])
    warehouse.store(TAIL)
    client, stop = serve(), threading.Event()

    def write() -> None:
        """Transactions that each change a stored bucket and add a reading to the live tail."""
        with database.connect() as connection:
            number = 0
            while not stop.is_set():
                number += 1
                with connection.transaction():
                    connection.execute("UPDATE stats SET late = late + 1")
                    connection.execute(
                        "INSERT INTO events SELECT device, ts + %s * interval '1 ms', layout, values FROM events "
                        "WHERE ts = to_timestamp(%s)",
                        [number, TAIL // MICROS],
                    )

    writer = threading.Thread(target=write)
    writer.start()
    asked: dict[str, str | int] = {"from": HOUR // MICROS, "to": TAIL // MICROS + 3_600, "bucket": "none"}
    try:
        rows = [client.get("/stats", params=asked).json()["rows"][0] for _ in range(150)]
    finally:
        stop.set()
        writer.join()
    counts = [row["count"] for row in rows]
    assert counts == sorted(counts)
    assert len(set(counts)) > 20
    assert all(row["count"] == row["late"] + 2 for row in rows)
