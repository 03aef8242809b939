-- The finest that shows the time range in no more than 400 buckets, and all that are wider.
SELECT level AS __value, justify_hours(make_interval(secs => level))::text AS __text
FROM materialized
WHERE $__timeTo()::timestamptz - $__timeFrom()::timestamptz <= 400 * make_interval(secs => level)
    OR level = (SELECT max(level) FROM materialized)
ORDER BY level
