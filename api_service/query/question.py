"""What a /stats request asks: its parameters, judged and made exact."""

import re
from dataclasses import dataclass
from datetime import UTC
from decimal import Decimal
from functools import cached_property, lru_cache
from zoneinfo import ZoneInfo, available_timezones

import numpy as np

from api_service.problems import FieldError, invalid
from api_service.query import times
from api_service.query.parameters import MOST_NAMES, Parameters, between
from api_service.query.plan import Micros
from api_service.query.times import Time
from shared.statistics.buckets import Bucket, edges, parse_bucket

KNOWN = (
    *("device_id", "metric", "from", "to", "bucket", "percentiles", "tz", "group", "fill"),
    *("limit", "cursor"),
)
REPEATABLE = ("device_id", "metric")
MOST_PERCENTILES = 20

_DEFAULT_PERCENTILES = "50,90,95,99"
_PERCENTILE = re.compile(r"[0-9]{1,3}(\.[0-9]{1,6})?", re.ASCII)
# `auto` is the first of these of which the range has no more than so many.
_LADDER = ("1m", "2m", "5m", "10m", "15m", "30m", "1h", "2h", "3h", "6h", "12h", "1d")
_AUTO_BUCKETS = 300


@dataclass(frozen=True, slots=True)
class Question:
    """As asked: times may be relative yet, the bucket `auto`."""

    device_ids: tuple[str, ...]
    metrics: tuple[str, ...]
    start: Time | None
    end: Time
    bucket: Bucket | None
    percentiles: tuple[Decimal, ...]
    tz: str
    fleet: bool
    fill: bool
    limit: int


@dataclass(frozen=True)
class Span:
    """Absolute: [start, end) in microseconds, and the edges of its buckets."""

    start: int
    end: int
    bucket: Bucket
    edges: Micros

    @property
    def buckets(self) -> int:
        return max(0, len(self.edges) - 1)

    @cached_property
    def starts(self) -> list[int]:
        """Where its buckets begin."""
        starts: list[int] = self.edges[:-1].tolist()
        return starts

    def whole(self, until: int) -> tuple[int, int]:
        """The numbers of the buckets, first and behind the last, that it doesn't cut and that end by `until`."""
        low = int(np.searchsorted(self.edges, self.start, "left"))
        return low, max(low, int(np.searchsorted(self.edges, min(self.end, until), "right")) - 1)


@lru_cache(maxsize=8_192)
def read(pairs: tuple[tuple[str, str], ...], most_rows: int) -> Question:
    """The question that these parameters ask.

    Raises:
        Problem: 422, with every parameter that can't be used.
    """
    parameters = Parameters(pairs, KNOWN, REPEATABLE)
    question = Question(
        device_ids=parameters.devices("device_id", MOST_NAMES),
        metrics=parameters.metrics("metric", MOST_NAMES),
        start=parameters.time("from"),
        end=parameters.time("to") or Time(0, relative=True),
        bucket=_bucket(parameters),
        percentiles=_percentiles(parameters),
        tz=_zone(parameters),
        fleet=parameters.choice("group", ("device", "none")) == "none",
        fill=parameters.choice("fill", ("none", "null")) == "null",
        limit=parameters.limit(most_rows),
    )
    parameters.finish()
    return question


def resolve(question: Question, now: int, most_buckets: int) -> Span:
    """The question's range when it is `now`.

    Raises:
        Problem: 422, it ends before it starts or has too many buckets.
    """
    start, end = between(question.start, question.end, now)
    bucket = question.bucket or _auto(end - start)
    if bucket.seconds and (end - start) // (bucket.seconds * times.SECOND) >= most_buckets:
        raise invalid(
            FieldError(
                "bucket", f"from and to are more than {most_buckets} buckets apart: take a wider bucket or less time"
            )
        )
    zone = UTC if question.tz == "UTC" else ZoneInfo(question.tz)
    starts = edges(np.datetime64(start, "us"), np.datetime64(end, "us"), bucket, zone)
    return Span(start, end, bucket, starts.astype("datetime64[us]").view(np.int64))


def percentile_name(percentile: Decimal) -> str:
    """p50, p33.3: as asked, without superfluous zeros."""
    text = f"{percentile:f}"
    return "p" + (text.rstrip("0").rstrip(".") if "." in text else text)


def _bucket(parameters: Parameters) -> Bucket | None:
    text = parameters.one("bucket") or "auto"
    if text == "auto":
        return None
    try:
        return parse_bucket(text)
    except ValueError:
        parameters.fail("bucket", "it is minutes or hours that divide a day (1m, 15m, 1h, 6h), 1d, 1w, auto or none")
        return None


def _auto(span: int) -> Bucket:
    buckets = (parse_bucket(name) for name in _LADDER)
    return next((b for b in buckets if span <= _AUTO_BUCKETS * b.seconds * times.SECOND), parse_bucket("1w"))


def _percentiles(parameters: Parameters) -> tuple[Decimal, ...]:
    found = _parsed_percentiles(parameters.one("percentiles") or _DEFAULT_PERCENTILES)
    if found is None:
        parameters.fail(
            "percentiles", f"it is up to {MOST_PERCENTILES} numbers from 0 to 100, separated by commas: 50,95,99.9"
        )
    return found or ()


@lru_cache(maxsize=256)
def _parsed_percentiles(text: str) -> tuple[Decimal, ...] | None:
    texts = text.split(",")
    if len(texts) > MOST_PERCENTILES or not all(_PERCENTILE.fullmatch(one) and Decimal(one) <= 100 for one in texts):
        return None
    distinct = {Decimal(one).normalize(): Decimal(one) for one in texts}
    return tuple(distinct.values())


def _zone(parameters: Parameters) -> str:
    text = parameters.one("tz") or "UTC"
    if text not in _zones():
        parameters.fail("tz", "it is the name of a time zone, such as UTC or Europe/Berlin")
        return "UTC"
    return text


@lru_cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())
