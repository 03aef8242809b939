"""The aggregation service's settings."""

from itertools import pairwise
from typing import Annotated

from pydantic import AfterValidator, Field

from shared.settings import DatabaseSettings, ServiceSettings, fix
from shared.statistics.buckets import parse_bucket


def parse_levels(text: str) -> tuple[int, ...]:
    """Widths in seconds of levels such as "1m,1h,1d".

    Raises:
        ValueError: they aren't buckets of at most a day, each a part of the next.
    """
    widths = [parse_bucket(name.strip()).seconds for name in text.split(",")]
    if not all(0 < width <= 86_400 for width in widths):
        raise ValueError("a level lasts a day at most")
    for width, longer in pairwise(widths):
        if width >= longer or longer % width:
            raise ValueError("levels go from short to long, each a whole number of times in the next")
    return tuple(widths)


def _levels(text: str) -> str:
    parse_levels(text)
    return text


class AggregationSettings(DatabaseSettings, ServiceSettings):
    """Database, levels, and when and how much at a time."""

    aggregation_levels: Annotated[str, AfterValidator(_levels)] = Field(
        "1m,1h,1d",
        description="widths of stored buckets, short to long; once stored a level is kept up",
        json_schema_extra=fix("give minutes, hours or 1d that divide each other, such as 1m,15m,1h,1d"),
    )
    aggregation_interval_seconds: float = Field(10, ge=0.1, le=3_600, description="time between the starts of runs")
    aggregation_delay_seconds: float = Field(
        10, ge=0, le=86_400, description="how far the watermark stays behind the clock; later data is late"
    )
    aggregation_workers: int = Field(
        2, ge=1, le=32, description="threads that share the work by devices, each with a connection of its own"
    )
    aggregation_chunk_readings: int = Field(
        1_000_000, ge=1_000, le=100_000_000, description="readings that a worker has in memory at a time, roughly"
    )
    startup_timeout_seconds: float = Field(30, ge=1, le=600, description="how long to wait for Postgres")

    def levels(self) -> tuple[int, ...]:
        """Widths in seconds, short to long."""
        return parse_levels(self.aggregation_levels)
