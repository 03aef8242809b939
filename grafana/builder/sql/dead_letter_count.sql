SELECT count(*) FROM dead_letters WHERE $__timeFilter(at)
