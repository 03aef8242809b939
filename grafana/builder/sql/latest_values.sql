SELECT device_id AS "Device", metric AS "Metric", value AS "Value", ts AS "Time", extract(epoch FROM now() - ts) AS "Age"
FROM latest_events CROSS JOIN LATERAL unnest(metrics, values) AS r (metric, value)
WHERE device_id IN (${device:sqlstring}) AND metric IN (${metric:sqlstring})
ORDER BY 1, 2
LIMIT 1000
