"""Notices a Kafka client that no broker will ever answer again.

A cluster that comes back may say for a moment that it has no brokers. librdkafka then drops those that it knew, and in
a race (confluentinc/librdkafka#5301; seen here with 2.14 to 2.16) is left with none: whatever it is asked times out,
for ever, while a new client is served. A firewall that forgot a connection looks the same for minutes.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from confluent_kafka import Consumer, KafkaException, Producer
from confluent_kafka.admin import AdminClient

from shared import kafka
from shared.settings import TopicSettings

Client = Consumer | Producer | AdminClient
Ask = Callable[[], bool]

_EVERY_S = 2.0
_ANSWER_S = 1.0
_PATIENCE_S = 8.0  # one that is well is back long before: it tries to connect every two or three seconds


class Lifeline:
    """`asks` say of each client whether it is answered, `anew` whether a new one is. For one thread."""

    def __init__(self, asks: Sequence[Ask], anew: Ask) -> None:
        self._asks, self._anew = asks, anew
        self._alone: dict[int, float] = {}  # since when others are answered, but this client isn't

    def cut(self, now: float) -> bool:
        """Whether some client must be made anew, at `now` (monotonic s). Takes two seconds while Kafka is away."""
        silent: list[int] = []
        for number, ask in enumerate(self._asks):
            if not ask():
                if not silent and not self._anew():
                    break  # Kafka is away, for all of them
                silent.append(number)
        self._alone = {number: self._alone.get(number, now) for number in silent}
        return any(now - since >= _PATIENCE_S for since in self._alone.values())


def of(settings: TopicSettings, *clients: Client) -> Lifeline:
    """That of these clients."""

    topic = settings.topic_readings
    return Lifeline(
        [partial(_answered, client, topic) for client in clients], lambda: _answered(kafka.admin(settings), topic)
    )


@contextmanager
def watched(lifeline: Lifeline) -> Iterator[threading.Event]:
    """Looks all the time in a thread; the event says that it is cut."""
    cut, ending = threading.Event(), threading.Event()

    def watch() -> None:
        while not ending.wait(_EVERY_S) and not cut.is_set():
            if lifeline.cut(time.monotonic()):
                cut.set()

    thread = threading.Thread(target=watch, name="lifeline", daemon=True)
    thread.start()
    try:
        yield cut
    finally:
        ending.set()
        thread.join()


def _answered(client: Client, topic: str) -> bool:
    try:
        client.list_topics(topic, timeout=_ANSWER_S)
    except KafkaException:
        return False
    return True
