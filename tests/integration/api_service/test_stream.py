"""/stats/stream: what a listener has put together equals /stats, however it was interrupted."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from prometheus_client import CollectorRegistry

from api_service.app import create_app
from api_service.auth.claims import LEEWAY_S
from api_service.auth.issuer import Issuer
from api_service.auth.signing import OwnKeys
from api_service.settings import ApiSettings
from tests.answering import answering
from tests.integration.api_service.warehouse import MICROS, Readings, Warehouse
from tests.listening import Ear, listening
from tests.unit.api_service.serving import served

Serve = Callable[..., httpx.Client]
MINUTE = 60 * MICROS
FAST: dict[str, Any] = {"stream_interval_seconds": 0.1}


def now() -> int:
    return int(time.time() * MICROS)


def events(device: str, start: int, count: int, step: int = 7 * MICROS) -> list[tuple[str, int, Readings]]:
    readings = [{"temp": 20.0 + number % 7, "rpm": float(number)} for number in range(count)]
    return [(device, start + number * step, own) for number, own in enumerate(readings)]


@pytest.fixture
def filled(warehouse: Warehouse) -> Warehouse:
    """An hour of ward-1 and icu-1, stored but for the last ten minutes."""
    start = now() - 60 * MINUTE
    warehouse.add(events("ward-1", start, 513) + events("icu-1", start, 513))
    warehouse.store(now() - 10 * MINUTE)
    return warehouse


def exhaust(iterator: Iterator[object]) -> None:
    for _ in iterator:
        continue


def equals_stats(ear: Ear, client: httpx.Client, params: dict[str, Any]) -> bool:
    """Whether the rows are those of /stats; the stream's `from` is the start of a bucket."""
    first = min(start for _, _, start in ear.rows)
    rows = client.get("/stats", params={**params, "from": first, "limit": 5_000}).json()["rows"]
    wanted = {(row["device_id"], row["metric"], row["start"]): row for row in rows}
    return {key: ear.rows.get(key) for key in wanted} == wanted


def test_the_first_event_has_all_rows_and_later_ones_what_has_changed(serve: Serve, filled: Warehouse) -> None:
    client, params = serve(**FAST), {"device_id": "ward-1", "from": "-30m", "bucket": "5m"}
    with listening(client, params) as ear:
        first = ear.hear()
        assert first.name == "stats"
        assert first.data["complete"] is True
        assert first.data["bucket"] == "5m"
        assert min(row["start"] for row in first.data["rows"]) == first.data["from"]
        assert equals_stats(ear, client, params)
        before = len(ear.rows)
        filled.add([("ward-1", now() - 1000, {"temp": 99.5})])
        second = ear.hear()
        assert second.data["complete"] is False
        assert {row["metric"] for row in second.data["rows"]} == {"temp"}
        assert max(row["max"] for row in second.data["rows"]) == 99.5
        assert len(ear.rows) in (before, before + 1)


def test_late_data_is_told_as_a_change_of_its_bucket(serve: Serve, filled: Warehouse) -> None:
    client, params = serve(**FAST), {"device_id": "ward-1", "metric": "temp", "from": "-50m", "bucket": "1m"}
    with listening(client, params) as ear:
        ear.hear()
        late = now() - 40 * MINUTE
        filled.add_late([("ward-1", late, {"temp": -5.0})])
        changed = ear.hear().data["rows"]
        assert [row["min"] for row in changed] == [-5.0]
        assert changed[0]["late"] == 1
        assert changed[0]["final"] is False


def test_without_from_it_is_the_current_bucket_and_the_one_before(serve: Serve, filled: Warehouse) -> None:
    with listening(serve(**FAST), {"device_id": "ward-1", "metric": "temp"}) as ear:
        data = ear.hear().data
        assert data["bucket"] == "1m"
        assert 1 <= len(data["rows"]) <= 3  # three, if the minute changed meanwhile


def test_a_known_id_brings_what_has_changed_since(serve: Serve, filled: Warehouse) -> None:
    client, params = serve(**FAST), {"device_id": "ward-1", "metric": "temp", "from": "-30m", "bucket": "1m"}
    with listening(client, params) as stays, listening(client, params) as goes:
        stays.hear()
        goes.hear()
        known, heard = goes.last_id, len(goes.rows)
        filled.add([("ward-1", now() - 5 * MINUTE, {"temp": 77.0})])
        stays.hear()
        with listening(client, params, known) as back:
            first = back.hear()
            assert first.data["complete"] is False
            assert [row["max"] for row in first.data["rows"]] == [77.0]
        assert heard > 1


