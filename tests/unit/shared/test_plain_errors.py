"""What errors say in logs: enough to act on, and nothing of what was sent to us."""

import json

import psycopg
import pytest
from confluent_kafka import KafkaError, KafkaException

from shared.errors import PlumblineError
from shared.plain_errors import reason, trace


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (PlumblineError("a is wrong → mend it"), "a is wrong → mend it"),
        (OSError(28, "No space left on device"), "[Errno 28] No space left on device"),
        (RuntimeError("two\n lines"), "two lines"),
        (KafkaException(KafkaError(KafkaError._TIMED_OUT, "it took\ntoo long")), "it took too long"),
        (ValueError("invalid literal: 'secret'"), "ValueError"),
        (KeyError("secret"), "KeyError"),
        (UnicodeDecodeError("utf-8", b"secret", 0, 1, "secret"), "UnicodeDecodeError"),
        (psycopg.OperationalError("connection failed:\n refused"), "connection failed: refused"),
        (psycopg.ProgrammingError('missing "=" after "secret"'), "ProgrammingError"),
        (RuntimeError(), "RuntimeError"),
    ],
)
def test_the_reason_is_one_line_without_input(error: Exception, told: str) -> None:
    assert reason(error) == told


def test_a_trace_names_places_and_causes() -> None:
    try:
        try:
            json.loads('{"secret')
        except ValueError as error:
            raise RuntimeError("it can't be read") from error
    except RuntimeError as error:
        text = trace(error)
    assert text.index("JSONDecodeError") < text.index("from which came") < text.index("RuntimeError: it can't be read")
    assert text.count("test_plain_errors.py") == 2
