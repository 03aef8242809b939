SELECT * FROM (
    SELECT ts AS time, device_id || ' ' || metric AS metric, value FROM readings
    WHERE $__timeFilter(ts) AND metric IN (${metric:sqlstring})
        AND device_id IN (SELECT unnest(ARRAY[${device:sqlstring}]) ORDER BY 1 LIMIT 5)
    ORDER BY ts DESC
    LIMIT 10000
) newest
ORDER BY time
