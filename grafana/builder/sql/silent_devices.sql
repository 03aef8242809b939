SELECT device_id AS "Device", ts AS "Last event", extract(epoch FROM now() - ts) AS "Silent for"
FROM latest_events
WHERE ts < now() - ${silent:sqlstring}::interval
ORDER BY ts
LIMIT 100
