"""Statistics of readings as mergeable rows: one implementation for what is stored and what is made on the fly.

Pure numpy. The same readings give the same bytes, in whatever order they come and whatever else is in the call.
"""

from shared.statistics.merging import merge
from shared.statistics.packed import PACKED, PACKED_VALUES, unpack, unpack_values
from shared.statistics.partials import Partials, means, quantiles, stddevs, sums
from shared.statistics.rolling import rollup

__all__ = [
    "PACKED",
    "PACKED_VALUES",
    "Partials",
    "means",
    "merge",
    "quantiles",
    "rollup",
    "stddevs",
    "sums",
    "unpack",
    "unpack_values",
]
