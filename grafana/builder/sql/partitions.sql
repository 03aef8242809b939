SELECT topic AS "Topic", partition AS "Partition", next_offset - first_offset AS "Offsets",
    persisted_total AS "Persisted", duplicate_total AS "Duplicates", dead_letter_total AS "Dead letters",
    gap_total AS "Gaps",
    next_offset - first_offset - persisted_total - duplicate_total - dead_letter_total - gap_total AS "Unaccounted",
    updated_at AS "Last commit"
FROM kafka_offsets
ORDER BY 1, 2
