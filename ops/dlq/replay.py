"""Publishes dead letters to the topic that they came from, and marks those that Kafka has."""

import time
from base64 import b64decode
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from ingestion_service.outbox import REPLAY_ATTEMPT, REPLAY_OF
from ops.dlq import store
from ops.dlq.letters import CannotFix, Fix, mended
from ops.dlq.store import Mark
from ops.store import Connection
from shared.errors import Unavailable
from shared.failpoints import Failpoints

REPLAY_FIXED = "plumbline.replay.fixed"
AT_ONCE = 100  # a dead letter may have two megabytes
DELIVERY_TIMEOUT_S = 30.0

Row = Mapping[str, Any]
Header = tuple[str, str | bytes | None]


@dataclass(frozen=True, slots=True)
class Replay:
    """A dead letter as it will be published."""

    letter: Row
    attempt: int
    key: bytes | None
    value: bytes | None
    headers: list[Header]


@dataclass
class Outcome:
    """What became of the dead letters that were chosen; `refused` counts the reasons."""

    replayed: int = 0
    refused: Counter[str] = field(default_factory=Counter)


def prepare(letter: Row, before: int, fix: Fix, most: int) -> Replay:
    """The record to publish; `before` is the last attempt at this dead letter that the log knows.

    The attempts are counted on from the record's own header: a dead letter may be of a replay.

    Raises:
        CannotFix: it can't be mended, or has had its attempts.
    """
    attempt = max(before, _attempt(letter)) + 1
    if attempt > most:
        raise CannotFix(f"it was replayed {attempt - 1} times (--max-attempts)")
    key, value = mended(letter["key"], letter["value"], fix)
    kept: list[Header] = [(name, each) for name, each in _headers(letter) if not name.startswith("plumbline.replay.")]
    origin = f"{letter['topic_id']}/{letter['partition']}/{letter['offset']}"
    own = {REPLAY_OF: origin, REPLAY_ATTEMPT: str(attempt), REPLAY_FIXED: str(fix)}
    return Replay(letter, attempt, key, value, kept + [(n, text.encode()) for n, text in own.items() if text])


def _headers(letter: Row) -> list[tuple[str, bytes | None]]:
    return [(name, None if value is None else b64decode(value)) for name, value in letter["headers"]]


def _attempt(letter: Row) -> int:
    text = next((value for name, value in _headers(letter) if name == REPLAY_ATTEMPT), None) or b""
    return int(text) if text.isdigit() and len(text) < 9 else 0


class Replayer:
    """Prepares, publishes and marks, some at a time; `most` attempts at each."""

    def __init__(self, connection: Connection, producer: Producer, decision: Mark, fix: Fix, most: int) -> None:
        self._connection, self._producer = connection, producer
        self._decision, self._fix, self._most = decision, fix, most
        self._failpoints = Failpoints.from_environment()
        self.outcome = Outcome()

    def run(self, letters: Iterable[Row], say: Callable[[str], None]) -> Outcome:
        """Replays these, in their order.

        Raises:
            Unavailable: Kafka doesn't answer; what it took before is marked.
        """
        rows = iter(letters)
        while chosen := list(islice(rows, AT_ONCE)):
            delivered, error = self._publish(self.prepared(chosen))
            self._failpoints.hit("dlq.before_mark")
            if delivered:
                decision = replace(self._decision, attempts=[each.attempt for each in delivered])
                store.mark(self._connection, [each.letter for each in delivered], decision)
            self.outcome.replayed += len(delivered)
            if error is not None:
                done = f"{self.outcome.replayed} were replayed and marked"
                raise Unavailable(f"Kafka doesn't take the dead letters ({error}); {done} → run this again later")
            say(f"replayed {self.outcome.replayed:,}, refused {self.outcome.refused.total():,}")
        return self.outcome

    def prepared(self, chosen: Sequence[Row]) -> list[Replay]:
        """Those of them that can be replayed; the others are counted as refused."""
        before = store.attempts(self._connection, chosen)
        ready = []
        for letter in chosen:
            last = before.get(store.identity(letter), 0)
            try:
                ready.append(prepare(letter, last, self._fix, self._most))
            except CannotFix as reason:
                self.outcome.refused[str(reason)] += 1
        return ready

    def _publish(self, ready: Sequence[Replay]) -> tuple[list[Replay], str | None]:
        """What Kafka has now, and why it didn't take the rest; one that it refuses for itself counts as refused."""
        reports: dict[int, KafkaError | None] = {}
        for number, each in enumerate(ready):
            self._produce(number, each, reports)
        deadline = time.monotonic() + DELIVERY_TIMEOUT_S
        while len(reports) < len(ready) and time.monotonic() < deadline:
            self._producer.poll(0.1)
        if len(reports) < len(ready):
            self._producer.purge()
        error: str | None = None if len(reports) == len(ready) else f"not within {DELIVERY_TIMEOUT_S:.0f} s"
        for failed in (report for report in reports.values() if report is not None):
            if failed.code() in _OWN_FAULT:
                self.outcome.refused[failed.str()] += 1
            else:
                error = failed.str()
        return [each for number, each in enumerate(ready) if reports.get(number, _MISSING) is None], error

    def _produce(self, number: int, each: Replay, reports: dict[int, KafkaError | None]) -> None:
        def on_delivery(error: KafkaError | None, _message: object) -> None:
            reports[number] = error

        try:
            self._producer.produce(
                each.letter["topic"], each.value, each.key, headers=each.headers, on_delivery=on_delivery
            )
        except KafkaException as error:
            reports[number] = error.args[0]


_MISSING = KafkaError(KafkaError._TIMED_OUT)  # noqa: SLF001
_OWN_FAULT = {
    KafkaError.MSG_SIZE_TOO_LARGE,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001
    KafkaError.INVALID_RECORD,
}
