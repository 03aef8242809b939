SELECT device_id AS "Device", sum(late) AS "Late readings", sum(late) / sum(count) AS "Share"
FROM statistics
WHERE level = $level AND device_id IN (${device:sqlstring}) AND metric IN (${metric:sqlstring}) AND $__timeFilter(bucket)
GROUP BY 1
HAVING sum(late) > 0
ORDER BY 2 DESC
LIMIT 100
