-- A dead letter and its error ack leave for different topics, each at its own pace: a topic that is missing or slow
-- holds up nothing of the other.
ALTER TABLE dead_letters ADD COLUMN acked_at timestamptz;
UPDATE dead_letters SET acked_at = published_at WHERE published_at IS NOT NULL;
CREATE INDEX dead_letters_unacked ON dead_letters (topic_id, partition, "offset") WHERE acked_at IS NULL;
GRANT UPDATE (acked_at) ON dead_letters TO plumbline_ingestion;
