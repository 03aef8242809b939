"""Errors as text for logs and answers: what went wrong and where, never what was sent to us.

An exception's message may hold input (a key that isn't there, a value that is no number, a row that Postgres refuses).
So only messages of kinds that can't are told; of others the kind is.
"""

import sys
import traceback
from typing import TYPE_CHECKING, TypeGuard

from shared.errors import PlumblineError

if TYPE_CHECKING:
    from confluent_kafka import KafkaException
    from psycopg import Error

_TELLING = (
    *(PlumblineError, OSError, RuntimeError, AssertionError, MemoryError),
    *(TypeError, AttributeError, NameError, ImportError, Warning),
)
# Data exceptions and broken constraints: their messages quote values.
_QUOTING = ("22", "23")


def reason(error: BaseException) -> str:
    """What went wrong, in one line."""
    kind = type(error).__name__
    if _of_postgres(error):
        text = _primary(error)
    elif _of_kafka(error):
        text = error.args[0].str()
    else:
        text = str(error) if isinstance(error, _TELLING) else ""
    return " ".join(text.split()) or kind


# An error of a driver is there only if the driver was loaded, and not every service has both.
def _of_postgres(error: BaseException) -> "TypeGuard[Error]":
    driver = sys.modules.get("psycopg")
    return driver is not None and isinstance(error, driver.Error)


def _of_kafka(error: BaseException) -> "TypeGuard[KafkaException]":
    client = sys.modules.get("confluent_kafka")
    return client is not None and isinstance(error, client.KafkaException)


def _primary(error: "Error") -> str:
    """The primary message only: detail and context quote rows. Of a connection that broke, libpq's text."""
    if error.sqlstate is not None and error.sqlstate.startswith(_QUOTING):
        return ""
    return error.diag.message_primary or (
        str(error) if isinstance(error, sys.modules["psycopg"].OperationalError) else ""
    )


def trace(error: BaseException) -> str:
    """The places in the code, and the same of its causes, the first one first."""
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    before = f"{trace(cause)}\nfrom which came:\n" if cause is not None else ""
    frames = "".join(traceback.format_tb(error.__traceback__))
    return f"{before}{frames}{type(error).__name__}: {reason(error)}"
