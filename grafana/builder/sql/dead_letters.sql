SELECT code AS "Code", count(*) AS "Events", max(at) AS "Last", count(replayed_at) AS "Replayed",
    count(discarded_at) AS "Discarded"
FROM dead_letters
WHERE $__timeFilter(at)
GROUP BY 1
ORDER BY 2 DESC
