"""Logs: one line an event, with its fields, and nothing secret."""

import json
import logging
import os
import sys
import threading
import warnings
from collections.abc import Iterator

import pytest
import structlog
from confluent_kafka import Producer

from shared import kafka, log
from shared.settings import KafkaSettings, ServiceSettings, load
from tests.pipeline import wait_for


@pytest.fixture(autouse=True)
def root_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, hooks = root.handlers, root.level, (sys.excepthook, threading.excepthook)
    yield
    logging.captureWarnings(capture=False)
    sys.excepthook, threading.excepthook = hooks
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()


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
    assert list(ours)[:4] == list(theirs)[:4] == ["timestamp", "level", "service", "event"]
    assert ours["timestamp"].endswith("Z")
    assert (theirs["event"], theirs["service"], theirs["level"]) == ("library", "test", "warning")
    assert (theirs["logger"], theirs["message"]) == ("theirs", "told by a library")


@pytest.mark.parametrize("log_format", ["json", "console"])
@pytest.mark.parametrize("whose", ["a thread's", "the process's", "a library's"])
def test_a_crash_is_a_line_without_variables_or_what_was_sent(
    whose: str, log_format: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(monkeypatch, log_format)
    password = os.urandom(8).hex()
    if whose == "a thread's":
        thread = threading.Thread(target=log_in, args=[password])
        thread.start()
        thread.join()
    else:
        try:
            log_in(password)
        except RuntimeError as error:
            if whose == "the process's":
                sys.excepthook(type(error), error, error.__traceback__)
            else:
                logging.getLogger("asyncio").exception("never retrieved")
    printed = capsys.readouterr().err
    assert ("library" if whose == "a library's" else "crashed") in printed
    assert "it broke" in printed
    assert "in log_in" in printed
    assert "KeyError" in printed
    assert password not in printed


def log_in(password: str) -> None:
    try:
        os.environ[password]
    except KeyError as error:
        raise RuntimeError("it broke") from error


def test_pythons_warnings_are_lines_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    configure(monkeypatch, "json")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn("old", DeprecationWarning, stacklevel=1)
        logging.captureWarnings(capture=False)
    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["logger"]) == ("library", "py.warnings")
    assert "DeprecationWarning: old" in line["message"]


def test_librdkafkas_lines_are_lines_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    configure(monkeypatch, "json")
    settings = KafkaSettings.model_validate({"kafka_bootstrap_servers": "127.0.0.1:1"})
    producer = Producer(kafka.client_config(settings) | {"log_level": 6})
    printed = ""

    def told() -> bool:
        nonlocal printed
        producer.poll(0.1)
        printed += capsys.readouterr().err
        return "\n" in printed

    wait_for(told, "it says that nobody is there")
    line = json.loads(printed.splitlines()[0])
    assert (line["event"], line["logger"], line["service"]) == ("library", "librdkafka", "test")
    assert "Connection refused" in line["message"]