def test_an_id_of_another_process_brings_all_since_its_time(serve: Serve, filled: Warehouse) -> None:
    """Buckets that closed while the client was away are there, though the stream's own window is shorter."""
    away = f"deadbeef-12-{now() - 25 * MINUTE}"
    with listening(serve(**FAST), {"device_id": "ward-1", "metric": "temp", "bucket": "1m"}, away) as ear:
        first = ear.hear()
        assert first.data["complete"] is True
        assert 25 <= len(first.data["rows"]) <= 27


@pytest.mark.parametrize(
    "text", ["", "x", "deadbeef-1", "deadbeef-1-99999999999999999", "deadbeef-1--99999999999999999"]
)
def test_an_id_that_isnt_ours_is_a_new_beginning(serve: Serve, filled: Warehouse, text: str) -> None:
    with listening(serve(**FAST), {"device_id": "ward-1", "metric": "temp"}, text) as ear:
        assert ear.hear().data["complete"] is True


def test_a_listener_of_all_hears_of_a_device_that_is_new(serve: Serve, filled: Warehouse) -> None:
    with listening(serve(**FAST), {"metric": "temp"}) as ear:
        ear.hear()
        filled.add([("ward-9", now() - 1000, {"temp": 1.0})])
        ear.until(lambda: any(device == "ward-9" for device, _, _ in ear.rows))


def test_a_token_for_some_devices_hears_of_those_only(serve: Serve, filled: Warehouse) -> None:
    client = serve("ward", **FAST)
    with listening(client, {"metric": "temp"}) as ear:
        ear.hear()
        filled.add([("icu-1", now() - 1000, {"temp": 1.0}), ("ward-1", now() - 1000, {"temp": 2.0})])
        ear.hear()
        assert {device for device, _, _ in ear.rows} == {"ward-1"}
    other = client.get("/stats/stream", params={"device_id": "icu-1"})
    assert (other.status_code, other.content) == (
        404,
        client.get("/stats/stream", params={"device_id": "nobody"}).content,
    )


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"to": "now"}, "query"),
        ({"limit": "5"}, "query"),
        ({"cursor": "x"}, "query"),
        ({"bucket": "none"}, "bucket"),
        ({"bucket": "7m"}, "bucket"),
        ({"from": "-3650d", "bucket": "1m"}, "bucket"),
        ({"from": "yesterday"}, "from"),
    ],
)
def test_what_cant_be_streamed_is_a_422_before_the_stream(serve: Serve, params: dict[str, str], field: str) -> None:
    answer = serve(**FAST).get("/stats/stream", params={"device_id": "ward-1", **params})
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


def test_too_many_rows_are_a_422(serve: Serve, warehouse: Warehouse) -> None:
    start = now() - 3_000 * MINUTE
    warehouse.add([("d", start + n * MINUTE, {"a": 1.0, "b": 2.0}) for n in range(2_900)])
    answer = serve(**FAST).get("/stats/stream", params={"device_id": "d", "from": "-50h", "bucket": "1m"})
    assert answer.status_code == 422
    assert "5000 rows" in answer.json()["errors"][0]["detail"]


def test_one_listener_too_many_is_a_503(serve: Serve, filled: Warehouse) -> None:
    client = serve(**FAST, stream_max_listeners=1)
    with listening(client, {"device_id": "ward-1"}) as ear:
        ear.hear()
        refused = client.get("/stats/stream", params={"device_id": "icu-1"})
        assert refused.status_code == 503
        assert refused.headers["retry-after"]


def test_where_nothing_changes_a_heartbeat_says_how_fresh_that_is(serve: Serve, filled: Warehouse) -> None:
    with listening(serve(**FAST, stream_heartbeat_seconds=0.2), {"device_id": "icu-1"}) as ear:
        first = ear.hear()
        quiet = [ear.hear() for _ in range(3)]
        assert [event.data["rows"] for event in quiet] == [[], [], []]
        assert quiet[0].data["as_of"] > first.data["as_of"]
        assert quiet[2].data["as_of"] > quiet[1].data["as_of"]


