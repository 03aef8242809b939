"""The sink against the real Kafka and the real Postgres."""

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime

from shared.topics import ack_topic
from tests.corpus import BAD, GOOD
from tests.pipeline import (
    assert_accounts,
    caught_up,
    consume_all,
    consume_whole,
    event,
    ingest,
    ingestion,
    produce,
    running,
    wait_for,
)
from tests.servers import Database, Topics


def test_every_event_becomes_a_row_with_its_values_extras_and_time(topics: Topics, database: Database) -> None:
    produce(topics, [case.value for case in GOOD])
    ingest(topics, database, MAX_AGE_DAYS=3650)
    with database.connect() as connection:
        rows = connection.execute(
            "SELECT d.device_id, e.ts, l.metrics, e.values, coalesce(e.extras, '{}') FROM events e"
            " JOIN devices d ON d.id = e.device JOIN layouts l ON l.id = e.layout"
        ).fetchall()
    stored = {(d, ts.astimezone(UTC), tuple(names)): (values, extras) for d, ts, names, values, extras in rows}
    for case in GOOD:
        identity = (case.device, datetime.fromisoformat(case.at), tuple(sorted(case.metrics)))
        assert identity in stored, case.name
    # Several cases have one identity: the first of a partition's stays, so look at those that are alone.
    identities = [(c.device, c.at, tuple(sorted(c.metrics))) for c in GOOD]
    for case in GOOD:
        if identities.count((case.device, case.at, tuple(sorted(case.metrics)))) == 1:
            values, extras = stored[(case.device, datetime.fromisoformat(case.at), tuple(sorted(case.metrics)))]
            assert (values, extras) == ([case.metrics[m] for m in sorted(case.metrics)], case.extras), case.name
    totals = assert_accounts(database)
    assert totals["persisted"] == len(set(identities))
    assert totals["persisted"] + totals["duplicates"] == len(GOOD)
    assert totals["dead_letters"] == 0


def test_poison_becomes_dead_letters_with_their_codes_and_neighbours_stay(topics: Topics, database: Database) -> None:
    # The broker itself refuses what is too large; one case is ahead of the corpus's clock only.
    cases = [case for case in BAD if case.code != "too_large" and case.name != "timestamp_in_future: 301 s"]
    values: list[bytes | None] = [v for i, case in enumerate(cases) for v in (case.value, event("neighbour", i, m=i))]
    values.append(None)
    produce(topics, values, [None] * (len(values) - 1) + [b"key"])
    expected = sorted([case.code for case in cases] + ["tombstone"])
    ingest(topics, database)
    with database.connect() as connection:
        stored = connection.execute("SELECT code, value, published_at FROM dead_letters").fetchall()
        (neighbours,) = connection.execute("SELECT count(*) FROM events").fetchone() or (0,)
    assert sorted(code for code, _, _ in stored) == expected
    assert neighbours == len(cases)
    by_value = {value: code for code, value, _ in stored}
    assert all(by_value[case.value] == case.code for case in cases)
    assert all(published is not None for _, _, published in stored)
    letters = consume_all(topics, topics.settings.topic_dead_letters, len(expected))
    assert sorted(headers["plumbline.error.code"] for _, _, headers in letters) == expected
    assert {value for _, value, _ in letters} == set(by_value)
    acks = consume_all(topics, ack_topic(topics.settings, "validation-error"), len(expected))
    assert sorted(json.loads(value or b"{}")["code"] for _, value, _ in acks) == expected
    assert_accounts(database)


def test_duplicates_and_conflicts_are_counted_and_the_first_stays(topics: Topics, database: Database) -> None:
    first = [event("a", i, x=i, y=1) for i in range(50)]
    conflicting = [event("a", i, x=-i - 1, y=1) for i in range(20)]
    other_metrics = [event("a", i, x=i) for i in range(10)]
    # In one batch and in another one, and again beside new events.
    produce(topics, first + first[:5] + conflicting[:10], [b"a"] * 65)
    ingest(topics, database)
    produce(topics, first[5:] + conflicting[10:] + other_metrics + [event("a", 99, x=1, y=1)], [b"a"] * 66)
    ingest(topics, database)
    totals = assert_accounts(database)
    assert totals == {"persisted": 61, "duplicates": 70, "conflicts": 20, "dead_letters": 0}
    with database.connect() as connection:
        values = connection.execute("SELECT value FROM readings WHERE metric = 'x' ORDER BY ts, value").fetchall()
    assert sum(v for (v,) in values) == sum(range(50)) + sum(range(10)) + 1


def test_success_acks_cover_every_offset_once_in_order(topics: Topics, database: Database) -> None:
    produce(topics, [event(f"d{i % 7}", i, m=i) for i in range(500)], [f"d{i % 7}".encode() for i in range(500)])
    ingest(topics, database, BATCH_MAX_EVENTS=40)
    acks = [json.loads(value or b"") for _, value, _ in consume_whole(topics, ack_topic(topics.settings, "success"))]
    for partition in (0, 1):
        mine = [ack for ack in acks if ack["partition"] == partition]
        offsets = [o for ack in mine for o in range(ack["first_offset"], ack["last_offset"] + 1)]
        assert offsets == list(range(len(offsets)))
    assert sum(ack["persisted"] for ack in acks) == 500
    with database.connect() as connection:
        behind = connection.execute("SELECT partition FROM kafka_offsets WHERE acked_offset < next_offset").fetchall()
    assert behind == []


