"""Kafka clients from settings, and what their errors mean."""

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient

from shared.errors import ConfigurationError, Unavailable
from shared.settings import KafkaSettings

Client = TypeVar("Client")

BATCH_BYTES = 1_000_000  # of a producer's batch, which a topic takes as a whole or not at all


def client_config(settings: KafkaSettings) -> dict[str, Any]:
    """What every client of this broker needs."""
    config: dict[str, Any] = {
        "bootstrap.servers": settings.kafka_bootstrap_servers,
        "security.protocol": settings.kafka_security_protocol,
        "broker.address.family": "any",
        "socket.keepalive.enable": True,
        "reconnect.backoff.ms": 100,
        "reconnect.backoff.max.ms": 2_000,
        "allow.auto.create.topics": False,
        # What librdkafka says by itself of brokers that come and go; the clients' callers report it, with the fix.
        "log_level": 2,
        "logger": logging.getLogger("librdkafka"),  # its own stderr would have another form
    }
    if settings.kafka_security_protocol.startswith("SASL_"):
        config["sasl.mechanism"] = settings.kafka_sasl_mechanism
        config["sasl.username"] = settings.kafka_sasl_username
        config["sasl.password"] = settings.kafka_sasl_password.get_secret_value()
    if settings.kafka_security_protocol.endswith("SSL"):
        files = {
            "ssl.ca.location": settings.kafka_ssl_ca_location,
            "ssl.certificate.location": settings.kafka_ssl_certificate_location,
            "ssl.key.location": settings.kafka_ssl_key_location,
        }
        config.update({name: path for name, path in files.items() if path})
    return config


def producer(settings: KafkaSettings, **overrides: Any) -> Producer:
    """A producer whose deliveries are durable: idempotent, acks=all. Overrides use `_` for `.`."""
    config = client_config(settings) | {
        "enable.idempotence": True,
        "acks": "all",
        "compression.type": "lz4",
        "linger.ms": 20,
        "batch.size": BATCH_BYTES,
        "queue.buffering.max.messages": 500_000,
        "queue.buffering.max.kbytes": 256_000,
    }
    config.pop("allow.auto.create.topics")
    return _built(Producer, config | _dotted(overrides))


def consumer(settings: KafkaSettings, **overrides: Any) -> Consumer:
    """A consumer; the caller decides on group and offsets. Overrides use `_` for `.`."""
    config = client_config(settings) | {
        "session.timeout.ms": settings.kafka_session_timeout_ms,
        "heartbeat.interval.ms": max(300, settings.kafka_session_timeout_ms // 10),
        "max.poll.interval.ms": max(settings.kafka_max_poll_interval_ms, settings.kafka_session_timeout_ms),
    }
    return _built(Consumer, config | _dotted(overrides))


def admin(settings: KafkaSettings) -> AdminClient:
    """An admin client."""
    config = client_config(settings)
    config.pop("allow.auto.create.topics")
    return _built(AdminClient, config)


def wait_ready(settings: KafkaSettings, timeout_s: float) -> None:
    """Returns once a broker answered.

    Raises:
        Unavailable: none did within `timeout_s` seconds.
    """
    client = admin(settings)
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            client.list_topics(timeout=max(0.1, min(2.0, deadline - time.monotonic())))
        except KafkaException as error:
            if time.monotonic() >= deadline:
                raise unavailable(settings, error) from None
        else:
            return


def unavailable(settings: KafkaSettings, error: KafkaException) -> Unavailable:
    """The one message for a broker that doesn't answer."""
    return Unavailable(
        f"Kafka at {settings.kafka_bootstrap_servers} doesn't answer ({error.args[0].str()}) "
        "→ start it (`plumbline up`) or set KAFKA_BOOTSTRAP_SERVERS"
    )


def produce_each(
    producer: Producer, topic: str, messages: Sequence[dict[str, Any]], on_delivery: Callable[..., None] | None = None
) -> None:
    """What `produce_batch` does, for messages with `headers`, which it can't send; one by one, so it takes longer."""
    for message in messages:
        try:
            producer.produce(
                topic,
                message["value"],
                message["key"],
                headers=message.get("headers"),
                on_delivery=message.get("callback", on_delivery),
            )
        except BufferError:
            message["_error"] = KafkaError(KafkaError._QUEUE_FULL)  # noqa: SLF001  public, in spite of its name
        except KafkaException as error:
            message["_error"] = error.args[0]


def _dotted(overrides: dict[str, Any]) -> dict[str, Any]:
    return {name.replace("_", "."): value for name, value in overrides.items()}


def _built(cls: Callable[[dict[str, Any]], Client], config: dict[str, Any]) -> Client:
    try:
        return cls(config)
    except (KafkaException, ValueError) as error:
        reason = error.args[0].str() if isinstance(error, KafkaException) else str(error)
        raise ConfigurationError(f"KAFKA_*: {reason} → check KAFKA_SECURITY_PROTOCOL and what goes with it") from None