def test_the_stream_ends_with_its_token(settings: ApiSettings, filled: Warehouse) -> None:
    own = settings.model_copy(update={**FAST, "stream_heartbeat_seconds": 0.2})
    issuer = Issuer(own.auth_issuer, own.jwt_audience, OwnKeys(own.auth_signing_key_file))
    nearly_over = LEEWAY_S - 2  # seconds ago it expired
    token = issuer.issue("someone", ["read:stats"], None, time.time() - 60, 60 - nearly_over)
    with answering(own) as client:
        client.headers["authorization"] = f"Bearer {token}"
        with listening(client, {"device_id": "icu-1"}) as ear:
            event = ear.hear()
            while event.name != "end":
                event = ear.hear()
            assert event.data == {"reason": "token_expired"}
            with pytest.raises(StopIteration):
                ear.hear()


def test_who_doesnt_read_is_cut_off_and_the_others_are_told(settings: ApiSettings, filled: Warehouse) -> None:
    """Once its connection's buffers are full events wait for it: sixteen, no more."""
    registry = CollectorRegistry()
    own = settings.model_copy(update=FAST)
    params = {"device_id": "ward-1", "from": "-59m", "bucket": "1m"}
    many = {f"metric-{number}": 1.0 for number in range(40)}  # so that an event has half a megabyte
    with answering(own) as reader:
        token = reader.headers["authorization"]
    with served(create_app(own, registry), own, registry) as client, socket.socket() as deaf:
        client.headers["authorization"] = token
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect((client.base_url.host, client.base_url.port))
        request = f"GET /stats/stream?{urlencode(params)} HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n\r\n"
        deaf.sendall(request.encode())
        with listening(client, params) as ear:
            ear.hear()
            begun, number = now(), 0
            while not registry.get_sample_value("plumbline_api_stream_dropped_total"):
                number += 1
                assert number < 200
                start = begun - 9 * MINUTE + number
                filled.add([("ward-1", start + minute * MINUTE, many) for minute in range(9)])
                ear.hear()
        deaf.settimeout(5)
        came = b"".join(iter(lambda: deaf.recv(65_536), b""))
        assert not came.endswith(b"0\r\n\r\n")  # cut off, not ended


def test_a_process_that_stops_ends_its_streams_at_once(settings: ApiSettings, filled: Warehouse) -> None:
    own = settings.model_copy(update=FAST)
    with httpx.Client(timeout=10) as outside:
        with answering(own) as client:
            request = client.build_request("GET", "/stats/stream", params={"device_id": "ward-1"})
            answer = outside.send(request, stream=True)
            lines = answer.iter_lines()
            assert next(lines) == "retry: 2000"
            begun = time.monotonic()
        assert time.monotonic() - begun < 3
        with pytest.raises(httpx.RemoteProtocolError):
            exhaust(lines)
        answer.close()


def test_the_pipeline_says_how_much_and_how_fresh(serve: Serve, filled: Warehouse) -> None:
    filled.connection.execute(
        """
        INSERT INTO kafka_offsets (topic, partition, topic_id, first_offset, next_offset, owner, owner_epoch,
            events_total, persisted_total, duplicate_total, conflict_total, dead_letter_total, acked_offset)
        VALUES ('t', 0, 'x', 0, 10, gen_random_uuid(), 1, 10, 7, 2, 1, 1, 0), ('t', 1, 'x', 0, 5, gen_random_uuid(), 1,
            5, 5, 0, 0, 0, 0)
        """
    )
    filled.add_late([("ward-1", now() - 40 * MINUTE, {"temp": -5.0})])
    found = serve().get("/pipeline").json()
    last = found["ingestion"].pop("last_commit")
    assert found["ingestion"] == {"events": 15, "persisted": 12, "duplicates": 2, "conflicts": 1, "dead_letters": 1}
    assert last < found["as_of"]
    levels = {level["level"]: level for level in found["aggregation"]["levels"]}
    assert set(levels) == {"1m", "1h", "1d"}
    assert 600 <= levels["1m"]["behind_seconds"] < 720
    assert found["aggregation"]["late_waiting"] == 1
    assert found["aggregation"]["late_waiting_seconds"] >= 0


def test_the_pipeline_of_nothing(serve: Serve) -> None:
    found = serve().get("/pipeline").json()
    assert found["ingestion"]["events"] == 0
    assert found["ingestion"]["last_commit"] is None
    assert {level["until"] for level in found["aggregation"]["levels"]} == {None}
    assert json.dumps(found["aggregation"]["late_waiting_seconds"]) == "null"


def test_the_pipeline_is_for_tokens_of_all_devices(serve: Serve) -> None:
    refused = serve("ward").get("/pipeline")
    assert refused.status_code == 403
    assert refused.json()["code"] == "forbidden_device"
