"""Live figures of a stack that runs: how fast, how far behind, how exact."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ops import api, broker, store
from ops.broker import Broker
from shared.errors import PlumblineError


@dataclass(frozen=True)
class Figures:
    """One look. `at` is monotonic seconds; `lag` counts records; `statistics` is the last row of /stats."""

    at: float
    events: int
    duplicates: int
    dead_letters: int
    lag: int
    watermark: datetime | None
    materialized: datetime | None
    statistics: Mapping[str, Any] | None


def look(values: Mapping[str, str], kafka: Broker, token: str, series: Mapping[str, str]) -> Figures:
    """Ask the database, the broker and the API. `series`: the parameters that choose what of /stats is shown."""
    ends = kafka.watermarks(kafka.partitions())
    with store.snapshot(values) as connection:
        progress, read = store.progress(connection), store.offsets(connection)
    return Figures(
        at=time.monotonic(),
        events=progress["events"],
        duplicates=progress["duplicates"],
        dead_letters=progress["dead_letters"],
        lag=broker.lag(ends, read),
        watermark=progress["watermark"],
        materialized=progress["materialized"],
        statistics=last_statistics(values, token, series) if series else None,
    )


def last_statistics(values: Mapping[str, str], token: str, series: Mapping[str, str]) -> Mapping[str, Any] | None:
    """The newest minute of the series; None while it has none."""
    parameters = {**series, "from": "-5m", "bucket": "1m"}
    rows = api.get(values, token, "/stats", **parameters)["rows"]
    return rows[-1] if rows else None


def some_series(values: Mapping[str, str], token: str) -> dict[str, str]:
    """The /stats parameters of one device and one of its metrics.

    Raises:
        PlumblineError: there is no device with a metric yet.
    """
    for row in api.get(values, token, "/devices", limit="20")["rows"]:
        if row["metrics"]:
            return {"device_id": row["device_id"], "metric": row["metrics"][0]}
    raise PlumblineError("no device has sent a metric yet → python -m simulator --from -1h")


def rate(before: Figures, now: Figures) -> float:
    """Events a second between two looks."""
    return (now.events - before.events) / max(now.at - before.at, 0.001)


def lines(before: Figures, now: Figures, clock: datetime) -> dict[str, str]:
    """What is shown: a name and a value each."""
    behind = f"{(clock - now.watermark).total_seconds():.0f} s behind" if now.watermark else "none yet"
    return {
        "events/s": f"{rate(before, now):,.0f}",
        "events": f"{now.events:,}",
        "lag": f"{now.lag:,}",
        "watermark": behind,
        "duplicates": f"{now.duplicates:,}",
        "dead letters": f"{now.dead_letters:,}",
        "statistics": describe(now.statistics),
    }


def describe(row: Mapping[str, Any] | None) -> str:
    """A row of /stats in one line."""
    if row is None:
        return "none yet"
    numbers = " ".join(f"{name} {_short(row[name])}" for name in ("count", "min", "avg", "max", "p50", "p99"))
    return f"{row['device_id']} {row['metric']} {row['start']}: {numbers}"


def _short(number: float | None) -> str:
    return "-" if number is None else f"{number:.6g}"


def now() -> datetime:
    """The time here, in UTC."""
    return datetime.now(UTC)
