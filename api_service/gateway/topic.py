"""The readings topic as the broker knows it: its id makes a receipt mean this topic, not a later one of its name."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType  # type: ignore[attr-defined]

from api_service.problems import unavailable
from api_service.settings import ApiSettings
from shared import kafka, log
from shared.plain_errors import reason

_EVERY_S = 2.0
_LIMIT_EVERY_S = 60.0
_TIMEOUT_S = 1.5
# Of a record batch beside an event's bytes: its key, and what frames them.
_FRAME_BYTES = 1_000
_AWAY = "it doesn't answer → start it (`plumbline up`), or set KAFKA_BOOTSTRAP_SERVERS"
_log = log.get(__name__)


class Topic:
    """Asked for again and again in the background, so that no request waits for it."""

    def __init__(self, settings: ApiSettings) -> None:
        self._settings = settings
        self._limit: int | None = None
        self._limit_asked = 0.0
        self._id: str | None = None
        self._trouble: str | None = _AWAY

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """It is asked for in the block."""
        watch = asyncio.create_task(self._watch(kafka.admin(self._settings)))
        try:
            yield
        finally:
            watch.cancel()
            with suppress(asyncio.CancelledError):
                await watch

    def require(self) -> str:
        """The topic's id.

        Raises:
            Problem: 503, Kafka has not answered since this process began.
        """
        if self._id is None:
            raise unavailable("Kafka doesn't answer, or has no topic for readings.")
        return self._id

    def trouble(self) -> str | None:
        """Why Kafka can't be used, with the fix; None: it answered a moment ago."""
        return self._trouble

    async def _watch(self, admin: AdminClient) -> None:
        while True:
            found = await asyncio.to_thread(self._asked, admin)
            if found != self._trouble:
                if found is None:
                    _log.info("kafka_ready")
                else:
                    _log.warning("kafka_away", problem=found)
            self._trouble = found
            await asyncio.sleep(_EVERY_S)

    def _asked(self, admin: AdminClient) -> str | None:
        topic = self._settings.topic_readings
        try:
            asked = admin.describe_topics(TopicCollection([topic]), request_timeout=_TIMEOUT_S)
            self._id = str(asked[topic].result(timeout=2 * _TIMEOUT_S).topic_id)
        except TimeoutError:
            return _AWAY
        except KafkaException as error:
            return f"{error.args[0].str()} → start it and make its topics (`plumbline up`), or set KAFKA_*"
        return self._too_small(admin)

    def _too_small(self, admin: AdminClient) -> str | None:
        """Whether the topic refuses records that we would send: the broker then refuses all that are sent with them."""
        if self._limit is None or time.monotonic() - self._limit_asked > _LIMIT_EVERY_S:
            self._limit, self._limit_asked = self._record_limit(admin), time.monotonic()
        needed = max(self._settings.max_event_bytes, kafka.BATCH_BYTES) + _FRAME_BYTES
        if self._limit is None or self._limit >= needed:
            return None
        return (
            f"topic {self._settings.topic_readings} takes records of {self._limit} bytes, and needs {needed} "
            "→ raise its max.message.bytes, or lower MAX_EVENT_BYTES"
        )

    def _record_limit(self, admin: AdminClient) -> int | None:
        """max.message.bytes; None: it can't be known now, such as without the right to ask for it."""
        resource = ConfigResource(ResourceType.TOPIC, self._settings.topic_readings)
        try:
            found = admin.describe_configs([resource], request_timeout=_TIMEOUT_S)[resource]
            return int(found.result(timeout=2 * _TIMEOUT_S)["max.message.bytes"].value)
        except (KafkaException, TimeoutError) as error:
            _log.warning("topic_limit_unknown", reason=reason(error))
            return None
