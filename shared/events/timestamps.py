"""Event times: RFC 3339 text or epoch numbers → microseconds since 1970 (UTC), further digits truncated."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import cast

import numpy as np
import numpy.typing as npt

_RFC3339 = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d+))?(?:[Zz]|([+-])([01]\d|2[0-3]):([0-5]\d))", re.ASCII
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_MILLISECONDS_FROM = 10**11  # an epoch number from here on is in milliseconds

BAD = np.iinfo(np.int64).min  # marks what is no timestamp in an array of microseconds
_TOO_EARLY, _TOO_LATE = -(10**12), 10**15  # what 64 bits of microseconds can't hold lies beyond
_FAR = 2**62  # stands for it, beyond every limit in the future or the past


def parse_text(text: str) -> int | None:
    """Microseconds of an RFC 3339 time with an offset; None for everything else (leap seconds, 24:00, year 0 too)."""
    match = _RFC3339.fullmatch(text)
    if match is None:
        return None
    date, clock, fraction, sign, hours, minutes = match.groups()
    offset = timedelta(hours=int(hours), minutes=int(minutes)) if sign else timedelta()
    try:
        local = datetime.fromisoformat(f"{date}T{clock}").replace(tzinfo=UTC)
    except ValueError:
        return None
    micros = (local - _EPOCH) // _MICROSECOND + int((fraction or "0")[:6].ljust(6, "0"))
    return micros + (offset // _MICROSECOND) * (1 if sign == "-" else -1)


def parse_number(number: int | Decimal) -> int:
    """Microseconds of epoch seconds, or of milliseconds from 10¹¹ on."""
    if number >= _TOO_LATE:
        return _FAR
    if number <= _TOO_EARLY:
        return -_FAR
    scale = 1_000 if number >= _MILLISECONDS_FROM else 1_000_000
    return int(number * scale // 1)


def parse_times(times: Sequence[str | int | Decimal]) -> npt.NDArray[np.int64]:
    """Microseconds of each: `parse_text` of a text, BAD where it gives None, and `parse_number` of a number."""
    kinds = set(map(type, times))
    if kinds == {str}:
        return parse_texts(cast("Sequence[str]", times))
    if str not in kinds:
        return _parse_numbers(cast("Sequence[int | Decimal]", times))
    is_text = np.array([isinstance(time, str) for time in times])
    result = np.empty(len(times), np.int64)
    result[is_text] = parse_texts([time for time in times if isinstance(time, str)])
    result[~is_text] = _parse_numbers([time for time in times if not isinstance(time, str)])
    return result


def _parse_numbers(numbers: Sequence[int | Decimal]) -> npt.NDArray[np.int64]:
    if set(map(type, numbers)) == {int} and min(numbers) > _TOO_EARLY and max(numbers) < _TOO_LATE:
        epochs = np.array(numbers, np.int64)
        return epochs * np.where(epochs >= _MILLISECONDS_FROM, 1_000, 1_000_000)
    return np.array(list(map(parse_number, numbers)), np.int64)


def parse_texts(texts: Sequence[str]) -> npt.NDArray[np.int64]:
    """`parse_text` of each, BAD where it gives None; texts of one length are read at once, digit by digit."""
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    result = np.full(len(texts), BAD, np.int64)
    for length in np.unique(lengths).tolist():
        chosen = np.flatnonzero(lengths == length)
        same = texts if len(chosen) == len(texts) else [texts[i] for i in chosen.tolist()]
        result[chosen] = _parse_same_length(same, length)
    for i in np.flatnonzero(result == BAD).tolist():
        micros = parse_text(texts[i])
        if micros is not None:
            result[i] = micros
    return result


_SECONDS = len("2025-09-09T17:00:00")
# Where the digits of each number stand, and the separators around them.
_NUMBERS = ((0, 4), (5, 7), (8, 10), (11, 13), (14, 16), (17, 19))
_SEPARATORS = ((4, b"-"), (7, b"-"), (10, b"Tt"), (13, b":"), (16, b":"))


def _parse_same_length(texts: Sequence[str], length: int) -> npt.NDArray[np.int64]:
    """Times of the form 2025-09-09T17:00:00[.digits]Z; BAD where a text has another form, to be looked at alone."""
    bad = np.full(len(texts), BAD, np.int64)
    if length <= _SECONDS or length == _SECONDS + 2:
        return bad
    try:
        data = "".join(texts).encode("ascii")
    except UnicodeEncodeError:
        return bad
    # A row a character: what follows works on whole rows, which lie together in memory.
    chars = np.ascontiguousarray(np.frombuffer(data, np.uint8).reshape(len(texts), length).T)
    good = _any_of(chars[-1], b"Zz")
    for at, separators in _SEPARATORS:
        good &= _any_of(chars[at], separators)
    spans = [*_NUMBERS]
    if length > _SECONDS + 1:
        good &= chars[_SECONDS] == ord(".")
        spans.append((_SECONDS + 1, length - 1))
    digits = chars - np.uint8(ord("0"))
    for start, stop in spans:
        good &= digits[start:stop].max(axis=0) <= 9
    year, month, day, hour, minute, second = (_number(digits, *span) for span in _NUMBERS)
    good &= (year >= 1) & (month >= 1) & (month <= 12) & (day >= 1) & (hour <= 23) & (minute <= 59) & (second <= 59)
    months = np.where(good, (year - 1970) * 12 + month - 1, 0).astype("datetime64[M]")
    days = months.astype("datetime64[D]").view(np.int64)
    good &= day <= (months + np.timedelta64(1, "M")).astype("datetime64[D]").view(np.int64) - days
    seconds = (days + day - 1) * 86_400 + (hour * 3_600 + minute * 60 + second)
    micros = seconds * 1_000_000 + _fraction(digits, length)
    return np.where(good, micros, BAD)


def _any_of(chars: npt.NDArray[np.uint8], wanted: bytes) -> npt.NDArray[np.bool_]:
    hit = np.zeros(chars.shape, np.bool_)
    for other in wanted:
        hit |= chars == other
    return hit


def _number(digits: npt.NDArray[np.uint8], start: int, stop: int) -> npt.NDArray[np.int32]:
    value: npt.NDArray[np.int32] = digits[start].astype(np.int32)
    for row in digits[start + 1 : stop]:
        value *= 10
        value += row
    return value


def _fraction(digits: npt.NDArray[np.uint8], length: int) -> npt.NDArray[np.int32]:
    if length == _SECONDS + 1:
        return np.zeros(digits.shape[1], np.int32)
    start, stop = _SECONDS + 1, min(length - 1, _SECONDS + 7)
    return _number(digits, start, stop) * np.int32(10 ** (6 - (stop - start)))
