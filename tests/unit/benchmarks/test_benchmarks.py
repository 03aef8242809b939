import json
from itertools import chain, islice

import numpy as np
import pytest

from api_service.gateway import items
from shared.events import Decoder, Limits
from shared.events.strict import decode_one
from tests.benchmarks import figures, gateway, growth, latency, variants
from tests.benchmarks.ingestion import copies
from tests.benchmarks.load import START_S, Load

NOW_US = (START_S + 86_400 * 30) * 1_000_000
EVENTS = 200


@pytest.mark.parametrize(("percent", "expected"), [(50, 50), (99, 99), (100, 100), (0.5, 1)])
def test_percentiles_are_the_nearest_rank(percent: float, expected: float) -> None:
    assert figures.percentile(list(range(1, 101)), percent) == expected


def test_each_value_stands_beside_the_limits_before_and_after_it() -> None:
    assert figures.beside([100, 300, 500], [100, 200]) == [0.5, 0.5]
    assert figures.spread([90, 100, 120]) == 0.3


def test_only_a_missed_limit_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert figures.report([{"a": 1}, {"ok": True}]) == 0
    assert figures.report([{"ok": True}, {"ok": False}]) == 1
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()][-1] == {"ok": False}


def test_a_paced_producer_is_never_ahead_and_sends_all() -> None:
    assert [latency.due(100, 10, seconds) for seconds in (0, 0.05, 0.1, 5, 50)] == [1, 1, 2, 51, 100]


def test_an_event_is_visible_once_next_offset_is_beyond_it() -> None:
    produced = {0: {0: 1.0, 1: 2.0, 2: 3.0}}
    visible = {0: (np.array([0, 2, 3]), np.array([0.5, 2.5, 4.0]))}
    assert latency.latencies_ms(produced, visible, since=0) == [500, 1000, 1500]
    assert latency.latencies_ms(produced, visible, since=2) == [500, 1000]


def test_the_days_of_a_table_hold_all_its_rows_and_the_last_one_most() -> None:
    filled = growth.days(1_000_000)
    assert sum(seconds for _, seconds in filled) * growth.DEVICES == 1_000_000
    assert filled[-1][1] == 600
    assert growth.loads(1_000_000, 1_000_000, 0)["the day with most rows"].start_s == sum(filled[-1])


@pytest.mark.parametrize("case", variants.cases(EVENTS), ids=lambda case: case.name)
def test_a_case_is_what_it_says(case: variants.Case) -> None:
    records = case.change(list(chain.from_iterable(case.load.chunks())))
    decoder = Decoder(Limits(max_event_bytes=10_000, max_future_us=0, max_age_us=10**15))
    decoded = decoder.decode([r["value"] for r in records], NOW_US, [r["key"] for r in records])
    identities = {
        (device, moment, group.names)
        for group in decoded.groups
        for device, moment in zip(group.device, group.ts_us.tolist(), strict=True)
    }
    assert len(records) == case.expected.records
    assert len(decoded.rejects) == case.expected.dead_letters
    assert len(identities) == case.expected.persisted


def test_layouts_differ() -> None:
    layouts = variants.mixed_layouts(50)
    assert len(set(layouts)) == 50
    assert {len(names) for names in layouts} == set(range(2, 9))


def test_the_copied_rows_are_those_that_are_sent() -> None:
    load = Load(events=10, devices=5)
    [data] = copies(load)
    sent = [json.loads(record["value"])["data_payload"] for chunk in load.chunks() for record in chunk]
    assert len(sent) == 10
    for payload in sent:
        assert all(np.array(value, ">f8").tobytes() in data for value in payload.values())


def test_no_event_that_is_offered_to_the_gateway_was_offered_before() -> None:
    load = gateway.Load(START_S)
    single = list(islice(load.singles(lambda length: b"%d\n" % length), 2_000))
    bodies = [request.partition(b"\n") for request in single]
    assert {len(body) for _, _, body in bodies} == {int(length) for length, _, _ in bodies}
    values = [body for _, _, body in bodies]
    for form, kind in ((gateway.lines, items.NDJSON), (gateway.array, items.JSON)):
        for body in islice(load.batches(lambda _: b"", form), 20):
            values += items.split(body, kind, 1_000).values
    events = [decode_one(value, Limits(), NOW_US) for value in values]
    assert len(values) == 2_000 + 2 * 20 * gateway.BATCH
    assert len({(event.device, event.ts_us) for event in events}) == len(events)
