SELECT coalesce(sum(count), 0) FROM fleet_statistics
WHERE level = $level AND $__timeFilter(bucket)
