-- Statistics of closed buckets. `level` is a bucket's width in seconds, `bucket` its start (UTC).

-- Below its watermark a level's buckets count as closed: an ingesting transaction that writes there says so in
-- `dirty`. It reads the rows FOR SHARE, the aggregator moves them with an UPDATE: no transaction straddles it.
CREATE TABLE watermarks (
    level      int4 PRIMARY KEY,
    watermark  timestamptz NOT NULL DEFAULT '-infinity',
    moved_at   timestamptz NOT NULL DEFAULT now(),
    share_lock bool  -- never written: FOR SHARE needs the privilege to update some column
);
INSERT INTO watermarks (level) VALUES (60), (3600), (86400);

-- How far each level is stored: at most its watermark, behind it while a run is under way or after a crash.
CREATE TABLE materialized (
    level      int4 PRIMARY KEY,
    until      timestamptz NOT NULL DEFAULT '-infinity',
    updated_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO materialized (level) VALUES (60), (3600), (86400);

-- Late data, appended by ingestion: `events` events of this device and layout came for a bucket (of the finest
-- level) that was closed. A log without a unique key: nobody ever waits for the aggregator here.
CREATE TABLE dirty (
    id        int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    bucket    timestamptz NOT NULL,
    device    int4 NOT NULL,
    layout    int4 NOT NULL,
    events    int4 NOT NULL,
    logged_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX dirty_device_bucket ON dirty (device, bucket);

-- `summary`: float64, little endian: all values sorted while there are few, else an equi-rank grid
-- (shared/statistics/summary.py).
CREATE TABLE stats (
    level      int4 NOT NULL,
    device     int4 NOT NULL,
    metric     int4 NOT NULL,
    bucket     timestamptz NOT NULL,
    count      int8 NOT NULL,
    sum        float8 NOT NULL, -- compensated: the sum is sum + sum_error
    sum_error  float8 NOT NULL,
    min        float8 NOT NULL,
    max        float8 NOT NULL,
    m2         float8 NOT NULL, -- sum of squared deviations from the mean
    late       int8 NOT NULL,   -- readings that came after the bucket was first stored
    rank_error float8 NOT NULL, -- of the summary's percentiles at most; 0: exact
    summary    bytea NOT NULL,
    PRIMARY KEY (level, device, metric, bucket)
) PARTITION BY LIST (level);

-- Makes the partitions that [from, to) lacks: a level's own, and below it one a day (levels under an hour),
-- a month (under a day) or a year.
CREATE FUNCTION ensure_stats_partitions(of_level int4, from_time timestamptz, to_time timestamptz) RETURNS void
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
        EXECUTE format('CREATE TABLE public.%I (LIKE public.stats INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', name);
        EXECUTE format(
            'ALTER TABLE public.%I ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)',
            parent, name, start, start + ('1 ' || unit)::interval
        );
    END LOOP;
END $$;
