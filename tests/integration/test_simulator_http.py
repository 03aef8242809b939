"""The publisher over HTTP against a server that misbehaves on plan: each event arrives, in order, and is accounted."""

import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from shared.errors import ConfigurationError, PlumblineError, Unavailable
from simulator.faults import FAULTS, FaultPlanner
from simulator.fleet import Fleet
from simulator.http.publisher import HttpOptions, HttpPublisher
from simulator.http.settings import TokenSettings
from simulator.malformed import MALFORMED_OVER_HTTP
from simulator.metrics import Metrics
from simulator.noise import keys
from simulator.record import Record
from simulator.stream import Stream
from tests.pipeline import wait_for
from tests.unruly import GOOD, Does, Seen, refuses, resets, unruly

ROOT = Path(__file__).parents[2]
ALAMOSA = ROOT / "simulator" / "recordings" / "alamosa.csv"
FLEET = Fleet(devices=20, interval_us=1_000_000)
FIRST = FLEET.first_at(1_757_437_200_000_000)  # 2025-09-09
OPTIONS = HttpOptions([], 50, 4, gzip=False, timeout_s=10, give_up_s=20, spool=None, spool_bytes=10**8)
CLIENT = TokenSettings.model_validate({"auth_client_id": "me", "auth_client_secret": "secret"})
GIVEN = TokenSettings.model_validate({"auth_token": "given"})


def records(events: int, first: int = 0, share: float = 0.0) -> list[Record]:
    """A fleet's records from its `first` event on, with this share of each fault."""
    planner = FaultPlanner(keys(7, 1), FLEET.devices, 200, dict.fromkeys(FAULTS, share))
    stream = Stream(FLEET, planner, 7, MALFORMED_OVER_HTTP)
    return stream.records(FIRST + first, FIRST + first + events) + stream.rest()


@contextmanager
def publishing(*urls: str, tokens: TokenSettings = CLIENT, **options: Any) -> Iterator[HttpPublisher]:
    """A publisher that is closed at the end of the block; its delivery is to be looked at afterwards."""
    chosen = replace(OPTIONS, urls=urls, **options)
    publisher = HttpPublisher(chosen, tokens, Metrics(CollectorRegistry()), threading.Event())
    try:
        yield publisher
    finally:
        publisher.close()
    told = publisher.delivery
    settled = told.accepted + told.rejected.total()
    assert told.handed_over + told.recovered == settled + told.spooled + told.unsent


def values(sent: list[Record]) -> Counter[bytes]:
    return Counter(record["value"] for record in sent)


def assert_in_order(taken: list[bytes], sent: list[Record]) -> None:
    """Each device's events were first taken in the order in which they were sent."""
    device_of = {record["value"]: record["key"] for record in sent}
    first_taken, first_sent = list(dict.fromkeys(taken)), list(dict.fromkeys(record["value"] for record in sent))
    for device in set(device_of.values()):
        mine = [value for value in first_taken if device_of[value] == device]
        assert mine == [value for value in first_sent if device_of[value] == device]


def test_all_arrives_once_in_order_and_what_is_malformed_is_rejected_as_planned() -> None:
    sent = records(3_000, share=0.02)
    good = [record for record in sent if "code" not in record]
    with unruly() as api, publishing(api.url) as publisher:
        publisher.publish(sent[:1_500])
        publisher.publish(sent[1_500:])
    publisher.check()
    told = publisher.delivery
    assert api.counted() == values(good)
    assert_in_order(api.taken, good)
    assert (told.accepted, told.rejected.total()) == (len(good), len(sent) - len(good))
    assert told.rejected == told.planned == Counter(record["code"] for record in sent if "code" in record)
    assert len(told.rejected) == len(MALFORMED_OVER_HTTP)
    assert (told.retried, told.unsent, told.maybe_twice, told.spooled) == (0, 0, 0, 0)
    assert {seen.headers["Content-Type"] for seen in api.seen} == {"application/x-ndjson"}
    assert max(seen.events for seen in api.seen) == 50
    assert len(api.issued) == 1


def test_gzip_arrives_the_same() -> None:
    sent = records(500)
    with unruly() as api, publishing(api.url, gzip=True) as publisher:
        publisher.publish(sent)
    assert api.counted() == values(sent)
    assert {seen.headers["Content-Encoding"] for seen in api.seen} == {"gzip"}
    assert int(api.seen[0].headers["Content-Length"]) < 3_000


