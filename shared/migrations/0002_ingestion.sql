-- Where each partition stands, and what it counted: written in the same transaction as the events.
CREATE TABLE kafka_offsets (
    topic             text NOT NULL,
    partition         int4 NOT NULL,
    topic_id          text NOT NULL,
    first_offset      int8 NOT NULL,
    next_offset       int8 NOT NULL,
    leader_epoch      int4,
    owner             uuid NOT NULL,
    owner_epoch       int8 NOT NULL,
    events_total      int8 NOT NULL DEFAULT 0,
    persisted_total   int8 NOT NULL DEFAULT 0,
    duplicate_total   int8 NOT NULL DEFAULT 0,
    conflict_total    int8 NOT NULL DEFAULT 0,
    dead_letter_total int8 NOT NULL DEFAULT 0,
    gap_total         int8 NOT NULL DEFAULT 0,
    acked_offset      int8 NOT NULL,
    updated_at        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (topic, partition)
) WITH (fillfactor = 50);

-- What could not be taken, byte for byte.
CREATE TABLE dead_letters (
    topic_id     text NOT NULL,
    partition    int4 NOT NULL,
    "offset"     int8 NOT NULL,
    topic        text NOT NULL,
    key          bytea,
    value        bytea,
    headers      jsonb NOT NULL DEFAULT '[]',
    code         text NOT NULL,
    detail       text NOT NULL,
    at           timestamptz NOT NULL DEFAULT now(),
    published_at timestamptz,
    replayed_at  timestamptz,
    PRIMARY KEY (topic_id, partition, "offset")
);
CREATE INDEX dead_letters_unpublished ON dead_letters (topic_id, partition, "offset") WHERE published_at IS NULL;
CREATE INDEX dead_letters_at ON dead_letters (at);

-- One success ack a partition and commit, until the relay has published it (kafka_offsets.acked_offset is its mark).
CREATE TABLE outbox (
    topic_id      text NOT NULL,
    partition     int4 NOT NULL,
    first_offset  int8 NOT NULL,
    last_offset   int8 NOT NULL,
    persisted     int8 NOT NULL,
    duplicates    int8 NOT NULL,
    conflicts     int8 NOT NULL,
    dead_lettered int8 NOT NULL,
    committed_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (topic_id, partition, first_offset)
);
