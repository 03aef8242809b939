SELECT coalesce(sum(late) / nullif(sum(count), 0), 0) FROM fleet_statistics
WHERE level = $level AND $__timeFilter(bucket)
