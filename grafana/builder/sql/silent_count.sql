SELECT count(*)
FROM device_latest l
WHERE l.ts < now() - ${silent:sqlstring}::interval AND NOT EXISTS (
    SELECT FROM events e WHERE e.device = l.device AND e.ts >= now() - ${silent:sqlstring}::interval
)
