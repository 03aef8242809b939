-- Statistics in a new form: stored rows are made again from the events, by the aggregator's next runs.
TRUNCATE stats;
DELETE FROM dirty;
UPDATE materialized SET until = '-infinity';

-- How often stored rows of a device were replaced or removed: who keeps copies of rows compares it. A bucket that is
-- stored a first time, in order, doesn't count.
CREATE TABLE device_revisions (
    device   int4 PRIMARY KEY,
    revision int8 NOT NULL
) WITH (fillfactor = 50);

-- Statistics across all devices, merged from the rows of `stats`: what a question about the fleet would otherwise
-- have to read a thousand times. A bucket below `until` (fleet_until) that isn't in `fleet_stale` is complete: no row
-- then means no readings.
CREATE TABLE fleet_stats (
    level      int4 NOT NULL,
    metric     int4 NOT NULL,
    bucket     timestamptz NOT NULL,
    count      int8 NOT NULL,
    sum        float8 NOT NULL,
    sum_error  float8 NOT NULL,
    min        float8 NOT NULL,
    max        float8 NOT NULL,
    m2         float8 NOT NULL,
    late       int8 NOT NULL,
    rank_error float8 NOT NULL,
    summary    bytea NOT NULL,
    PRIMARY KEY (level, metric, bucket)
);
CREATE TABLE fleet_until (
    level int4 PRIMARY KEY,
    until timestamptz NOT NULL DEFAULT '-infinity'
);
-- Whoever changes rows of `stats` below fleet_until names their buckets here, in the same transaction.
CREATE TABLE fleet_stale (
    level  int4 NOT NULL,
    metric int4 NOT NULL,
    bucket timestamptz NOT NULL,
    PRIMARY KEY (level, metric, bucket)
);

-- A grid of doubles doesn't compress: trying costs time at every write, and a copy at every read.
ALTER TABLE stats ALTER COLUMN summary SET STORAGE EXTERNAL;
ALTER TABLE fleet_stats ALTER COLUMN summary SET STORAGE EXTERNAL;

GRANT SELECT ON device_revisions, fleet_stats, fleet_until, fleet_stale
    TO plumbline_aggregation, plumbline_api, plumbline_readonly;
GRANT INSERT, UPDATE ON device_revisions, fleet_until TO plumbline_aggregation;
GRANT INSERT, UPDATE, DELETE ON fleet_stats, fleet_stale TO plumbline_aggregation;
