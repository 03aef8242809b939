"""Which offsets a batch covers."""

from hypothesis import given
from hypothesis import strategies as st

from ingestion_service.partitions import Partitions, Reason, misplaced
from tests.unit.ingestion_service.records import FakeRecord, batch, claims, event


def test_a_batch_covers_each_partition_from_where_we_were_to_its_last_record() -> None:
    made = batch([FakeRecord(0, 5, event("a", 0, m=1)), FakeRecord(1, 9, event("b", 0, m=1))], claims(0, 1, at=5))
    assert made is not None
    assert [(s.claim.partition, s.start, s.stop, s.records, s.gaps) for s in made.spans] == [
        (0, 5, 6, 1, 0),
        (1, 5, 10, 1, 4),
    ]
    assert made.slot.tolist() == [0, 1]


def test_records_of_a_partition_that_was_revoked_are_left_out() -> None:
    made = batch([FakeRecord(3, 0, event("a", 0, m=1)), FakeRecord(0, 0, event("b", 0, m=1))], claims(0))
    assert made is not None
    assert [s.claim.partition for s in made.spans] == [0]
    assert [g.device for g in made.groups] == [["b"]]


def test_records_that_were_fetched_again_are_left_out() -> None:
    again = [FakeRecord(0, o, event("a", o, m=1)) for o in (3, 4, 5, 4, 5, 6)]
    made = batch(again, claims(0, at=5))
    assert made is not None
    assert [r.offset() for r in made.records] == [5, 6]
    assert batch(again[:2], claims(0, at=5)) is None


def test_an_end_beyond_the_last_record_is_a_gap() -> None:
    made = batch([FakeRecord(0, 0, event("a", 0, m=1))], claims(0, 1), ends={0: 4, 1: 3, 2: 9})
    assert made is not None
    assert [(s.claim.partition, s.start, s.stop, s.gaps) for s in made.spans] == [(0, 0, 4, 3), (1, 0, 3, 3)]
    assert batch([], claims(0, at=4), ends={0: 4}) is None


def test_what_can_not_be_taken_is_kept_byte_for_byte() -> None:
    record = FakeRecord(0, 8, b"\xff", b"key", [("h", b"\x00"), ("n", None)])
    made = batch([FakeRecord(0, 7, event("a", 0, m=1)), record], claims(0, at=7))
    assert made is not None
    (letter,) = made.dead.values()
    assert (letter.offset, letter.key, letter.value, letter.headers) == (
        8,
        b"key",
        b"\xff",
        [("h", b"\x00"), ("n", None)],
    )
    assert letter.code == "malformed"


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 12)), max_size=30), st.integers(0, 5))
def test_spans_account_for_every_offset(arrivals: list[tuple[int, int]], start: int) -> None:
    records = [FakeRecord(p, o, event("a", o, m=p)) for p, o in arrivals]
    made = batch(records, claims(0, 1, at=start))
    for span in made.spans if made else []:
        kept = [r.offset() or 0 for r in made.records if r.partition() == span.claim.partition] if made else []
        assert kept == sorted(set(kept))
        assert all(start <= (o or 0) < span.stop for o in kept)
        assert span.records == len(kept)
        assert span.stop - span.start == span.records + span.gaps


def test_a_partition_is_claimed_once_and_a_stopped_one_again_later() -> None:
    partitions = Partitions()
    partitions.reset({0, 1})
    assert partitions.unclaimed(0.0) == [0, 1]
    partitions.own(claims(0, at=4)[0])
    partitions.stop(1, Reason.TRUNCATED, until=5.0)
    assert partitions.unclaimed(4.9) == []
    assert partitions.positions == {0: 4}
    partitions.disown(0)
    assert partitions.unclaimed(4.9) == [0]
    assert partitions.unclaimed(5.0) == [0, 1]
    assert partitions.stopped == {1: Reason.TRUNCATED}, "until a claim succeeds, it says why"
    partitions.own(claims(1, at=7)[1])
    assert partitions.stopped == {}
    partitions.reset({1})
    assert partitions.unclaimed(0.0) == [1]


def test_a_stored_offset_outside_the_log_stops_the_partition() -> None:
    claim = claims(0, at=5)[0]
    assert misplaced(claim, 0, 5) is None
    assert misplaced(claim, 5, 9) is None
    assert misplaced(claim, 6, 9) is Reason.RETENTION_OVERTOOK
    assert misplaced(claim, 0, 4) is Reason.TRUNCATED
