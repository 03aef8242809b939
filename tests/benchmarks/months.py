"""What the questions are about: a fleet's last 25 hours and, before them, months; and what they have to answer.

An event every some seconds of each device lately, and 2,100 of them on each older day: more than a summary keeps all
of. Of the older days the aggregator computes those of some devices; their rows are copied for the others.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import psycopg

from shared.errors import PlumblineError
from tests.benchmarks.asking import body
from tests.benchmarks.fleet import DEVICES, Stretch
from tests.benchmarks.load import DAY_S

HOUR_S = 3_600
MODELS = range(1, 11)  # whose older days are computed
_DAY_EVENTS = 2_100
_AHEAD_S = 1_200  # events that happen while we ask are there already: ingestion that costs nothing
_CUT_DAYS = 2  # the oldest ones, which a question's range may cut: there it needs the finer levels


@dataclass(frozen=True)
class Question:
    """What is asked of a device's metric.

    `counts`: what buckets that the range doesn't cut have to count, by their start (epoch s); `growing`: at least.
    """

    name: str
    parameters: str
    counts: dict[int, int]
    growing: bool = False

    def target(self, device_id: str, metric: str) -> str:
        """The request's."""
        return f"/stats?device_id={device_id}&metric={metric}&{self.parameters}"

    def check(self, answer: bytes) -> None:
        """Raises PlumblineError if the answer is wrong."""
        found = json.loads(body(answer))
        since = _seconds(found["from"])
        counts = {_seconds(row["start"]): row["count"] for row in found["rows"]}
        for start, expected in self.counts.items():
            count = counts.get(start, 0)
            if start >= since and not (count == expected or (self.growing and count > expected)):
                raise PlumblineError(
                    f"the benchmark's answer is wrong: {self.name}: {count} at {start}, not {expected}"
                )


def _seconds(time: str) -> float:
    """Epoch seconds of an answer's time."""
    return datetime.fromisoformat(time).timestamp()


def questions(now: int, days: int, step_s: int) -> tuple[Question, Question, Question]:
    """The last day by hour up to now, the same of whole hours, the last months by day; asked soon."""
    hour, day = now - now % HOUR_S, now - now % DAY_S
    hours = {hour - n * HOUR_S: HOUR_S // step_s for n in range(24, 0, -1)}
    uncut = {start: count for start, count in hours.items() if start > hour - DAY_S}
    whole_days = {day - n * DAY_S: _DAY_EVENTS for n in range(3, days)}
    return (
        Question("24 h by hour", "from=-24h&bucket=1h", uncut),
        Question("24 h by hour, closed", f"from={hour - DAY_S}&to={hour}&bucket=1h", hours),
        Question(f"{days} days by day", f"from=-{days}d&bucket=1d", whole_days),
    )


def recent(now: int, devices: range, step_s: int) -> Stretch:
    """The last 25 hours, and what comes while we ask."""
    start = now - now % HOUR_S - 25 * HOUR_S
    return Stretch(start, (now + _AHEAD_S - start) // step_s, step_s, devices)


def older(now: int, days: int) -> list[Stretch]:
    """Half an hour at noon of each earlier day, oldest first."""
    today = now // DAY_S
    return [Stretch((today - n) * DAY_S + DAY_S // 2, _DAY_EVENTS, 1, MODELS) for n in range(days, 2, -1)]


def copy_older(connection: psycopg.Connection, stretches: Sequence[Stretch]) -> None:
    """Gives every device the older rows of one of MODELS."""
    columns = "SELECT attname FROM pg_attribute WHERE attrelid = 'stats'::regclass AND attnum > 0 AND NOT attisdropped"
    names = [name for (name,) in connection.execute(columns)]
    values = [f"device + n * {len(MODELS)}" if name == "device" else name for name in names]
    connection.execute(
        f"""
        INSERT INTO stats ({", ".join(names)})
        SELECT {", ".join(values)} FROM stats CROSS JOIN generate_series(1, {DEVICES // len(MODELS) - 1}) AS n
        WHERE device < {MODELS.stop} AND bucket <= to_timestamp({stretches[-1].start_s})
            AND (level = {DAY_S} OR bucket < to_timestamp({stretches[min(_CUT_DAYS, len(stretches)) - 1].start_s}))
        """.encode()  # noqa: S608  made of constants
    )
    connection.execute("VACUUM ANALYZE stats")


def forget(connection: psycopg.Connection) -> None:
    """The next run stores everything anew."""
    connection.execute("TRUNCATE stats, dirty, fleet_stats, fleet_stale, fleet_until")
    connection.execute("UPDATE materialized SET until = '-infinity'")
