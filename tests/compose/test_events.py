"""Events in through the gateway or Kafka, statistics out: equal to what was sent."""

import time
import uuid

import pytest

from tests.compose import account
from tests.compose.client import Client
from tests.compose.conftest import token
from tests.compose.simulator import simulator
from tests.compose.stack import Stack
from tests.pipeline import wait_for


@pytest.mark.smoke
def test_statistics_of_known_values(client: Client) -> None:
    device, hour = f"known-{uuid.uuid4().hex[:8]}", int(time.time()) // 3600 * 3600 - 7_200
    values = [float(n * n) for n in range(1, 101)]
    events = [
        {"device_id": device, "timestamp": hour + 20 * n, "data_payload": {"m": value, "note": "kept"}}
        for n, value in enumerate(values)
    ]
    answer = client.post([*events, events[0], {"device_id": device, "timestamp": "yesterday", "data_payload": {}}])
    assert answer["accepted"] == 101
    assert [(each["index"], each["code"]) for each in answer["rejected"]] == [(101, "bad_timestamp")]

    def told() -> bool:
        receipt = client.get(f"/ingest/{answer['receipt']}")
        return (receipt["pending"], receipt["persisted"]) == (0, 101)

    wait_for(told, "the receipt says that all of them are persisted")
    [row] = client.stats(device_id=device, metric="m", bucket="none", **{"from": hour, "to": hour + 3600})
    mean = sum(values) / 100
    assert (row["count"], row["min"], row["max"], row["sum"]) == (100, 1.0, 10_000.0, sum(values))
    assert row["avg"] == pytest.approx(mean, rel=1e-12)
    assert row["stddev"] == pytest.approx((sum((value - mean) ** 2 for value in values) / 99) ** 0.5, rel=1e-9)
    assert row["p50"] == pytest.approx((50**2 + 51**2) / 2)  # percentile_cont between the two in the middle
    minutes = client.stats(device_id=device, metric="m", bucket="1m", **{"from": hour, "to": hour + 3600})
    assert [(each["count"], each["min"]) for each in minutes[:2]] == [(3, 1.0), (3, 16.0)]
    assert len(minutes) == 34


@pytest.mark.parametrize(("way", "many"), [pytest.param("http", 3_000, marks=pytest.mark.smoke), ("kafka", 30_000)])
def test_a_fleet_of_the_simulator(stack: Stack, way: str, many: int) -> None:
    prefix = f"{way}-{uuid.uuid4().hex[:8]}-"
    before = account.totals(stack)
    fleet = ["--devices", "50", "--interval", f"{50 * 3_600 // many}s", "--from", "-2h", "--to", "-1h"]
    faults = ["--duplicate", "0.02", "--conflict", "0.01", "--malformed", "0.01", "--out-of-order", "0.05"]
    with simulator(stack, prefix, *fleet, *faults, token=token(stack) if way == "http" else "") as sender:
        summary = sender.wait()
    assert summary["events"] == many
    account.settle(stack)
    grown = {name: total - before[name] for name, total in account.totals(stack).items()}
    assert grown == {name: summary["expected"][name] for name in account.TOTALS}
    assert account.stored(stack, prefix) == account.distinct(summary)


@pytest.mark.smoke
def test_the_operator_finds_nothing_wrong(stack: Stack) -> None:
    assert stack.document("reconcile")["problems"] == []
    wait_for(lambda: stack.number("SELECT count(*) FROM dirty") == 0, "late events are in the statistics")
    report = stack.document("verify")
    assert report["ok"], report
