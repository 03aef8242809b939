"""The queries of plumbline support-bundle: how things stand, never what devices sent."""

from collections.abc import Mapping

from ops.store import Connection, Row

QUERIES: Mapping[str, str] = {
    "server": "SELECT version() AS version, pg_postmaster_start_time() AS started, pg_is_in_recovery() AS recovering",
    "settings": "SELECT name, setting, unit FROM pg_settings WHERE source NOT IN ('default', 'override') ORDER BY name",
    "migrations": "SELECT name, checksum, applied_at FROM schema_migrations ORDER BY name",
    "offsets": "SELECT * FROM kafka_offsets ORDER BY topic, partition",
    "decisions": """
        SELECT id, at, action, state, topic, partition, first_offset, next_offset, new_offset
        FROM offset_decisions ORDER BY id
    """,
    "watermarks": "SELECT * FROM watermarks ORDER BY level",
    "materialized": "SELECT * FROM materialized ORDER BY level",
    "fleet_until": "SELECT * FROM fleet_until",
    "counts": """
        SELECT (SELECT count(*) FROM devices) AS devices,
               (SELECT count(*) FROM layouts) AS layouts,
               (SELECT count(*) FROM metrics) AS metrics,
               (SELECT reltuples::int8 FROM pg_class WHERE oid = 'dirty'::regclass) AS late_entries_estimated,
               (SELECT count(*) FROM dead_letters WHERE published_at IS NULL) AS dead_letters_unpublished
    """,
    "dead_letters": """
        SELECT code, count(*) AS count, min(at) AS first, max(at) AS last
        FROM dead_letters WHERE at > now() - interval '1 day' GROUP BY code ORDER BY count DESC
    """,
    "relations": """
        SELECT oid::regclass::text AS name, relkind AS kind, reltuples::int8 AS rows,
               pg_table_size(oid) AS table_bytes, pg_indexes_size(oid) AS index_bytes
        FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'm')
        ORDER BY pg_total_relation_size(oid) DESC LIMIT 200
    """,
    "tables": """
        SELECT relname, n_live_tup, n_dead_tup, last_autovacuum, last_autoanalyze, seq_scan, idx_scan
        FROM pg_stat_user_tables ORDER BY n_dead_tup DESC LIMIT 50
    """,
    "activity": """
        SELECT pid, usename, application_name, backend_type, state, wait_event_type, wait_event,
               extract(epoch FROM now() - xact_start) AS transaction_seconds,
               extract(epoch FROM now() - state_change) AS state_seconds,
               pg_blocking_pids(pid) AS blocked_by, left(query, 2000) AS query
        FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND (datname = current_database() OR datname IS NULL)
        ORDER BY xact_start NULLS LAST
    """,
}  # fmt: skip


def ask(connection: Connection, query: str) -> list[Row]:
    """The rows of one of QUERIES, as JSON has them: an infinite time is a text."""
    rows = connection.execute(f"SELECT to_jsonb(asked) AS row FROM ({QUERIES[query]}) AS asked".encode()).fetchall()  # noqa: S608
    return [row["row"] for row in rows]


def devices(connection: Connection, most: int) -> list[str]:
    """Ids of devices, to be hidden where they come up."""
    rows = connection.execute("SELECT device_id FROM devices ORDER BY id DESC LIMIT %s", [most]).fetchall()
    return [row["device_id"] for row in rows]
