-- A weighted average of averages: sums of readings could be more than a double holds.
SELECT time, min(min) AS min, sum(avg * (count / total)) AS avg, max(max) AS max
FROM (
    SELECT $__timeGroup(bucket, $__interval) AS time, count, min, max, avg,
        sum(count) OVER (PARTITION BY $__timeGroup(bucket, $__interval)) AS total
    FROM statistics
    WHERE level = $level AND device_id IN (${device:sqlstring}) AND metric IN (${metric:sqlstring})
        AND $__timeFilter(bucket)
) buckets
GROUP BY 1
ORDER BY 1