def test_busy_is_asked_again_when_it_said_and_not_before() -> None:
    def busy_at_first(seen: Seen) -> Does:
        return refuses(503, Retry_After="1") if seen.number == 0 else GOOD

    sent = records(100)
    with unruly(busy_at_first) as api, publishing(api.url, connections=1) as publisher:
        publisher.publish(sent)
    assert api.counted() == values(sent)
    assert 1.0 <= api.seen[1].at - api.seen[0].at < 10
    assert publisher.delivery.retried == 1


@pytest.mark.parametrize("takes", [False, True], ids=["before", "after"])
def test_connections_that_are_cut_lose_nothing_and_keep_the_order(takes: bool) -> None:
    def cuts_every_third(seen: Seen) -> Does:
        return resets(takes=takes) if seen.number % 3 == 0 else GOOD

    sent = records(2_000)
    with unruly(cuts_every_third) as api, publishing(api.url) as publisher:
        publisher.publish(sent)
    publisher.check()
    told, counted = publisher.delivery, api.counted()
    assert counted.keys() == values(sent).keys()
    assert_in_order(api.taken, sent)
    assert told.accepted == 2_000
    assert 0 < told.retried <= len(api.seen) / 3 + 1
    assert (counted.total() > 2_000) == takes
    assert counted.total() - 2_000 <= told.maybe_twice


def test_half_an_answer_is_none() -> None:
    sent = records(300)
    with unruly(lambda seen: Does(half=True) if seen.number < 3 else GOOD) as api, publishing(api.url) as publisher:
        publisher.publish(sent)
    assert api.counted().keys() == values(sent).keys()
    assert publisher.delivery.accepted == 300
    assert publisher.delivery.retried >= 1


def test_a_server_that_hangs_is_left_after_the_timeout() -> None:
    def hangs_at_first(seen: Seen) -> Does:
        return Does(hangs=True) if seen.number == 0 else GOOD

    sent = records(100)
    with unruly(hangs_at_first) as api, publishing(api.url, connections=1, timeout_s=2.0) as publisher:
        publisher.publish(sent)
    assert api.counted() == values(sent)
    assert 2.0 <= api.seen[1].at - api.seen[0].at < 10


def test_too_large_a_batch_is_halved_until_it_fits_and_stays_small() -> None:
    def at_most_20(seen: Seen) -> Does:
        return refuses(413) if seen.events > 20 else GOOD

    sent = records(2_000, share=0.02)
    with unruly(at_most_20) as api, publishing(api.url, batch=500, connections=2) as publisher:
        publisher.publish(sent)
    publisher.check()
    assert api.counted() == values([record for record in sent if "code" not in record])
    refused = sum(seen.events > 20 for seen in api.seen)
    assert refused < len(api.seen) / 5


def test_over_the_rate_is_waited_for_and_the_other_api_is_left_alone() -> None:
    def throttles(seen: Seen) -> Does:
        return refuses(429, Retry_After="1") if seen.number == 2 else GOOD

    sent = records(300)
    with unruly(throttles) as first, unruly() as second, publishing(first.url, second.url, connections=1) as publisher:
        publisher.publish(sent)
    assert first.counted() == values(sent)
    assert second.seen == []
    assert first.seen[3].at - first.seen[2].at >= 1.0
    assert publisher.delivery.maybe_twice == 0


def test_the_next_api_takes_over_and_the_first_gets_it_back() -> None:
    with unruly() as first, unruly() as second, publishing(first.url, second.url) as publisher:
        publisher.publish(records(500))
        wait_for(lambda: len(first.taken) == 500, "the first to have all")
        first.plan, first.lives = lambda _seen: refuses(503), False
        publisher.publish(records(500, first=500))
        wait_for(lambda: len(second.taken) == 500, "the second to take over")
        first.plan, first.lives = lambda _seen: GOOD, True
        at, back = 1_000, False
        while not back:
            publisher.publish(records(20, first=at))
            at += 20
            back = len(first.taken) > 500
            assert at < 20_000
            time.sleep(0.02)
    publisher.check()
    told = publisher.delivery
    assert first.counted() + second.counted() == values(records(at))
    assert (told.accepted, told.failed_over) == (at, 1)
    assert told.by_endpoint == {first.url: len(first.taken), second.url: len(second.taken)}


def test_a_refused_token_is_replaced_once() -> None:
    def dislikes_the_first_token(seen: Seen) -> Does:
        return refuses(401) if seen.token == "token-0" else GOOD

    sent = records(400)
    with unruly(dislikes_the_first_token) as api, publishing(api.url) as publisher:
        publisher.publish(sent)
    publisher.check()
    assert api.counted() == values(sent)
    assert api.issued == ["token-0", "token-1"]


