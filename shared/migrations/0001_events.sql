-- Events as they were accepted: one row an event, its metrics in the order of its layout.

CREATE TABLE devices (
    id          int4 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    device_id   text COLLATE "C" NOT NULL UNIQUE,
    created_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE metrics (
    id          int4 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        text COLLATE "C" NOT NULL UNIQUE
);

-- No name holds a newline. Immutable indeed, though array_to_string and convert_to aren't for every type and encoding.
CREATE FUNCTION layout_digest(names text[]) RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog
AS $$ SELECT sha256(convert_to(array_to_string(names, E'\n'), 'UTF8')) $$;

-- A layout is a set of metric names, sorted by code point; `metric_ids` is in the same order. The digest stands for
-- the names in the index: 256 names of 64 characters are more than an index row can hold.
CREATE TABLE layouts (
    id          int4 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    metrics     text[] COLLATE "C" NOT NULL,
    metric_ids  int4[] NOT NULL,
    digest      bytea NOT NULL GENERATED ALWAYS AS (layout_digest(metrics)) STORED UNIQUE
);

-- Who sends what: a row from the first event of a device in a layout on.
CREATE TABLE device_layouts (
    device      int4 NOT NULL,
    layout      int4 NOT NULL,
    PRIMARY KEY (device, layout)
);

CREATE TABLE events (
    device      int4 NOT NULL,
    ts          timestamptz NOT NULL,
    layout      int4 NOT NULL,
    values      float8[] NOT NULL,
    extras      jsonb,
    PRIMARY KEY (device, ts, layout)
) PARTITION BY RANGE (ts);

-- Scans by time; the primary key serves scans by device.
CREATE INDEX events_ts ON events USING brin (ts);

CREATE VIEW readings AS
SELECT d.device_id, r.metric, e.ts, r.value
FROM events e
JOIN devices d ON d.id = e.device
JOIN layouts l ON l.id = e.layout
CROSS JOIN LATERAL unnest(l.metrics, e.values) AS r (metric, value);

-- Makes the daily partitions that these UTC days lack. ATTACH takes a weaker lock on the parent than
-- CREATE … PARTITION OF does: writers and readers of other days go on meanwhile.
CREATE FUNCTION ensure_event_partitions(days date[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    day date;
    name text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('plumbline.partitions'));
    FOREACH day IN ARRAY days LOOP
        name := 'events_' || to_char(day, 'YYYYMMDD');
        CONTINUE WHEN EXISTS (SELECT FROM pg_class WHERE oid = to_regclass('public.' || name) AND relispartition);
        EXECUTE format('CREATE TABLE public.%I (LIKE public.events INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', name);
        EXECUTE format(
            'ALTER TABLE public.events ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)',
            name, day::text || ' 00:00:00+00', (day + 1)::text || ' 00:00:00+00'
        );
    END LOOP;
END $$;

-- Ids of these devices, made where they are new; a device over `max_devices` is left out.
CREATE FUNCTION register_devices(names text[], max_devices int8) RETURNS TABLE (device_id text, id int4)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
#variable_conflict use_column
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('plumbline.devices'));
    INSERT INTO devices (device_id)
    SELECT n FROM unnest(names) WITH ORDINALITY AS new (n, position)
    WHERE NOT EXISTS (SELECT FROM devices d WHERE d.device_id = n)
    ORDER BY position
    LIMIT greatest(0, max_devices - (SELECT count(*) FROM devices));
    RETURN QUERY SELECT d.device_id, d.id FROM devices d WHERE d.device_id = ANY (names);
END $$;

-- The id of this layout (metric names, sorted by code point), made where it is new; null over `max_layouts`.
CREATE FUNCTION register_layout(names text[], max_layouts int8) RETURNS int4
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    found_id int4;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('plumbline.layouts'));
    SELECT l.id INTO found_id FROM layouts l WHERE l.digest = layout_digest(names);
    IF found_id IS NOT NULL OR (SELECT count(*) FROM layouts) >= max_layouts THEN
        RETURN found_id;
    END IF;
    INSERT INTO metrics (name)
    SELECT n FROM unnest(names) AS n WHERE NOT EXISTS (SELECT FROM metrics m WHERE m.name = n);
    INSERT INTO layouts (metrics, metric_ids)
    SELECT names, coalesce((
        SELECT array_agg(m.id ORDER BY position)
        FROM unnest(names) WITH ORDINALITY AS new (n, position) JOIN metrics m ON m.name = n
    ), '{}')
    RETURNING layouts.id INTO found_id;
    RETURN found_id;
END $$;
