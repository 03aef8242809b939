"""Columns of readings to the JSON of the wire contract, many events a call.

A sensor's readings are whole numbers of its smallest step, so the text of each possible reading is made once and
looked up; an event costs one `%` of ready texts.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from simulator.noise import F64, I64
from simulator.waveforms import Metric

Texts = npt.NDArray[np.object_]


class Encoder:
    """Encodes events of one set of metrics."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._steps = [10**metric.decimals for metric in metrics]
        self._low = [round(metric.low * step) for metric, step in zip(metrics, self._steps, strict=True)]
        self._texts = [_texts(metric) for metric in metrics]
        payload = b",".join(b'"%b":%%b' % metric.name.encode() for metric in metrics)
        self._template = b'{"device_id":"%b","timestamp":"%b.%03dZ","data_payload":{' + payload + b"}}"

    def quantise(self, columns: Sequence[F64]) -> list[I64]:
        """Readings as indices of the sensor's steps, within its limits."""
        return [
            np.clip(np.rint(column * step).astype(np.int64) - low, 0, len(texts) - 1)
            for column, step, low, texts in zip(columns, self._steps, self._low, self._texts, strict=True)
        ]

    def differ(self, steps: Sequence[I64]) -> list[I64]:
        """The same events with a first metric that differs by one step."""
        first = steps[0]
        return [np.where(first > 0, first - 1, first + 1), *steps[1:]]

    def events(self, ids: Sequence[bytes], time_us: I64, steps: Sequence[I64]) -> list[bytes]:
        """One JSON document an event; times are cut to the millisecond."""
        seconds, milliseconds = _seconds(time_us)
        readings = (texts[index].tolist() for texts, index in zip(self._texts, steps, strict=True))
        template = self._template
        return [template % row for row in zip(ids, seconds, milliseconds, *readings, strict=True)]


def rfc3339(time_us: I64) -> list[str]:
    """Text of times in microseconds since 1970, cut to the millisecond."""
    seconds, milliseconds = _seconds(time_us)
    return [f"{s.decode()}.{ms:03d}Z" for s, ms in zip(seconds, milliseconds, strict=True)]


def _seconds(time_us: I64) -> tuple[list[bytes], list[int]]:
    """Text up to the seconds, and the milliseconds."""
    whole, rest = np.divmod(time_us, 1_000_000)
    distinct, place = np.unique(whole, return_inverse=True)
    text = np.array([t.encode() for t in np.datetime_as_string(distinct.astype("datetime64[s]")).tolist()], object)
    return text[place].tolist(), (rest // 1000).tolist()


def _texts(metric: Metric) -> Texts:
    step = 10**metric.decimals
    steps = range(round(metric.low * step), round(metric.high * step) + 1)
    return np.array([b"%.*f" % (metric.decimals, number / step) for number in steps], object)
