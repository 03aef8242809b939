SELECT regexp_replace(relname, '_[0-9]{4,8}$', '') AS "Table", sum(pg_total_relation_size(oid)) AS "Size",
    count(*) AS "Partitions"
FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
GROUP BY 1
ORDER BY 2 DESC
