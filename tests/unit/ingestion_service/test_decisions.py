"""Small decisions: backing off, breaking off, what an ack says, what a database error asks for."""

import json
from datetime import UTC, datetime

import psycopg
import pytest
from psycopg import errors

from ingestion_service import acks
from ingestion_service.breaker import CircuitBreaker
from ingestion_service.outbox import Buried, SuccessAck
from shared.db import Fault, backoff_seconds, classify
from shared.errors import PlumblineError
from shared.events import Code
from shared.settings import TopicSettings, load
from tests.unit.ingestion_service.records import FakeRecord, batch, claims, event

SETTINGS = load(TopicSettings)
AT = datetime(2026, 11, 1, 12, tzinfo=UTC)
LETTER = Buried("t", "id", 3, 9, b"k", None, [["h", "AA=="], ["n", None]], "tombstone", "no value", AT, b"")


def test_the_wait_doubles_to_five_seconds_and_jitter_takes_up_to_half() -> None:
    assert [backoff_seconds(n, 0) for n in range(1, 9)] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
    assert backoff_seconds(10_000, 0.999999) == pytest.approx(2.5, abs=1e-5)


def test_the_breaker_counts_dead_letters_in_a_row_across_batches() -> None:
    def made(*bodies: bytes) -> None:
        records = [FakeRecord(0, i, body) for i, body in enumerate(bodies)]
        assembled = batch(records, claims(0))
        assert assembled is not None
        breaker.check(assembled)

    good = event("a", 1, m=1)
    breaker = CircuitBreaker(3, 0)
    made(b"x", b"x", good, b"x")
    made(b"x", good)
    made(b"x", b"x")
    with pytest.raises(PlumblineError, match="3 dead letters in a row"):
        made(b"x")


@pytest.mark.parametrize(("dead", "trips"), [(49, False), (50, True)])
def test_the_breaker_looks_at_the_share_of_a_batch_of_some_size(dead: int, trips: bool) -> None:
    bodies = [b"x"] * dead + [event("a", i, m=1) for i in range(100 - dead)]
    b = batch([FakeRecord(0, i, body) for i, body in enumerate(bodies)], claims(0))
    assert b is not None
    if trips:
        with pytest.raises(PlumblineError, match=r"50\.0 %"):
            CircuitBreaker(0, 50).check(b)
    else:
        CircuitBreaker(0, 50).check(b)
        assert len(b.dead) == dead


def test_every_code_has_an_ack_topic() -> None:
    assert {acks.outcome(code) for code in Code} == {"validation-error", "db-error"}
    assert acks.outcome("database_rejected") == "db-error"
    assert acks.outcome("something new") == "general-error"


def test_a_success_ack_names_its_range_and_counts() -> None:
    ack = SuccessAck("t", "id", 3, 5, 9, 3, 1, 1, 1, AT, chapter=0, closed=False)
    record = acks.success(SETTINGS, ack)
    assert record.topic == "telemetry.acks.success"
    assert json.loads(record.value or b"") == {
        "outcome": "success", "topic": "t", "topic_id": "id", "partition": 3, "first_offset": 5, "last_offset": 9,
        "persisted": 3, "duplicates": 1, "conflicts": 1, "dead_lettered": 1,
        "committed_at": "2026-11-01T12:00:00.000000Z",
    }  # fmt: skip


def test_a_dead_letter_leaves_as_it_came_with_headers_that_say_why() -> None:
    record = acks.dead_letter(SETTINGS, LETTER)
    assert (record.key, record.value) == (b"k", None)
    assert record.headers[:2] == [("h", b"\x00"), ("n", None)]
    assert dict(record.headers[2:]) == {
        "plumbline.error.code": b"tombstone", "plumbline.error.detail": b"no value", "plumbline.error.topic": b"t",
        "plumbline.error.partition": b"3", "plumbline.error.offset": b"9",
        "plumbline.error.at": b"2026-11-01T12:00:00.000000Z",
    }  # fmt: skip
    assert json.loads(acks.error(SETTINGS, LETTER).value or b"")["offset"] == 9


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (errors.AdminShutdown(), Fault.RETRY),
        (errors.DiskFull(), Fault.RETRY),
        (errors.LockNotAvailable(), Fault.RETRY),
        (errors.SerializationFailure(), Fault.RETRY),
        (errors.ReadOnlySqlTransaction(), Fault.RETRY),
        (errors.IdleInTransactionSessionTimeout(), Fault.RETRY),
        (psycopg.OperationalError("server closed the connection"), Fault.RETRY),
        (psycopg.InterfaceError("connection already closed"), Fault.RETRY),
        (errors.NumericValueOutOfRange(), Fault.POISON),
        (errors.NotNullViolation(), Fault.POISON),
        (errors.UndefinedTable(), Fault.STOP),
        (errors.InsufficientPrivilege(), Fault.STOP),
        (errors.InvalidPassword(), Fault.STOP),
        (psycopg.ProgrammingError("nonsense"), Fault.STOP),
    ],
)
def test_a_database_error_asks_for(error: psycopg.Error, fault: Fault) -> None:
    assert classify(error) is fault
