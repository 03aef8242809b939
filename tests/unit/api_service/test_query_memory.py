"""Rows that are remembered: until their device's revision moves, and within a limit."""

from api_service.query.memory import Memory, Shape


def shape(device: int = 1, **other: object) -> Shape:
    values = {"metric": "m", "bucket": "1h", "tz": "UTC", "percentiles": ("p50",), "fill": False, "media_type": "json"}
    return Shape(device, **{**values, **other})  # type: ignore[arg-type]


def test_a_row_stays_for_its_shape_and_revision() -> None:
    memory = Memory("server", 1_000_000)
    memory.keep(memory.shelf(shape(), 3), 60, b"row")
    assert memory.shelf(shape(), 3).rows == {60: b"row"}
    assert memory.shelf(shape(2), 3).rows == {}
    assert memory.shelf(shape(tz="Asia/Kolkata"), 3).rows == {}
    assert memory.shelf(shape(percentiles=("p50", "p99")), 3).rows == {}
    assert memory.shelf(shape(), 4).rows == {}
    assert memory.shelf(shape(), 3).rows == {}  # an older snapshot finds nothing, and not what is newer either


def test_what_was_asked_for_longest_ago_goes_first() -> None:
    memory = Memory("server", 5_000)
    for device in (1, 2, 3):
        memory.keep(memory.shelf(shape(device), 0), 60, bytes(1_000))
    memory.shelf(shape(1), 0)
    memory.shrink()
    assert [bool(memory.shelf(shape(device), 0).rows) for device in (1, 2, 3)] == [True, False, True]


def test_it_never_holds_more_than_its_limit() -> None:
    memory = Memory("server", 100_000)
    for device in range(200):
        shelf = memory.shelf(shape(device % 50), device // 50)
        for start in range(20):
            memory.keep(shelf, start, bytes(200))
            memory.keep(shelf, start, bytes(200))
        memory.shrink()
        assert memory.size <= 100_000
    memory = Memory("server", 0)
    memory.keep(memory.shelf(shape(), 0), 60, b"row")
    memory.shrink()
    assert memory.size == 0
