"""Noise as a pure function of a key and a counter, over whole arrays.

Nothing is drawn in sequence, so an event's values depend on its device and its time alone: not on where a run
starts, how it is cut into chunks, or how large the fleet is.
"""

import math

import numpy as np
import numpy.typing as npt

U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]
F64 = npt.NDArray[np.float64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def keys(seed: int, stream: int, count: int = 1) -> U64:
    """`count` independent keys of one of the seed's streams; the first ones stay the same when `count` grows."""
    return np.random.SeedSequence(seed, spawn_key=(stream,)).generate_state(count, np.uint64).astype(np.uint64)


def bits(key: U64, counter: I64 | int) -> U64:
    """64 random bits for each (key, counter): the finaliser of SplitMix64 (Steele, Lea, Flood 2014)."""
    # Counters may be negative (before 1970): two's complement is as good a counter.
    x: U64 = key + _GOLDEN * (np.atleast_1d(np.asarray(counter, np.int64)).astype(np.uint64) + np.uint64(1))
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
    return x


def uniform(key: U64, counter: I64 | int) -> F64:
    """In [0, 1)."""
    return (bits(key, counter) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def normal(key: U64, counter: I64 | int) -> F64:
    """Mean 0, standard deviation 1, within ±3.5: four 16-bit uniforms of one draw, summed."""
    lanes = bits(key, counter)
    total = np.zeros(lanes.shape)
    for shift in (0, 16, 32, 48):
        total += (lanes >> np.uint64(shift)) & np.uint64(0xFFFF)
    return (total / 65536.0 - 2.0) * math.sqrt(3.0)


def smooth(key: U64, time_s: F64, period_s: float) -> F64:
    """A smooth curve in [-1, 1] with a new random height each `period_s` seconds (value noise)."""
    position = time_s / period_s
    whole = np.floor(position)
    step = whole.astype(np.int64)
    part = position - whole
    ease = part * part * (3.0 - 2.0 * part)
    before = uniform(key, step)
    return 2.0 * (before + (uniform(key, step + 1) - before) * ease) - 1.0
