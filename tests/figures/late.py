"""A device's day with an hour missing, the same when that hour has come late, and once it is stored."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.aggregated import DAY_S, Event, put_now, rows, scheduler
from tests.answering import answering, api_settings
from tests.figures.style import BLUE, FAINT, GREEN, INK, RED, drawing
from tests.servers import Database

DAY = 1_757_376_000  # 2025-09-09T00:00Z
MISSING = range(14 * 3_600, 15 * 3_600)
DEVICE, METRIC = "dev-2", "temperature"
STEP_S = 20


@dataclass(frozen=True)
class Look:
    """An answer's rows by hour, and what stood in the late log and the table of stored buckets for the hour."""

    rows: list[dict[str, Any]]
    logged: int
    stored: int


def events(seconds: range) -> list[Event]:
    """A temperature that follows the day, with some noise that is the same each time."""
    noise = np.random.default_rng(9).normal(0, 0.25, DAY_S)
    return [
        (DEVICE, DAY + second, {METRIC: round(float(21 - 4 * np.cos(2 * np.pi * second / DAY_S) + noise[second]), 2)})
        for second in seconds
    ]


def measure(database: Database, folder: Path) -> list[Look]:
    """The three states, on a real Postgres, as the API tells them."""
    day = [event for event in events(range(0, DAY_S, STEP_S)) if round(event[1]) - DAY not in MISSING]
    put_now(database, day)
    _aggregate(database)
    with answering(api_settings(database, folder)) as client:
        looks = [_look(database, client)]
        put_now(database, events(range(MISSING.start, MISSING.stop, STEP_S)))
        looks.append(_look(database, client))
        _aggregate(database)
        looks.append(_look(database, client))
    return looks


def _aggregate(database: Database) -> None:
    """A run that closes the day, and no more."""
    with database.connect() as connection:
        connection.execute(
            "INSERT INTO device_layouts SELECT DISTINCT device, layout FROM events ON CONFLICT DO NOTHING"
        )
    runner, _ = scheduler(database)
    delay = time.time() - (DAY + DAY_S)
    runner._settings = runner._settings.model_copy(update={"aggregation_delay_seconds": delay})
    try:
        assert runner.run_once(threading.Event())
    finally:
        runner.close()


def _look(database: Database, client: Any) -> Look:
    asked: Mapping[str, Any] = {
        "device_id": DEVICE, "metric": METRIC, "from": DAY, "to": DAY + DAY_S, "bucket": "1h", "percentiles": "50",
    }  # fmt: skip
    answer = client.get("/stats", params=asked)
    assert answer.status_code == 200, answer.text
    [(logged, stored)] = rows(
        database,
        "SELECT (SELECT coalesce(sum(events), 0)::int8 FROM dirty), (SELECT count(*) FROM stats WHERE level = 3600)",
    )
    return Look(answer.json()["rows"], logged, stored)


def draw(looks: list[Look], path: Path) -> None:
    """Three panels beside each other."""
    titles = ("14:00 to 15:00 is missing", "it has come late: computed on the fly", "the next run has stored it")
    with drawing(path, 9.8, 3.7, 1, 3, sharey=True) as axes:
        for axis, look, title in zip(axes[0], looks, titles, strict=True):
            band = {int(row["start"][11:13]): row for row in look.rows}
            middle = np.arange(24) + 0.5
            low, high, avg = (
                np.array([band[hour][name] if hour in band else np.nan for hour in range(24)])
                for name in ("min", "max", "avg")
            )
            axis.fill_between(middle, low, high, color=BLUE, alpha=0.2, lw=0, label="min to max")
            axis.plot(middle, avg, "o-", color=BLUE, ms=3, lw=1.3, label="avg")
            _mark(axis, band.get(MISSING.start // 3_600), look)
            axis.set_title(title, loc="left")
            axis.set_xlabel("hour of the day (UTC)")
            axis.set_xticks(range(0, 25, 6))
        axes[0][0].set_ylabel("temperature (°C)")
        axes[0][0].legend(loc="upper left")


def _mark(axis: Any, row: Mapping[str, Any] | None, look: Look) -> None:
    """What the answer says of the hour."""
    colour = FAINT if row is None else GREEN if row["final"] else RED
    axis.axvspan(14, 15, color=colour, alpha=0.18, lw=0)
    told = "no row" if row is None else f"count {row['count']}, late {row['late']}\nfinal: {str(row['final']).lower()}"
    told += f"\n{look.logged} events in the late log\n{look.stored} hours stored"
    behind = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 2}
    axis.annotate(told, (12, 16.6), ha="center", va="bottom", color=colour if row else INK, fontsize=8.5, bbox=behind)
