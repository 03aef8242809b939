"""Ids of devices and layouts, kept once known; what would be over a limit becomes a dead letter."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

import numpy as np

from ingestion_service.batch import Batch
from shared.events import Code, Group


class Registry(Protocol):
    """Where ids come from."""

    def register_devices(self, names: list[str], most: int) -> dict[str, int]: ...
    def register_layout(self, names: tuple[str, ...], most: int) -> int | None: ...


class Catalogue:
    """For one thread. `devices` and `layouts` map every name in a batch that went through `admit`."""

    def __init__(self, registry: Registry, max_devices: int, max_layouts: int) -> None:
        self._registry = registry
        self._max_devices = max_devices
        self._max_layouts = max_layouts
        self._devices: dict[str, int] = {}
        self._layouts: dict[tuple[str, ...], int] = {}
        self.edition = 0  # how often all was forgotten

    @property
    def devices(self) -> Mapping[str, int]:
        """Ids by device id."""
        return self._devices

    @property
    def layouts(self) -> Mapping[tuple[str, ...], int]:
        """Ids by sorted metric names."""
        return self._layouts

    def forget(self) -> None:
        """Ids are to be asked for again. What was looked up under an older edition may be wrong."""
        self._devices, self._layouts = {}, {}
        self.edition += 1  # last: whoever has read this one reads the new ids, or none

    def admit(self, batch: Batch) -> None:
        """Learns the batch's devices and layouts; events over a limit are buried and leave its groups."""
        unknown = dict.fromkeys(d for group in batch.groups for d in group.device if d not in self._devices)
        if unknown:
            self._devices |= self._registry.register_devices(list(unknown), self._max_devices)
        for group in batch.groups:
            if group.names not in self._layouts:
                layout = self._registry.register_layout(group.names, self._max_layouts)
                if layout is not None:
                    self._layouts[group.names] = layout
        batch.groups = [kept for group in batch.groups if (kept := self._admitted(batch, group)) is not None]

    def _admitted(self, batch: Batch, group: Group) -> Group | None:
        if group.names not in self._layouts:
            for position in group.position.tolist():
                detail = f"a new set of metric names beyond MAX_LAYOUTS ({self._max_layouts})"
                batch.bury(position, Code.CARDINALITY_LIMIT, detail)
            return None
        known = np.array([device in self._devices for device in group.device], np.bool_)
        if known.all():
            return group
        for position in group.position[~known].tolist():
            batch.bury(position, Code.CARDINALITY_LIMIT, f"a new device beyond MAX_DEVICES ({self._max_devices})")
        kept = np.flatnonzero(known).tolist()
        return replace(
            group,
            position=group.position[kept],
            device=[group.device[i] for i in kept],
            ts_us=group.ts_us[kept],
            values=group.values[kept],
            extras=[group.extras[i] for i in kept] if group.extras else None,
        )
