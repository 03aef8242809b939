"""The ingestion service's settings."""

from pydantic import Field

from shared.settings import DatabaseSettings, EventSettings, ServiceSettings, TopicSettings


class IngestionSettings(TopicSettings, DatabaseSettings, EventSettings, ServiceSettings):
    """Broker, topics, database, and how to batch."""

    consumer_group: str = Field("plumbline-ingestion", min_length=1, description="Kafka consumer group")
    batch_max_events: int = Field(20_000, ge=1, le=200_000, description="events in one transaction at most")
    batch_max_bytes: int = Field(
        4_194_304, ge=1, le=1_073_741_824, description="a batch that holds so many bytes of values is full too"
    )
    batch_linger_ms: int = Field(100, ge=1, le=10_000, description="how long a batch may wait to fill up")
    max_devices: int = Field(1_000_000, ge=1, description="a new device beyond so many is cardinality_limit")
    max_layouts: int = Field(10_000, ge=1, description="a new set of metric names beyond so many likewise")
    dead_letter_limit_consecutive: int = Field(
        0, ge=0, description="stop, without dropping anything, at so many dead letters in a row; 0: never"
    )
    dead_letter_limit_percent: float = Field(
        0,
        ge=0,
        le=100,
        description="stop, without dropping anything, at such a share of a batch of 100 or more; 0: never",
    )
    ack_backlog_max: int = Field(
        10_000, ge=0, description="with more commits than so many not acknowledged yet, each batch waits; 0: never"
    )
    ack_hold_max_seconds: float = Field(
        1, ge=0.01, le=5, description="a batch waits so long at most for acks: a slow ack topic never stops ingestion"
    )
    startup_timeout_seconds: float = Field(30, ge=1, le=600, description="how long to wait for Kafka and Postgres")
