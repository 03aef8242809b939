SELECT bucket AS time, sum(late) AS late FROM fleet_statistics
WHERE level = $level AND $__timeFilter(bucket)
GROUP BY 1
ORDER BY 1
