"""`python -m ingestion_service`: Kafka → Postgres, each event once."""

import gc
import sys
import threading
import uuid

from confluent_kafka import Consumer, KafkaException
from prometheus_client import CollectorRegistry

from ingestion_service.catalogue import Catalogue
from ingestion_service.commit import Committer
from ingestion_service.lag import LagWatch
from ingestion_service.loop import Loop
from ingestion_service.metrics import Metrics
from ingestion_service.outbox import Outbox
from ingestion_service.relay import DELIVERY_TIMEOUT_MS, Relay
from ingestion_service.settings import IngestionSettings
from ingestion_service.store import Store
from ingestion_service.topic import Topic
from ingestion_service.writer import Writer
from shared import db, kafka, lifecycle, lifeline, log, metrics_server, migrations, tracing
from shared.events import Decoder
from shared.failpoints import Failpoints
from shared.plain_errors import reason
from shared.settings import command_line, load
from shared.topics import DEAD_LETTER_BYTES

_log = log.get(__name__)
_WRITER_STOP_S = 1.0
_RELAY_STOP_S = 3.0
_LEAVE_S = 3.0


def main() -> int:
    """Settings → wiring → run until SIGTERM."""
    parser = command_line(
        IngestionSettings,
        "ingestion_service",
        "Consumes TOPIC_READINGS and persists every event to Postgres exactly once.",
        "KAFKA_BOOTSTRAP_SERVERS=localhost:9092 DB_HOST=localhost python -m ingestion_service",
    )
    parser.parse_args()
    settings = load(IngestionSettings)
    log.configure("ingestion", settings)
    # A batch is tens of thousands of objects, none of them in a cycle: looking for cycles after every 700 took a third
    # of the time. And two threads take turns in the interpreter, one of which mostly waits for the database.
    gc.set_threshold(1_000_000)
    sys.setswitchinterval(0.0005)
    failpoints = Failpoints.from_environment()
    conninfo = settings.conninfo("plumbline-ingestion")
    _log.info("connecting", kafka=settings.kafka_bootstrap_servers, timeout_s=settings.startup_timeout_seconds)
    kafka.wait_ready(settings, settings.startup_timeout_seconds)
    db.wait_ready(conninfo, settings.startup_timeout_seconds)
    migrations.require(conninfo)
    Topic(kafka.admin(settings), settings.topic_readings).check()
    # Until here a signal just ends us.
    with lifecycle.stop_event() as stop, tracing.configured("ingestion", settings):
        run(settings, conninfo, failpoints, stop)
    return 0


def run(settings: IngestionSettings, conninfo: str, failpoints: Failpoints, stop: threading.Event) -> None:
    """One process's ingestion, until `stop`; begins again in a new one when a Kafka client can't be used any more.

    Raises:
        PlumblineError: it can't go on.
    """
    admin = kafka.admin(settings)
    topic = Topic(admin, settings.topic_readings)
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    owner = uuid.uuid4()
    store = Store(conninfo, owner, failpoints)
    committer = Committer(store, Catalogue(store, settings.max_devices, settings.max_layouts))
    writer = Writer(store, committer, metrics)
    producer = kafka.producer(
        settings, linger_ms=5, message_max_bytes=DEAD_LETTER_BYTES, message_timeout_ms=DELIVERY_TIMEOUT_MS
    )
    relay = Relay(Outbox(conninfo, owner), producer, settings, metrics, failpoints)
    consumer = kafka.consumer(
        settings,
        group_id=settings.consumer_group,
        auto_offset_reset="error",
        enable_auto_commit=False,
        enable_auto_offset_store=False,
        enable_partition_eof=True,
        partition_assignment_strategy="range,roundrobin",
        queued_min_messages=50_000,
        queued_max_messages_kbytes=16_384,
        fetch_message_max_bytes=524_288,
        fetch_wait_max_ms=min(100, settings.batch_linger_ms),
        fetch_queue_backoff_ms=10,  # a queue that was full for a moment: by default it is let run dry for a second
    )
    loop = Loop(settings, consumer, topic, writer, relay, Decoder(settings.limits()), metrics)
    watch = LagWatch(loop.lag, topic.ends, metrics)
    with metrics_server.serve(settings, registry, loop.problems):
        writer.start()
        relay.start()
        watch.start()
        _log.info("started", topic=topic.name, group=settings.consumer_group, owner=str(owner))
        try:
            with lifeline.watched(lifeline.of(settings, consumer, producer, admin)) as cut:
                loop.run(lambda: stop.is_set() or cut.is_set())
        finally:
            watch.close(0)
            writer.close(_WRITER_STOP_S)
            relay.close(_RELAY_STOP_S)
            _leave(consumer)
            _log.info("stopped")
        if cut.is_set() and not stop.is_set():
            _log.error("started_again", reason="Kafka answers others, but not us")
            lifecycle.again()  # here, for to free such a client can take for ever


def _leave(consumer: Consumer) -> None:
    """Leaves the group, or goes away without: a client that nobody answers may never come back from that."""

    def close() -> None:
        try:
            consumer.close()
        except KafkaException as error:
            _log.warning("group_not_left", error=reason(error))

    closing = threading.Thread(target=close, name="leave", daemon=True)
    closing.start()
    closing.join(_LEAVE_S)
    if closing.is_alive():
        _log.warning("group_not_left", error=f"no answer within {_LEAVE_S:.0f} s")


if __name__ == "__main__":
    lifecycle.run(main)