def test_devices_and_layouts_over_their_limits_become_dead_letters(
    make_topics: Callable[[int], Topics], database: Database
) -> None:
    topics = make_topics(1)  # so that it is the last ones that are over
    produce(
        topics, [event(f"d{i}", i, m=i) for i in range(5)] + [event("d0", 100 + i, **{f"m{i}": 1}) for i in range(4)]
    )
    ingest(topics, database, MAX_DEVICES=3, MAX_LAYOUTS=2)
    totals = assert_accounts(database)
    assert totals["persisted"] == 4
    with database.connect() as connection:
        codes = connection.execute("SELECT DISTINCT code FROM dead_letters").fetchall()
    assert codes == [("cardinality_limit",)]


def test_events_below_the_watermark_are_logged_as_late(topics: Topics, database: Database) -> None:
    with database.connect() as connection:
        connection.execute("UPDATE watermarks SET watermark = '2026-11-01T00:02:00Z' WHERE level = 60")
    seconds = [0, 59, 60, 119, 120, 500]
    produce(topics, [event("a", s, m=1) for s in seconds] + [event("a", 0, m=1)])
    ingest(topics, database)
    with database.connect() as connection:
        dirty = connection.execute(
            "SELECT extract(epoch FROM bucket)::int8 - 1793491200, sum(events) FROM dirty GROUP BY 1 ORDER BY 1"
        ).fetchall()
    assert [(int(bucket), int(n)) for bucket, n in dirty] == [(0, 2), (60, 2)]


def test_too_many_dead_letters_stop_the_service_and_drop_nothing(topics: Topics, database: Database) -> None:
    produce(topics, [event("a", i, m=i) for i in range(10)] + [b"poison"] * 5, [b"a"] * 15)
    with running("ingestion_service", ingestion(topics, database, DEAD_LETTER_LIMIT_CONSECUTIVE=5)) as service:
        assert service.wait() == 1
    assert "DEAD_LETTER_LIMIT_CONSECUTIVE" in service.output()
    assert assert_accounts(database)["dead_letters"] == 0
    ingest(topics, database)
    assert assert_accounts(database) == {"persisted": 10, "duplicates": 0, "conflicts": 0, "dead_letters": 5}


def test_an_event_whose_partition_was_dropped_gets_it_anew(topics: Topics, database: Database) -> None:
    produce(topics, [event("a", 0, m=1)])
    with running("ingestion_service", ingestion(topics, database)) as service:
        wait_for(lambda: caught_up(topics, database), "the first event is stored")
        with database.connect() as connection:
            connection.execute("DROP TABLE events_20261101")
        produce(topics, [event("a", 1, m=2)])
        wait_for(lambda: service.status is not None or caught_up(topics, database), "the second event is stored")
    with database.connect() as connection:
        assert connection.execute("SELECT value FROM readings").fetchall() == [(2.0,)]
        assert connection.execute("SELECT count(*) FROM dead_letters").fetchone() == (0,)


def test_what_only_the_database_refuses_is_found_and_its_neighbours_stay(topics: Topics, database: Database) -> None:
    with database.connect() as connection:
        connection.execute("ALTER TABLE events ADD CONSTRAINT sane CHECK (extras IS NULL OR NOT extras ? 'poison')")
    poison = event("a", 3, m=3)[:-1] + b', "poison": true}'
    values = [event("a", i, m=i) for i in range(3)] + [poison, event("a", 3, m=3), event("a", 3, m=3)]
    produce(topics, values, [b"a"] * len(values))
    ingest(topics, database)
    with database.connect() as connection:
        codes = connection.execute("SELECT code, value FROM dead_letters").fetchall()
    assert codes == [("database_rejected", poison)]
    assert assert_accounts(database) == {"persisted": 4, "duplicates": 1, "conflicts": 0, "dead_letters": 1}


def test_the_widest_layout_is_stored(topics: Topics, database: Database) -> None:
    """256 names of 64 characters: more than an index row can hold."""
    names = [f"{hashlib.sha256(bytes([i])).hexdigest()[:61]}{i:03}" for i in range(256)]
    produce(topics, [event("a", second, **dict.fromkeys(names, 1.0)) for second in range(3)])
    ingest(topics, database)
    assert assert_accounts(database)["persisted"] == 3


def test_a_large_dead_letter_leaves_and_holds_up_nothing(topics: Topics, database: Database) -> None:
    large = b"x" * 999_900
    produce(topics, [large, event("a", 1, m=1)], [b"a", b"a"])
    ingest(topics, database)
    letters = consume_all(topics, topics.settings.topic_dead_letters, 1)
    assert [value for _, value, _ in letters] == [large]
    with database.connect() as connection:
        waiting = connection.execute(
            "SELECT (SELECT count(*) FROM dead_letters WHERE published_at IS NULL),"
            " (SELECT count(*) FROM kafka_offsets WHERE acked_offset < next_offset)"
        ).fetchone()
    assert waiting == (0, 0)
