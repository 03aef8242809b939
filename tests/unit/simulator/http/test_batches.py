"""Records to parcels: nothing lost, order kept, limits held."""

from collections import Counter

from simulator.http.batches import MOST_BYTES, halves, lane_of, pack
from simulator.record import Record


def record(device: str, number: int, size: int = 10, code: str | None = None) -> Record:
    value = f"{device}:{number}:".encode().ljust(size, b".")
    made: Record = {"key": device.encode(), "value": value}
    return made if code is None else made | {"code": code}


def test_each_device_keeps_its_order_in_one_lane() -> None:
    records = [record(f"dev-{n % 7}", n) for n in range(1_000)]
    by_device: dict[bytes, list[bytes]] = {}
    for parcel in pack(records, 3, 50):
        for line in parcel.body.split(b"\n"):
            assert lane_of(line.split(b":")[0], 3) == parcel.lane
            by_device.setdefault(line.split(b":")[0], []).append(line)
    assert by_device == {
        f"dev-{d}".encode(): [r["value"] for r in records if r["key"] == f"dev-{d}".encode()] for d in range(7)
    }


def test_devices_spread_over_the_lanes() -> None:
    lanes = Counter(lane_of(f"dev-{n:05d}".encode(), 4) for n in range(1_000))
    assert min(lanes[lane] for lane in range(4)) > 200


def test_a_parcel_holds_so_many_events_and_bytes_at_most() -> None:
    assert [p.events for p in pack([record("d", n) for n in range(25)], 1, 10)] == [10, 10, 5]
    sizes = [400_000, 400_000, 400_000, 3_000_000, 10, 10]
    parcels = pack([record("d", n, size) for n, size in enumerate(sizes)], 1, 500)
    assert [p.events for p in parcels] == [2, 1, 1, 2]
    assert all(len(p.body) <= MOST_BYTES or p.events == 1 for p in parcels)
    assert pack([], 4, 10) == []


def test_a_parcel_knows_what_must_be_rejected_of_it() -> None:
    records = [record("d", 0), record("d", 1, code="bad_metric"), record("d", 2, code="bad_metric"), record("d", 3)]
    assert [p.planned for p in pack(records, 1, 2)] == [{"bad_metric": 1}, {"bad_metric": 1}]


def test_an_event_without_a_key_has_a_lane_too() -> None:
    assert [p.events for p in pack([{"key": None, "value": b"x"}], 4, 10)] == [1]


def test_halves_are_the_whole() -> None:
    assert halves(b"a\nb\nc") == (b"a", b"b\nc")
    assert halves(b"a\nb") == (b"a", b"b")
