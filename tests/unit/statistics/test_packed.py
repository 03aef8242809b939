import struct

import numpy as np
import pytest

from shared.statistics import unpack

LAYOUTS = {1: np.array([7, 8], np.int32), 2: np.array([], np.int32)}


def packed(device: int, second: int, *values: float) -> bytes:
    """An event as int4send, timestamptz_send and array_send give it."""
    array = (
        struct.pack(">iii", 1, 0, 701) + struct.pack(">ii", len(values), 1)
        if values
        else struct.pack(">iii", 0, 0, 701)
    )
    array += b"".join(struct.pack(">id", 8, value) for value in values)
    return struct.pack(">iq", device, second * 1_000_000 - 946_684_800_000_000) + array


def test_packs_of_a_layout_are_read_together() -> None:
    packs = [(1, packed(3, 5, 1.5, 2.5) + packed(3, 6, 3.5, 4.5)), (2, packed(9, 1)), (1, packed(4, 7, 5.5, 6.5))]
    device, metric, ts, value = unpack(packs, LAYOUTS)
    seconds = (ts.astype(np.int64) // 1_000_000).tolist()
    assert sorted(zip(device.tolist(), metric.tolist(), seconds, value.tolist(), strict=True)) == [
        (3, 7, 5, 1.5), (3, 7, 6, 3.5), (3, 8, 5, 2.5), (3, 8, 6, 4.5), (4, 7, 7, 5.5), (4, 8, 7, 6.5)]  # fmt: skip
    assert [len(column) for column in unpack([], LAYOUTS)] == [0, 0, 0, 0]


@pytest.mark.parametrize("pack", [packed(3, 5, 1.5), packed(3, 5, 1.5, 2.5, 3.5), packed(3, 5, *range(9)) * 2])
def test_a_pack_that_does_not_fit_its_layout_is_refused(pack: bytes) -> None:
    with pytest.raises(ValueError, match="2 values"):
        unpack([(1, pack)], LAYOUTS)
