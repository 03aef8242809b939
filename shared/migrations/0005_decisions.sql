-- What operators decide: how a partition that stood still goes on, what becomes of a dead letter.

-- Each decision closes a chapter of its partition: the row of kafka_offsets as it was, with all its counters, and
-- where the partition begins anew. The accounting identity holds for every chapter.
CREATE TABLE offset_decisions (
    id                int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at                timestamptz NOT NULL DEFAULT now(),
    who               text NOT NULL,
    action            text NOT NULL CHECK (action IN ('skip', 'restart', 'retire')),
    reason            text NOT NULL,
    state             text NOT NULL, -- ok, or why the partition stood still
    topic             text NOT NULL,
    partition         int4 NOT NULL,
    topic_id          text NOT NULL,
    first_offset      int8 NOT NULL,
    next_offset       int8 NOT NULL,
    leader_epoch      int4,
    owner             uuid NOT NULL,
    owner_epoch       int8 NOT NULL,
    events_total      int8 NOT NULL,
    persisted_total   int8 NOT NULL,
    duplicate_total   int8 NOT NULL,
    conflict_total    int8 NOT NULL,
    dead_letter_total int8 NOT NULL,
    gap_total         int8 NOT NULL,
    acked_offset      int8 NOT NULL, -- goes on: the relay publishes what the chapter left in outbox_closed
    updated_at        timestamptz NOT NULL,
    new_topic_id      text, -- null, as all that follow: the partition is no more
    new_offset        int8,
    low               int8, -- Kafka's watermarks at the time
    high              int8,
    CHECK (num_nulls(new_topic_id, new_offset, low, high) = CASE action WHEN 'retire' THEN 4 ELSE 0 END)
);
CREATE INDEX offset_decisions_partition ON offset_decisions (topic, partition);

-- The decision that began the partition's open chapter; 0: the first one.
ALTER TABLE kafka_offsets ADD COLUMN chapter int8 NOT NULL DEFAULT 0;

-- Kafka lost records that were read. New ones take their offsets, so that soon nothing shows it any more: the mark stays
-- until an operator decides.
ALTER TABLE kafka_offsets ADD COLUMN truncated bool NOT NULL DEFAULT false;

-- Acks that a closed chapter had not published yet: they leave before those of the chapter that follows.
CREATE TABLE outbox_closed (
    decision      int8 NOT NULL REFERENCES offset_decisions,
    first_offset  int8 NOT NULL,
    last_offset   int8 NOT NULL,
    persisted     int8 NOT NULL,
    duplicates    int8 NOT NULL,
    conflicts     int8 NOT NULL,
    dead_lettered int8 NOT NULL,
    committed_at  timestamptz NOT NULL,
    PRIMARY KEY (decision, first_offset)
);

-- After Kafka lost records, new ones have their offsets: only place and bytes together tell whether it is the same
-- record again. Null isn't empty. As a generated column it would double the time of an INSERT: ingestion computes it.
CREATE FUNCTION record_digest(key bytea, value bytea) RETURNS bytea
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN sha256(int4send(coalesce(octet_length(key), -1)) || coalesce(key, '') || coalesce('\x01'::bytea || value, ''));
ALTER TABLE dead_letters ADD COLUMN digest bytea;
UPDATE dead_letters SET digest = record_digest(key, value);
ALTER TABLE dead_letters
    DROP CONSTRAINT dead_letters_pkey,
    ADD PRIMARY KEY (topic_id, partition, "offset", digest);

-- A replay that was sent twice comes back as one dead letter: `replay_digest` is of its origin, attempt and bytes.
ALTER TABLE dead_letters
    ADD COLUMN discarded_at timestamptz,
    ADD COLUMN replay_digest bytea;
CREATE UNIQUE INDEX dead_letters_replay ON dead_letters (replay_digest) WHERE replay_digest IS NOT NULL;

CREATE TABLE dead_letter_decisions (
    id        int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at        timestamptz NOT NULL DEFAULT now(),
    who       text NOT NULL,
    action    text NOT NULL CHECK (action IN ('replay', 'discard')),
    reason    text NOT NULL,
    topic_id  text NOT NULL,
    partition int4 NOT NULL,
    "offset"  int8 NOT NULL,
    digest    bytea NOT NULL,
    attempt   int4, -- of a replay
    fix       text  -- what a replay changed; null: nothing
);
CREATE INDEX dead_letter_decisions_letter ON dead_letter_decisions (topic_id, partition, "offset");

GRANT SELECT ON offset_decisions, outbox_closed, dead_letter_decisions
    TO plumbline_ingestion, plumbline_aggregation, plumbline_api, plumbline_readonly;
GRANT UPDATE (acked_offset) ON offset_decisions TO plumbline_ingestion;
