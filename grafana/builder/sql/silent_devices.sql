-- device_latest is as fresh as stored minutes: who looks silent there may have sent since.
SELECT d.device_id AS "Device", l.ts AS "Last event", extract(epoch FROM now() - l.ts) AS "Silent for"
FROM device_latest l JOIN devices d ON d.id = l.device
WHERE l.ts < now() - ${silent:sqlstring}::interval AND NOT EXISTS (
    SELECT FROM events e WHERE e.device = l.device AND e.ts >= now() - ${silent:sqlstring}::interval
)
ORDER BY l.ts
LIMIT 100
