"""Logs: one line an event, with its fields, and nothing secret."""

import json
import logging
import os
from collections.abc import Iterator

import pytest

from shared import log
from shared.settings import ServiceSettings, load


@pytest.fixture(autouse=True)
def root_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers = handlers
    root.setLevel(level)


def configure(monkeypatch: pytest.MonkeyPatch, log_format: str) -> None:
    monkeypatch.setenv("LOG_FORMAT", log_format)
    log.configure("test", load(ServiceSettings))


def test_json_has_an_event_a_line_with_service_level_and_time(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(monkeypatch, "json")
    log.get("ours").info("batch_committed", events=3)
    logging.getLogger("theirs").warning("told by a library")
    ours, theirs = map(json.loads, capsys.readouterr().err.splitlines())
    assert (ours["event"], ours["events"], ours["service"], ours["level"]) == ("batch_committed", 3, "test", "info")
    assert ours["timestamp"].endswith("Z")
    assert (theirs["event"], theirs["service"], theirs["level"]) == ("told by a library", "test", "warning")


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_traceback_shows_no_variables(
    log_format: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(monkeypatch, log_format)
    password = os.urandom(8).hex()
    try:
        log_in(password)
    except RuntimeError:
        log.get("ours").exception("failed")
    printed = capsys.readouterr().err
    assert "it broke" in printed
    assert "in log_in" in printed
    assert password not in printed


def log_in(password: str) -> None:
    raise RuntimeError("it broke") from ValueError(len(password))