def test_an_issuer_that_is_busy_is_asked_again() -> None:
    with unruly() as api, publishing(api.url) as publisher:
        api.busy_issuer = 3
        publisher.publish(records(400))
    publisher.check()
    assert (publisher.delivery.accepted, publisher.delivery.maybe_twice) == (400, 0)
    assert (api.busy_issuer, len(api.issued)) == (0, 1)


def test_a_token_is_renewed_before_it_ends() -> None:
    with unruly() as api, publishing(api.url) as publisher:
        api.token_ttl_s = 4.0  # a fifth of it is what a busy machine may stand still for
        until = time.monotonic() + 60
        at = 0
        while len(api.issued) < 3:
            assert time.monotonic() < until
            publisher.publish(records(20, first=at))
            at += 20
            time.sleep(0.02)
    assert publisher.delivery.accepted == at
    assert publisher.delivery.retried == 0  # none of them was refused


@pytest.mark.parametrize(("status", "tokens"), [(401, GIVEN), (401, CLIENT), (403, GIVEN), (404, GIVEN), (415, GIVEN)])
def test_what_can_t_get_better_stops_the_run_with_one_message(
    status: int, tokens: TokenSettings, tmp_path: Path
) -> None:
    with unruly(lambda _seen: refuses(status)) as api:
        with publishing(api.url, tokens=tokens, spool=tmp_path) as publisher:
            publisher.publish(records(100))
            wait_for(publisher._stop.is_set, "the run to be stopped")
            publisher.publish(records(100, first=100))
        with pytest.raises(ConfigurationError, match=rf"\({status}\) → "):
            publisher.check()
    assert publisher.delivery.spooled == 200
    assert publisher.delivery.unsent == 0
    with unruly() as api, publishing(api.url, spool=tmp_path) as publisher:
        assert publisher.delivery.recovered == 200
    assert api.counted() == values(records(200))


def test_a_client_that_the_issuer_refuses_is_one_message() -> None:
    wrong = CLIENT.model_copy(update={"auth_client_id": "you"})
    with unruly() as api, publishing(api.url, tokens=wrong) as publisher:
        publisher.publish(records(10))
        wait_for(publisher._stop.is_set, "the run to be stopped")
    with pytest.raises(ConfigurationError, match="AUTH_CLIENT_ID"):
        publisher.check()
    assert publisher.delivery.unsent == 10


def test_a_token_file_is_read_again_when_its_token_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("old\n")

    def writes_a_new_one(seen: Seen) -> Does:
        (tmp_path / "next").write_text("new\n")
        (tmp_path / "next").replace(file)
        return refuses(401) if seen.token == "old" else GOOD

    tokens = TokenSettings.model_validate({"auth_token_file": str(file)})
    with unruly(writes_a_new_one) as api, publishing(api.url, tokens=tokens) as publisher:
        publisher.publish(records(400))
    publisher.check()
    assert {seen.token for seen in api.seen} == {"old", "new"}
    assert publisher.delivery.accepted == 400


def test_no_token_is_one_message() -> None:
    none = TokenSettings.model_validate({})
    with (
        unruly() as api,
        pytest.raises(ConfigurationError, match="AUTH_TOKEN: --http needs a token"),
        publishing(api.url, tokens=none),
    ):
        pass


def test_nobody_there_is_one_message_unless_there_is_a_spool(tmp_path: Path) -> None:
    with unruly() as api:
        gone = api.url
    with pytest.raises(Unavailable, match="no API answers"), publishing(gone):
        pass
    with publishing(gone, spool=tmp_path, give_up_s=0.5) as publisher:
        publisher.publish(records(100))
    publisher.check()
    assert (publisher.delivery.spooled, publisher.delivery.unsent) == (100, 0)
    assert publisher.delivery.maybe_twice == 0  # nothing was sent


def test_a_full_spool_holds_the_run_up_and_drops_nothing(tmp_path: Path) -> None:
    with unruly(lambda _seen: refuses(503)) as api:
        with publishing(api.url, spool=tmp_path, spool_bytes=40_000) as publisher:
            publisher.publish(records(200))
            blocked = threading.Thread(target=publisher.publish, args=[records(200, first=200)])
            blocked.start()
            blocked.join(0.5)
            assert blocked.is_alive()
            assert publisher._spool.events == 200
            api.plan = lambda _seen: GOOD
            blocked.join(20)
            assert not blocked.is_alive()
        assert api.counted() == values(records(400))
    publisher.check()


