"""Which topic it is that we consume: a name can be deleted and made again, an id can't."""

import time
from collections.abc import Collection
from concurrent.futures import Future

from confluent_kafka import KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec, TopicDescription  # type: ignore[attr-defined]

from shared.errors import PlumblineError, Unavailable

_LOOK_EVERY_S = 1.0
_ENDS_S = 3.0
_AWAY = {KafkaError._TIMED_OUT, KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN}  # noqa: SLF001


class Topic:
    """Asks the cluster; for one thread, but for `ends`."""

    def __init__(self, admin: AdminClient, name: str) -> None:
        self.name = name
        self._admin = admin
        self.partitions = 0  # that it had when it was last looked at
        self._known: str | None = None
        self._asked: Future[TopicDescription] | None = None
        self._ask_at = 0.0

    def identity(self) -> str:
        """The topic's id.

        Raises:
            KafkaException: no broker answered.
        """
        return self._learn(self._describe().result(timeout=10))

    def check(self) -> None:
        """Raises PlumblineError when there is no such topic."""
        try:
            self.identity()
        except KafkaException as error:
            if error.args[0].code() not in (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.TOPIC_EXCEPTION):
                raise Unavailable(
                    f"topic {self.name} can't be read ({error.args[0].str()}) → check KAFKA_* and the broker's ACLs"
                ) from None
            raise PlumblineError(
                f"topic {self.name} doesn't exist → make it (`python -m shared.topics`) or set TOPIC_READINGS"
            ) from None

    def latest_identity(self) -> str | None:
        """The id that the name had when it was last looked at; looks in the background, again and again."""
        if self._asked is None and time.monotonic() >= self._ask_at:
            self._asked = self._describe()
        if self._asked is not None and self._asked.done():
            asked, self._asked = self._asked, None
            self._ask_at = time.monotonic() + _LOOK_EVERY_S
            if asked.exception() is None:
                self._learn(asked.result())
        return self._known

    def ends(self, partitions: Collection[int]) -> dict[int, int | None]:
        """The offsets that follow the last records of those of these partitions that a broker answers for.

        None: it has no such partition, or refuses to tell. Any thread may ask.
        """
        wanted = {TopicPartition(self.name, number): OffsetSpec.latest() for number in partitions}  # type: ignore[no-untyped-call]
        asked = self._admin.list_offsets(wanted, request_timeout=_ENDS_S)
        ends: dict[int, int | None] = {}
        for at, future in asked.items():
            try:
                end = future.result().offset
            except KafkaException as error:
                if error.args[0].code() not in _AWAY:
                    ends[at.partition] = None
            else:
                if end >= 0:  # where nobody answered in time the client says so by a number, and by no error
                    ends[at.partition] = end
        return ends

    def _learn(self, description: TopicDescription) -> str:
        self._known, self.partitions = str(description.topic_id), len(description.partitions)
        return self._known

    def _describe(self) -> "Future[TopicDescription]":
        return self._admin.describe_topics(TopicCollection([self.name]), request_timeout=5)[self.name]
