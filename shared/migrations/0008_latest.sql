-- The latest event of each device as far as the finest level is stored: there it is one read, however much is stored or
-- how long the device has been silent, and still after raw events are gone. What is newer is in `events`.
--
-- For each device: no event below `materialized.until` of the finest level comes after this row, unless `dirty` has an
-- entry for that event. Whoever moves `until` or deletes from `dirty` sees to it (aggregation_service/latest_store.py).
-- Of events with the same timestamp the latest is the one whose names of metrics come first.
CREATE TABLE device_latest (
    device  int4 PRIMARY KEY,
    ts      timestamptz NOT NULL,
    layout  int4 NOT NULL,
    values  float8[] NOT NULL,
    extras  jsonb
) WITH (fillfactor = 50); -- each row is replaced once a minute, in its page

INSERT INTO device_latest
SELECT DISTINCT ON (d.id) d.id, e.ts, e.layout, e.values, e.extras
FROM devices d
CROSS JOIN LATERAL (SELECT * FROM events WHERE device = d.id ORDER BY ts DESC FETCH FIRST 1 ROW WITH TIES) e
JOIN layouts l ON l.id = e.layout
ORDER BY d.id, l.metrics;

GRANT SELECT ON device_latest TO plumbline_ingestion, plumbline_aggregation, plumbline_api, plumbline_readonly;
GRANT INSERT, UPDATE ON device_latest TO plumbline_aggregation;
