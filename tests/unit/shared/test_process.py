"""How a process starts, answers for itself, and ends."""

import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request

import pytest
from prometheus_client import CollectorRegistry, Counter

from shared import lifecycle, metrics_server
from shared.errors import ConfigurationError, PlumblineError, Unavailable
from shared.failpoints import Failpoints
from shared.settings import ServiceSettings, load
from tests.faults.readiness import free_port


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_metrics_health_and_readiness_are_served_until_the_block_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    monkeypatch.setenv("METRICS_PORT", str(port))
    registry = CollectorRegistry()
    Counter("things", "Things.", registry=registry).inc()
    problems: list[str] = []
    settings = load(ServiceSettings)
    with metrics_server.serve(settings, registry, lambda: problems):
        assert "things_total 1.0" in get(port, "/metrics")[1]
        assert get(port, "/healthz")[0] == 200
        assert get(port, "/readyz")[0] == 200
        problems.append("partition 3 stopped")
        status, body = get(port, "/readyz")
        assert (status, json.loads(body)["problems"]) == (503, ["partition 3 stopped"])
        assert get(port, "/other")[0] == 404
        with (
            pytest.raises(ConfigurationError, match=f"METRICS_PORT: 127.0.0.1:{port}: .* → choose a free port"),
            metrics_server.serve(settings, registry),
        ):
            pass
    with pytest.raises(urllib.error.URLError):
        get(port, "/metrics")


@pytest.mark.parametrize(
    ("error", "status"), [(PlumblineError("say"), 1), (Unavailable("say"), 69), (ConfigurationError("say"), 78)]
)
def test_an_error_for_users_becomes_one_message_and_a_status(
    error: PlumblineError, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    def main() -> int:
        raise error

    with pytest.raises(SystemExit) as ended:
        lifecycle.run(main)
    assert ended.value.code == status
    assert capsys.readouterr().err == "say\n"


def test_the_first_signal_sets_the_event_and_the_second_is_the_users() -> None:
    with lifecycle.stop_event() as stop:
        signal.raise_signal(signal.SIGINT)
        assert stop.wait(5)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_failpoint_acts_on_its_nth_hit_only() -> None:
    code = (
        "from shared.failpoints import Failpoints\n"
        "points = Failpoints('spot=kill@3')\n"
        "for i in range(9):\n"
        "    points.hit('other')\n"
        "    points.hit('spot')\n"
        "    print(i, flush=True)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=30)
    assert (done.returncode, done.stdout.split()) == (-signal.SIGKILL, ["0", "1"])


@pytest.mark.parametrize("text", ["spot", "spot=explode", "spot=kill@x"])
def test_a_failpoint_that_means_nothing_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="FAILPOINTS"):
        Failpoints(text)
