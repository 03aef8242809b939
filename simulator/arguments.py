"""What the command line's words mean; a ValueError says what is wrong and how to write it."""

import argparse
import re
import zoneinfo
from collections.abc import Callable
from typing import TypeVar

from shared.events.strict import METRIC_NAME

T = TypeVar("T")

_SIZE = re.compile(r"(\d+)(|KB|MB|GB|KiB|MiB|GiB)")
_BYTES = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


def typed(convert: Callable[[str], T]) -> Callable[[str], T]:
    """Lets argparse show the message of a ValueError."""

    def converted(text: str) -> T:
        try:
            return convert(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return converted


def metric(text: str) -> tuple[str, str]:
    """COLUMN or COLUMN=NAME."""
    column, _, name = text.rpartition("=") if "=" in text else (text, "", text)
    if not METRIC_NAME.fullmatch(name):
        raise ValueError(f"{name!r} can't be a metric's name → 1 to 64 of A-Z a-z 0-9 _ . : / - after COLUMN=")
    return column, name


def zone(text: str) -> str:
    """A name of the IANA time zone database."""
    if text not in zoneinfo.available_timezones():
        raise ValueError(f"{text!r} is not a time zone → write Europe/Berlin or UTC")
    return text


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a number") from None


def positive(text: str) -> int:
    """A number of devices."""
    if not text.isdecimal() or not 0 < int(text) <= 1_000_000:
        raise ValueError(f"{text!r} is not a whole number from 1 to 1000000")
    return int(text)


def prefix(text: str) -> str:
    """The beginning of device ids; no character that JSON would escape."""
    if not re.fullmatch(r"[A-Za-z0-9_.:/-]{0,64}", text):
        raise ValueError(f"{text!r} can't begin device ids → up to 64 of A-Z a-z 0-9 _ . : / -")
    return text


def size(text: str) -> int:
    """Bytes."""
    found = _SIZE.fullmatch(text)
    if found is None or int(found[1]) == 0:
        raise ValueError(f"{text!r} is not a size → write 256MB or 1GiB")
    return int(found[1]) * _BYTES[found[2]]


def seed(text: str) -> int:
    """A seed."""
    if not text.isdecimal():
        raise ValueError(f"{text!r} is not a whole number ≥ 0")
    return int(text)


def rate(text: str) -> float:
    """Events a second."""
    rate = _number(text)
    if not 0 < rate < 1e9:
        raise ValueError(f"{text!r} is not a rate above 0")
    return rate


def share(text: str) -> float:
    """A share of all events."""
    share = _number(text)
    if not 0 <= share <= 1:
        raise ValueError(f"{text!r} is not a share from 0 to 1")
    return share


def speed(text: str) -> float:
    """0 and `max` mean as fast as it goes: infinite."""
    speed = float("inf") if text in {"max", "0"} else _number(text)
    if not speed > 0:
        raise ValueError(f"{text!r} is not a speed above 0 → 1, 60, max")
    return speed
