"""A Kafka client that nobody answers: what librdkafka makes of itself in a race that no test can win at will.

See shared/lifeline.py.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from shared import kafka
from shared.lifeline import Client
from shared.settings import KafkaSettings


@contextmanager
def first(kind: str) -> Iterator[None]:
    """The first "consumer", "producer" or "admin" that is made in the block is such a client."""
    make = getattr(kafka, kind)

    def deaf(settings: KafkaSettings, **options: object) -> Client:
        setattr(kafka, kind, make)
        made: Client = make(settings.model_copy(update={"kafka_bootstrap_servers": silence}), **options)
        return made

    with socket.create_server(("127.0.0.1", 0)) as server:  # it takes connections, and never says a word
        silence = f"127.0.0.1:{server.getsockname()[1]}"
        setattr(kafka, kind, deaf)
        try:
            yield
        finally:
            setattr(kafka, kind, make)
