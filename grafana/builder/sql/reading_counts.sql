SELECT bucket AS time, metric, count FROM fleet_statistics
WHERE level = $level AND metric IN (${metric:sqlstring}) AND $__timeFilter(bucket)
ORDER BY 1
