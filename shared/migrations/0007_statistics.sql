-- Statistics in a new form: stored rows are made again from the events, by the aggregator's next runs.
TRUNCATE stats;
DELETE FROM dirty;
UPDATE materialized SET until = '-infinity';

-- √(Σ(x − mean)² / count), which a double always holds, in place of the sum of squares, which it often can't.
ALTER TABLE stats RENAME COLUMN m2 TO deviation;
-- `summary`: all readings sorted while there are few, else those of some ranks (shared/statistics/summary.py), packed
-- (shared/statistics/compact.py).

-- How often stored rows of a device were replaced or removed: who keeps copies of rows compares it. A bucket that is
-- stored a first time, in order, doesn't count.
CREATE TABLE device_revisions (
    device   int4 PRIMARY KEY,
    revision int8 NOT NULL
) WITH (fillfactor = 50);

-- Statistics across all devices, merged from the rows of `stats`: what a question about the fleet would otherwise
-- have to read a thousand times. A bucket in [since, until) (fleet_until) that isn't in `fleet_stale` is complete: no
-- row then means no readings.
CREATE TABLE fleet_stats (
    level      int4 NOT NULL,
    metric     int4 NOT NULL,
    bucket     timestamptz NOT NULL,
    count      int8 NOT NULL,
    sum        float8 NOT NULL,
    sum_error  float8 NOT NULL,
    min        float8 NOT NULL,
    max        float8 NOT NULL,
    deviation  float8 NOT NULL,
    late       int8 NOT NULL,
    rank_error float8 NOT NULL,
    summary    bytea NOT NULL,
    PRIMARY KEY (level, metric, bucket)
);
-- The range grows at both ends, history backwards: the last hours, which are asked for most, don't wait for months.
CREATE TABLE fleet_until (
    level int4 PRIMARY KEY,
    since timestamptz NOT NULL, -- -infinity: all history is done
    until timestamptz NOT NULL
);
-- Whoever changes rows of `stats` below fleet_until names their buckets here, in the same transaction. A log without a
-- unique key: two that change rows of different devices don't wait for each other. Before anything else, so before its
-- snapshot, such a transaction does LOCK TABLE fleet_until IN ROW SHARE MODE, and one that moves fleet_until or deletes
-- from here IN EXCLUSIVE MODE: neither overlooks what the other did.
CREATE TABLE fleet_stale (
    level  int4 NOT NULL,
    metric int4 NOT NULL,
    bucket timestamptz NOT NULL
);
CREATE INDEX fleet_stale_key ON fleet_stale (bucket, level, metric); -- worked in newest first

-- Which aggregator has the turn: who takes it raises `epoch`, and each transaction of its workers holds the row of
-- their epoch FOR SHARE. So the work of one that lost its turn is either committed before the next begins, or refused.
CREATE TABLE aggregation_turn (epoch int8 NOT NULL);
INSERT INTO aggregation_turn VALUES (0);

-- The log is worked newest first: no round may sort or count the whole of it.
CREATE INDEX dirty_bucket_device ON dirty (bucket, device);

-- What is packed already doesn't compress: trying costs time at every write, and a copy at every read.
ALTER TABLE stats ALTER COLUMN summary SET STORAGE EXTERNAL;
ALTER TABLE fleet_stats ALTER COLUMN summary SET STORAGE EXTERNAL;
-- As before (0003), but new partitions take over how the summary is stored.
CREATE OR REPLACE FUNCTION ensure_stats_partitions(of_level int4, from_time timestamptz, to_time timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    unit text := CASE WHEN of_level < 3600 THEN 'day' WHEN of_level < 86400 THEN 'month' ELSE 'year' END;
    pattern text := CASE unit WHEN 'day' THEN 'YYYYMMDD' WHEN 'month' THEN 'YYYYMM' ELSE 'YYYY' END;
    parent text := 'stats_' || of_level;
    start timestamptz;
    name text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('plumbline.partitions'));
    IF to_regclass('public.' || parent) IS NULL THEN
        EXECUTE format(
            'CREATE TABLE public.%I PARTITION OF public.stats FOR VALUES IN (%L) PARTITION BY RANGE (bucket)',
            parent, of_level
        );
    END IF;
    FOR start IN
        SELECT generate_series(date_trunc(unit, from_time), to_time - interval '1 microsecond', ('1 ' || unit)::interval)
    LOOP
        name := parent || '_' || to_char(start, pattern);
        CONTINUE WHEN EXISTS (SELECT FROM pg_class WHERE oid = to_regclass('public.' || name) AND relispartition);
        EXECUTE format(
            'CREATE TABLE public.%I (LIKE public.stats INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE)', name
        );
        EXECUTE format(
            'ALTER TABLE public.%I ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)',
            parent, name, start, start + ('1 ' || unit)::interval
        );
    END LOOP;
END $$;

GRANT SELECT ON device_revisions, fleet_stats, fleet_until, fleet_stale
    TO plumbline_aggregation, plumbline_api, plumbline_readonly;
GRANT INSERT, UPDATE ON device_revisions, fleet_until TO plumbline_aggregation;
GRANT INSERT, UPDATE, DELETE ON fleet_stats, fleet_stale TO plumbline_aggregation;
GRANT SELECT, UPDATE ON aggregation_turn TO plumbline_aggregation;

-- Rebuilds of stored statistics that operators asked for. What lies before (next_time, next_device) is done: the same
-- command, given again, goes on there.
CREATE TABLE backfills (
    id          int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    who         text NOT NULL,
    asked_from  text NOT NULL, -- as it was typed
    asked_to    text NOT NULL,
    from_time   timestamptz NOT NULL,
    to_time     timestamptz NOT NULL,
    levels      int4[] NOT NULL,
    devices     int4[], -- null: all
    fleet       bool NOT NULL, -- rows across devices are made again, whether a device's row differs or not
    next_time   timestamptz NOT NULL,
    next_device int4 NOT NULL DEFAULT 0,
    readings    int8 NOT NULL DEFAULT 0, -- that were read
    compared    int8 NOT NULL DEFAULT 0, -- rows that were made again
    changed     int8 NOT NULL DEFAULT 0, -- of those, the ones that had to be written
    waiting     int8 NOT NULL DEFAULT 0, -- rows that are left to the aggregator: late events wait there
    kept        int8 NOT NULL DEFAULT 0, -- rows whose raw events are gone
    started_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz
);
GRANT SELECT ON backfills TO plumbline_readonly;
