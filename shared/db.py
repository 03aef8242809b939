"""Postgres: connections, pools, and what its errors ask of us."""

import time
from enum import Enum
from typing import Any

import psycopg
from psycopg_pool import AsyncConnectionPool

from shared.errors import Unavailable

RECONNECT_S = 5.0  # a pool tries so long to connect; then the next who asks makes it try again


class Fault(Enum):
    """What to do about a database error."""

    RETRY = "reconnect and do the same again"
    POISON = "a value can't be stored: find its event and dead-letter that"
    STOP = "stop: something is wrong that a retry won't mend"


_RETRY_CLASSES = {"08", "25", "40", "53", "55", "57"}
_POISON_CLASSES = {"22", "23", "54"}


def classify(error: psycopg.Error) -> Fault:
    """The fault behind an error, by its SQLSTATE class; a connection that broke has none and is retried.

    Disk full (53100) and lock timeouts (55P03) are retried: never a reason to dead-letter.
    """
    state = error.sqlstate
    if state is None:
        return Fault.RETRY if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError) else Fault.STOP
    if state[:2] in _RETRY_CLASSES or state.startswith("58"):
        return Fault.RETRY
    return Fault.POISON if state[:2] in _POISON_CLASSES else Fault.STOP


def backoff_seconds(attempt: int, jitter: float) -> float:
    """The wait before this attempt (1, 2, …): 0.1 s doubling to 5 s, less up to half; `jitter` is in [0, 1)."""
    return min(5.0, 0.1 * 2.0 ** min(attempt - 1, 10)) * (1 - jitter / 2)


def wait_ready(conninfo: str, timeout_s: float) -> None:
    """Returns once the database answered a query.

    Raises:
        Unavailable: it didn't within `timeout_s` seconds, or refused us.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            with psycopg.connect(conninfo) as connection:
                connection.execute("SELECT 1")
        except psycopg.OperationalError as error:
            starting = error.sqlstate in (None, "57P03") and not _refused(error)
            if not starting or time.monotonic() >= deadline:
                raise unavailable(conninfo, error) from None
            time.sleep(0.1)
        else:
            return


def unavailable(conninfo: str, error: psycopg.Error) -> Unavailable:
    """The one message for a database that can't be used; without the password."""
    parts = psycopg.conninfo.conninfo_to_dict(conninfo)
    where = f"{parts.get('host', 'localhost')}:{parts.get('port', 5432)}/{parts.get('dbname', '')}"
    reason = " ".join(str(error).split()) or type(error).__name__
    away = "start it (`plumbline up`) or set DB_HOST, DB_PORT"
    remedy = "set DB_USER, DB_PASSWORD, DB_NAME" if _refused(error) else away
    return Unavailable(f"Postgres at {where} can't be used as {parts.get('user', '')} ({reason}) → {remedy}")


def async_pool(conninfo: str, size: int, **kwargs: Any) -> AsyncConnectionPool:
    """A pool that the caller opens; a full waiting line is refused at once."""
    return AsyncConnectionPool(
        conninfo, min_size=0, max_size=size, open=False, max_waiting=size * 8, timeout=1.0, **_defaults(kwargs)
    )


def _defaults(kwargs: dict[str, Any]) -> dict[str, Any]:
    return {"max_idle": 60.0, "reconnect_timeout": RECONNECT_S} | kwargs


def _refused(error: psycopg.Error) -> bool:
    """Wrong password, role or database: waiting won't help (libpq gives connection errors no SQLSTATE)."""
    text = str(error)
    if "no password supplied" in text:
        return True
    return "authentication failed" in text or ("does not exist" in text and "FATAL" in text)
