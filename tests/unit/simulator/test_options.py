"""The command line: what it means, and one clear message for what it can't."""

from pathlib import Path

import pytest

from simulator.__main__ import window
from simulator.http import options as over_http
from simulator.http.publisher import HttpOptions
from simulator.options import parse
from simulator.times import duration_us, moment

NOW = 1_795_000_000_000_000
HOUR = 3_600_000_000
MIDNIGHT = 1_794_960_000_000_000  # 2026-11-18 in UTC


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ([], (NOW, None)),
        (["--duration", "60s"], (NOW, NOW + 60_000_000)),
        (["--from", "-6h"], (NOW - 6 * HOUR, NOW)),
        (["--from", "-6h", "--to", "-1h"], (NOW - 6 * HOUR, NOW - HOUR)),
        (["--from=-6h", "--duration", "1h"], (NOW - 6 * HOUR, NOW + HOUR)),
        (["--from", "-6h", "--follow"], (NOW - 6 * HOUR, None)),
        (["--from", "2026-11-18T00:00:00+01:00", "--to", "2026-11-18T00:00:00Z"], (MIDNIGHT - HOUR, MIDNIGHT)),
    ],
)  # fmt: skip
def test_the_window(argv: list[str], expected: tuple[int, int | None]) -> None:
    assert window(parse(argv), NOW) == expected


def test_rate_sets_the_interval() -> None:
    assert parse(["--devices", "1000", "--rate", "5000"]).interval == 200_000
    assert parse(["--interval", "10s"]).interval == 10_000_000


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--rate", "5", "--interval", "1s"], "not allowed with"),
        (["--rate", "0"], "not a rate above 0"),
        (["--rate", "nan"], "not a rate above 0"),
        (["--devices", "0"], "whole number from 1"),
        (["--devices", "2", "--rate", "5000"], "more --devices"),
        (["--late", "1.5"], "share from 0 to 1"),
        (["--late", "0.6", "--malformed", "0.6"], "sum to more than 1"),
        (["--from", "yesterday"], "write -6h, now or"),
        (["--from", "2026-11-18T00:00:00"], "write -6h, now or"),
        (["--to", "-1h"], "--to needs --from"),
        (["--duration", "1 hour"], "write 60s, 15m, 6h or 2d"),
        (["--prefix", 'a"b'], "can't begin device ids"),
        (["--http", "localhost:8000"], "are not different addresses"),
        (["--http", "http://a:8000,http://a:8000/"], "are not different addresses"),
        (["--http", "http://user:secret@a"], "are not different addresses"),
        (["--http", "http://a:80000"], "are not different addresses"),
        (["--http", ","], "are not different addresses"),
        (["--http", "http://a", "--http-batch", "0"], "whole number from 1 to 10000"),
        (["--http", "http://a", "--http-connections", "300"], "whole number from 1 to 256"),
        (["--http", "http://a", "--spool-max", "1 MB"], "not a size → write 256MB"),
        (["--spool", "somewhere"], "need --http URL"),
        (["--http-gzip"], "need --http URL"),
        (["replay", "f.csv", "--time-column", "t"], "--device-column --device is required"),
        (["replay", "f.csv", "--time-column", "t", "--device", "d", "--speed", "-1"], "speed above 0"),
        (["replay", "f.csv", "--time-column", "t", "--device", "d", "--http-batch", "9"], "need --http URL"),
        (["replay", "f.csv", "--time-column", "t", "--device", "d", "--metric", "a=b c"], "can't be a metric's name"),
        (["replay", "f.csv", "--time-column", "t", "--device", "d", "--time-zone", "Mars"], "not a time zone"),
        (["replay", "f.csv", "--time-column", "t", "--device", "d", "--shift-to-now", "--start", "-1h"], "not allowed"),
    ],
)
def test_a_usage_error_says_what_to_write(argv: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(argv)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_over_http() -> None:
    options = over_http.of(parse(["--http", "http://a:8000/, https://b/api", "--spool", "s", "--spool-max", "1MiB"]))
    assert options == HttpOptions(["http://a:8000", "https://b/api"], 500, 4, False, 30.0, 60.0, Path("s"), 1 << 20)


@pytest.mark.parametrize("argv", [["--help"], ["replay", "--help"]])
def test_help_has_examples_and_the_environment(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(argv)
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert "python -m simulator" in shown
    assert "KAFKA_BOOTSTRAP_SERVERS" in shown
    assert "AUTH_CLIENT_SECRET" in shown
    assert "--http http://localhost:8000" in shown


def test_durations_and_moments() -> None:
    assert [duration_us(text) for text in ("90", "1.5h", "250ms", "2d")] == [
        90 * 10**6,
        5400 * 10**6,
        250_000,
        48 * HOUR,
    ]
    assert moment("now").at(NOW) == NOW
    assert moment("+5m").at(NOW) == NOW + 300 * 10**6
    assert moment("1969-12-31T23:59:59.5Z").at(NOW) == -500_000