def test_what_is_not_confirmed_at_the_end_is_said() -> None:
    with unruly(lambda _seen: refuses(503)) as api, publishing(api.url, give_up_s=0.5) as publisher:
        publisher.publish(records(100))
    with pytest.raises(PlumblineError, match="100 events were not confirmed"):
        publisher.check()


def test_a_process_that_is_refused_prints_its_summary_one_message_and_78() -> None:
    with unruly(lambda _seen: refuses(401)) as api:
        status, out, err = ran(f"--http={api.url}", "--devices=5", "--from=-1m", "--json", AUTH_TOKEN="secret-token")
    told = json.loads(out)
    assert status == 78
    assert told["http"]["unsent"] == told["records"] == 300
    assert err.startswith(f"{api.url} refuses the token (401) → set AUTH_TOKEN")
    assert (err.count("\n"), "secret-token" in err) == (1, False)


def test_a_process_without_an_api_keeps_its_events_and_the_next_one_sends_them(tmp_path: Path) -> None:
    with unruly() as api:
        gone = api.url
    fleet = ("--devices=5", "--from=2026-11-20T00:00:00Z", "--to=2026-11-20T00:01:00Z", f"--spool={tmp_path}")
    status, out, err = ran(f"--http={gone}", *fleet, "--http-give-up=1s", AUTH_TOKEN="given")
    assert status == 0, err
    assert "0 accepted and 0 rejected of 300; 300 in the spool, 0 not confirmed" in out
    with unruly() as api:
        recording = ("--time-column=time", "--device=x", "--speed=max", "--start=-2d")
        status, out, err = ran("replay", str(ALAMOSA), *recording, f"--http={api.url}", f"--spool={tmp_path}",
                               AUTH_TOKEN="given")  # fmt: skip
        assert status == 0, err
    assert "1,740 accepted and 0 rejected of 1,740; 0 in the spool" in out
    assert "300 of them were left in the spool by an earlier run" in out
    assert sum(b"2026-11-20T00:0" in value and b"dev-0000" in value for value in api.taken[:300]) == 300


def test_a_process_whose_api_is_away_is_one_message_and_69() -> None:
    with unruly() as api:
        gone = api.url
    status, out, err = ran(f"--http={gone}", "--from=-1m", AUTH_TOKEN="given")
    assert (status, out) == (69, "")
    assert err.startswith(f"no API answers at {gone} → start it")
    assert err.count("\n") == 1


def test_its_metrics_tell_how_it_goes() -> None:
    registry = CollectorRegistry()
    with unruly(lambda seen: refuses(503) if seen.number == 1 else GOOD) as api:
        publisher = HttpPublisher(replace(OPTIONS, urls=[api.url]), CLIENT, Metrics(registry), threading.Event())
        sent = records(1_000, share=0.02)
        publisher.publish(sent)
        publisher.close()
    value = registry.get_sample_value
    bad = sum("code" in record for record in sent)
    assert value("simulator_http_requests_total", {"status": "5xx"}) == 1
    assert value("simulator_http_requests_total", {"status": "2xx"}) == len(api.seen) - 1
    assert value("simulator_http_retries_total") == publisher.delivery.retried == 1
    assert value("simulator_http_accepted_total") == len(sent) - bad
    codes = publisher.delivery.rejected
    assert {code: value("simulator_http_rejected_total", {"code": code}) for code in codes} == codes != {}
    assert value("simulator_spool_events") == value("simulator_spool_bytes") == 0
    assert value("simulator_spool_age_seconds") == 0


def ran(*arguments: str, **environment: str) -> tuple[int, str, str]:
    """Exit status, stdout and stderr of a simulator."""
    done = subprocess.run(
        [sys.executable, "-m", "simulator", *arguments, "--quiet"],
        cwd=ROOT,
        env={**os.environ, "LOG_LEVEL": "error", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_rejections_that_nobody_planned_are_said() -> None:
    sent = [record | {"value": b'{"device_id":"d"}'} for record in records(3)] + records(10)
    with unruly() as api, publishing(api.url) as publisher:
        publisher.publish(sent)
    with pytest.raises(PlumblineError, match="no fault was planned for: 3 bad_timestamp"):
        publisher.check()
    assert publisher.delivery.accepted == 10
