"""Why an event can't be taken: the codes of the wire contract."""

from dataclasses import dataclass
from enum import StrEnum


class Code(StrEnum):
    """A stable code; gateway and consumer give the same one for the same bytes."""

    MALFORMED = "malformed"
    NOT_OBJECT = "not_object"
    DUPLICATE_KEY = "duplicate_key"
    BAD_DEVICE_ID = "bad_device_id"
    BAD_TIMESTAMP = "bad_timestamp"
    TIMESTAMP_IN_FUTURE = "timestamp_in_future"
    TIMESTAMP_TOO_OLD = "timestamp_too_old"
    NON_FINITE = "non_finite"
    BAD_METRIC = "bad_metric"
    TOO_MANY_METRICS = "too_many_metrics"
    KEY_MISMATCH = "key_mismatch"
    TOMBSTONE = "tombstone"
    TOO_LARGE = "too_large"
    CARDINALITY_LIMIT = "cardinality_limit"
    DATABASE_REJECTED = "database_rejected"


class Refused(Exception):
    """One event can't be taken; never leaves this package."""

    def __init__(self, code: Code, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Reject:
    """The event at `position` of the input can't be taken. `detail` says what to mend and echoes no input."""

    position: int
    code: Code
    detail: str


@dataclass(frozen=True, slots=True)
class Limits:
    """What an event may be at most."""

    max_event_bytes: int = 1_000_000
    max_future_us: int = 300 * 1_000_000
    max_age_us: int = 3650 * 86_400 * 1_000_000
    max_metrics: int = 256
