"""Which device sends which layout: what `device_layouts` lacks of a batch, as far as we know. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ingestion_service.columns import Rows

_MOST = 64 << 20  # bytes that are remembered; what is forgotten is only written again


@dataclass(frozen=True, slots=True)
class Pairs:
    """n distinct (device, layout)."""

    device: npt.NDArray[np.int32]
    layout: npt.NDArray[np.int32]


class KnownPairs:
    """A flag a device, for each layout: ids are small numbers."""

    def __init__(self) -> None:
        self._known: dict[int, npt.NDArray[np.bool_]] = {}

    def missing(self, rows: Sequence[Rows]) -> Pairs:
        """Those of these rows, sorted ones of a layout each, that aren't known."""
        device, layout = [np.empty(0, np.int32)], [np.empty(0, np.int32)]
        for r in rows:
            distinct = r.device[np.append(True, r.device[1:] != r.device[:-1])]
            known = self._known.get(r.layout, np.empty(0, np.bool_))
            within = distinct < len(known)
            new = np.append(distinct[within][~known[distinct[within]]], distinct[~within])
            device.append(new)
            layout.append(np.full(len(new), r.layout, np.int32))
        return Pairs(np.concatenate(device), np.concatenate(layout))

    def learn(self, pairs: Pairs) -> None:
        """These are stored."""
        for layout in np.unique(pairs.layout).tolist():
            device = pairs.device[pairs.layout == layout]
            known = self._known.get(layout, np.empty(0, np.bool_))
            if len(known) <= device.max():
                known = np.append(known, np.zeros(int(device.max()) * 2 - len(known) + 1, np.bool_))
            known[device] = True
            self._known[layout] = known
        if sum(map(len, self._known.values())) > _MOST:
            self.forget()

    def forget(self) -> None:
        """Nothing is known any more."""
        self._known.clear()
