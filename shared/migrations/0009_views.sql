-- What people and Grafana read beside `readings`: stored statistics under their names, and each device's latest event.

-- The average that /stats answers: where a double can't hold the sum, `sum_error` has the average in its place.
CREATE FUNCTION stored_average(count int8, sum float8, sum_error float8, min float8, max float8) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN greatest(min, least(max, CASE WHEN abs(sum) < 'Infinity' THEN sum / count ELSE sum_error END));

-- Of a sample; null below two readings and where a double can't hold it, for Postgres would raise an error.
CREATE FUNCTION stored_stddev(count int8, deviation float8) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN count > 1 AND deviation <= 1.7976931348623157e308 / sqrt(count / (count - 1.0::float8))
    THEN deviation * sqrt(count / (count - 1.0::float8))
END;

-- `level` is a bucket's width in seconds, `bucket` its start. Name a level: each counts the same readings again.
CREATE VIEW statistics AS
SELECT
    s.level, s.bucket, d.device_id, m.name AS metric, s.count, s.min, s.max,
    stored_average(s.count, s.sum, s.sum_error, s.min, s.max) AS avg, stored_stddev(s.count, s.deviation) AS stddev, s.late
FROM stats s
JOIN devices d ON d.id = s.device
JOIN metrics m ON m.id = s.metric;

-- The same across all devices.
CREATE VIEW fleet_statistics AS
SELECT
    s.level, s.bucket, m.name AS metric, s.count, s.min, s.max,
    stored_average(s.count, s.sum, s.sum_error, s.min, s.max) AS avg, stored_stddev(s.count, s.deviation) AS stddev, s.late
FROM fleet_stats s
JOIN metrics m ON m.id = s.metric;

-- One row a device: what device_latest has, or what came since. An event that came late is here once it is counted in.
CREATE VIEW latest_events AS
SELECT d.device_id, e.ts, l.metrics, e.values, e.extras
FROM devices d
CROSS JOIN LATERAL (
    (SELECT ts, layout, values, extras FROM events
     WHERE device = d.id AND ts >= (SELECT until FROM materialized ORDER BY level LIMIT 1)
     ORDER BY ts DESC LIMIT 1)
    UNION ALL
    SELECT ts, layout, values, extras FROM device_latest WHERE device = d.id
    ORDER BY ts DESC LIMIT 1
) e
JOIN layouts l ON l.id = e.layout;

GRANT SELECT ON statistics, fleet_statistics, latest_events TO plumbline_readonly;
