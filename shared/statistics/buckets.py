"""Buckets of wall-clock time: their names, and their edges in a time zone."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo

import numpy as np
import numpy.typing as npt

_NAME = re.compile(r"([1-9][0-9]{0,4})([mhdw])")
_SECONDS = {"m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DAY = 86_400
_WEEK_DAYS = 7
_ALLOWED = "minutes or hours that divide a day (1m, 15m, 1h, 6h, …), 1d, 1w or none"


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket's nominal width; 0 seconds: one bucket for the whole range."""

    name: str
    seconds: int


def parse_bucket(text: str) -> Bucket:
    """The bucket of a name such as 15m, 1h, 1d, 1w or none.

    Raises:
        ValueError: it isn't one, in words for the user.
    """
    if text == "none":
        return Bucket(text, 0)
    match = _NAME.fullmatch(text)
    if match is None:
        raise ValueError(f"a bucket is {_ALLOWED}")
    seconds = int(match[1]) * _SECONDS[match[2]]
    whole = match[1] == "1" if match[2] in "dw" else _DAY % seconds == 0
    if not whole:
        raise ValueError(f"a bucket of {text} doesn't divide a day: it is {_ALLOWED}")
    return Bucket(text, seconds)


def bucket_name(width_s: int) -> str:
    """A bucket's width as users write it: 1m, 15m, 1h, 1d."""
    for unit, seconds in (("d", 86_400), ("h", 3_600)):
        if width_s % seconds == 0:
            return f"{width_s // seconds}{unit}"
    return f"{width_s // 60}m"


def edges(start: np.datetime64, end: np.datetime64, bucket: Bucket, tz: tzinfo = UTC) -> npt.NDArray[np.datetime64]:
    """The starts of the buckets that meet [start, end) and the last one's end: datetime64[us] (m + 1), UTC, increasing.

    A bucket begins when the zone's wall clock shows a multiple of its width from midnight, a week on Monday. So a day
    with a change of the clocks has 23 or 25 buckets of an hour, and one bucket of 6h that lasts 5 or 7 hours.
    `bucket` none: the range itself. Empty where start ≥ end.
    """
    low, high = start.astype("datetime64[us]"), end.astype("datetime64[us]")
    if low >= high:
        return np.empty(0, "datetime64[us]")
    if bucket.seconds == 0:
        return np.array([low, high])
    step = max(1, bucket.seconds // _DAY)
    first, last = _local_date(low, tz), _local_date(high, tz)
    if step == _WEEK_DAYS:
        first -= timedelta(days=first.weekday())
    days = [first + timedelta(days=n) for n in range(0, (last - first).days + 2 * step, step)]
    midnights = np.array([_midnight(day, tz) for day in days], np.int64)
    seconds = midnights if bucket.seconds >= _DAY else _within_days(midnights, bucket.seconds, tz)
    micros: npt.NDArray[np.datetime64] = (np.unique(seconds) * 1_000_000).view("datetime64[us]")
    begin = int(np.searchsorted(micros, low, side="right")) - 1
    finish = int(np.searchsorted(micros, high, side="left"))
    return micros[begin : finish + 1]


def _local_date(instant: np.datetime64, tz: tzinfo) -> date:
    return datetime.fromtimestamp(int(instant.astype(np.int64)) // 1_000_000, tz).date()


def _midnight(day: date, tz: tzinfo) -> int:
    """Epoch seconds of a day's first instant, also where the clocks skip midnight."""
    return int(datetime(day.year, day.month, day.day, tzinfo=tz).timestamp())


def _within_days(midnights: npt.NDArray[np.int64], width: int, tz: tzinfo) -> npt.NDArray[np.int64]:
    """The edges of buckets shorter than a day, in epoch seconds, and the last midnight."""
    length = np.diff(midnights)
    plain = midnights[:-1][length == _DAY][:, None] + np.arange(0, _DAY, width)
    changed = [
        _day_with_change(int(midnights[n]), int(midnights[n + 1]), width, tz) for n in np.flatnonzero(length != _DAY)
    ]
    return np.concatenate([plain.ravel(), *changed, midnights[-1:]])


def _day_with_change(midnight: int, next_midnight: int, width: int, tz: tzinfo) -> npt.NDArray[np.int64]:
    """The edges of a day on which the clocks change once."""
    change = _change(midnight, next_midnight, tz)
    before, after = _offset(midnight, tz), _offset(next_midnight - 1, tz)
    pieces = [_wall_multiples(midnight, change, before, width), _wall_multiples(change, next_midnight, after, width)]
    if (change - 1 + before) // width < (change + after) // width:
        pieces.append(np.array([change]))  # the clocks jump into a later bucket
    return np.concatenate([np.array([midnight]), *pieces])


def _wall_multiples(start: int, end: int, offset: int, width: int) -> npt.NDArray[np.int64]:
    """The instants in [start, end) at which a clock that is `offset` ahead of UTC shows a multiple of `width`.

    A multiple of `width` from 1970's midnight is one from any midnight, as `width` divides a day.
    """
    first = start + (-(start + offset)) % width
    return np.arange(first, end, width, dtype=np.int64)


def _change(low: int, high: int, tz: tzinfo) -> int:
    """The first second of [low, high) that has the offset of its end."""
    last = _offset(high - 1, tz)
    while low < high:
        middle = (low + high) // 2
        if _offset(middle, tz) == last:
            high = middle
        else:
            low = middle + 1
    return low


def _offset(second: int, tz: tzinfo) -> int:
    offset = datetime.fromtimestamp(second, tz).utcoffset()
    return int(offset.total_seconds()) if offset is not None else 0
