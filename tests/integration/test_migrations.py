"""The schema: applied once, guarded by checksums, and each role able to do its work and no more."""

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg import errors

from shared.errors import PlumblineError
from shared.migrations import migrate, require
from tests.servers import Database


def test_a_migrated_database_is_up_to_date(database: Database) -> None:
    assert migrate(database.conninfo, {}) == []


def test_a_service_refuses_a_database_that_is_behind(database: Database) -> None:
    require(database.conninfo)
    with database.connect() as connection:
        connection.execute("DELETE FROM schema_migrations WHERE name = '0002_ingestion.sql'")
    with pytest.raises(PlumblineError, match=r"lacks 0002_ingestion\.sql → run `python -m shared\.migrations`"):
        require(database.conninfo)


def test_a_changed_file_is_refused(database: Database) -> None:
    with database.connect() as connection:
        connection.execute("UPDATE schema_migrations SET checksum = 'other' WHERE name = '0002_ingestion.sql'")
    with pytest.raises(PlumblineError, match=r"0002_ingestion\.sql was changed after it was applied → restore"):
        migrate(database.conninfo, {})


def test_two_at_once_apply_each_file_once(database: Database) -> None:
    with database.connect() as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    with ThreadPoolExecutor(2) as threads:
        applied = list(threads.map(lambda _: migrate(database.conninfo, {}), range(2)))
    assert sorted(map(len, applied)) == [0, 9]
    with database.connect() as connection:
        may = connection.execute(
            "SELECT rolname FROM pg_roles WHERE rolname LIKE 'plumbline_%'"
            " AND has_database_privilege(rolname, current_database(), 'TEMPORARY') ORDER BY 1"
        ).fetchall()
    assert may == [("plumbline_aggregation",), ("plumbline_ingestion",)]


def test_a_failed_migration_leaves_nothing(database: Database) -> None:
    with database.connect() as connection:
        connection.execute("DELETE FROM schema_migrations WHERE name = '0002_ingestion.sql'")
        connection.execute("DROP TABLE kafka_offsets")  # its file starts with it, and fails at the next table
    with pytest.raises(PlumblineError, match="0002_ingestion"):
        migrate(database.conninfo, {})
    with database.connect() as connection:
        assert connection.execute("SELECT to_regclass('kafka_offsets')").fetchone() == (None,)


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        ("ingestion", "DELETE FROM events"),
        ("ingestion", "DROP TABLE events"),
        ("ingestion", "TRUNCATE events"),
        ("ingestion", "UPDATE events SET layout = 1"),
        ("ingestion", "DELETE FROM dead_letters"),
        ("ingestion", "UPDATE offset_decisions SET who = 'me'"),
        ("ingestion", "DELETE FROM outbox_closed"),
        ("ingestion", "UPDATE watermarks SET watermark = now()"),
        ("ingestion", "CREATE TABLE mine ()"),
        ("aggregation", "INSERT INTO events VALUES (1, now(), 1, '{}')"),
        ("aggregation", "DELETE FROM kafka_offsets"),
        ("api", "INSERT INTO dirty (bucket, device, layout, events) VALUES (now(), 1, 1, 1)"),
        ("api", "UPDATE stats SET count = 0"),
        ("api", "SELECT ensure_event_partitions('{2026-01-01}')"),
        ("readonly", "DELETE FROM stats"),
        ("readonly", "SELECT register_devices('{d}', 1)"),
    ],
)
def test_a_role_may_not(role: str, statement: str, database: Database) -> None:
    environment = database.environment(role)
    with (
        psycopg.connect(
            host=environment["DB_HOST"], port=environment["DB_PORT"], dbname=environment["DB_NAME"],
            user=environment["DB_USER"], password=environment["DB_PASSWORD"],
        ) as connection,
        pytest.raises(errors.InsufficientPrivilege),
    ):  # fmt: skip
        connection.execute(statement.encode())


def test_what_each_role_may_do_to_any_table_or_function(database: Database) -> None:
    """Whatever a later migration adds: who reads changes nothing, who ingests removes nothing, nobody owns anything."""
    with database.connect() as connection:
        granted: list[tuple[str, str, str]] = connection.execute(
            "SELECT r.rolname, p.privilege, c.relname FROM pg_class c CROSS JOIN pg_roles r"
            " CROSS JOIN unnest('{INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER}'::text[]) AS p (privilege)"
            " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v')"
            " AND r.rolname LIKE 'plumbline\\_%' AND has_table_privilege(r.oid, c.oid, p.privilege)"
        ).fetchall()
        called = connection.execute(
            "SELECT r.rolname, p.proname FROM pg_proc p CROSS JOIN pg_roles r"
            " WHERE p.pronamespace = 'public'::regnamespace AND p.provolatile = 'v' AND p.prosecdef"
            " AND r.rolname IN ('plumbline_api', 'plumbline_readonly')"
            " AND has_function_privilege(r.oid, p.oid, 'EXECUTE')"
        ).fetchall()
        unsafe = connection.execute(
            "SELECT rolname FROM pg_roles WHERE rolname LIKE 'plumbline\\_%'"
            " AND (rolsuper OR rolcreaterole OR rolcreatedb OR rolbypassrls OR rolreplication)"
        ).fetchall()
        owned = connection.execute(
            "SELECT relname FROM pg_class WHERE pg_get_userbyid(relowner) LIKE 'plumbline\\_%'"
        ).fetchall()
    assert {role for role, _, _ in granted} <= {"plumbline_ingestion", "plumbline_aggregation"}
    assert {what for role, what, _ in granted if role == "plumbline_ingestion"} == {"INSERT", "UPDATE"}
    assert {what for role, what, _ in granted if role == "plumbline_aggregation"} == {"INSERT", "UPDATE", "DELETE"}
    assert (called, unsafe, owned) == ([], [], [])


def test_partitions_are_made_once_by_many_at_once(database: Database) -> None:
    def ensure(_: int) -> None:
        with database.connect() as connection:
            connection.execute("SELECT ensure_event_partitions('{2026-01-01,2026-01-02,1999-12-31}')")
            connection.execute("SELECT ensure_stats_partitions(60, '2026-01-31T23:00Z', '2026-02-01T01:00Z')")
            connection.execute("SELECT ensure_stats_partitions(3600, '2026-01-31T23:00Z', '2026-02-01T01:00Z')")
            connection.execute("SELECT ensure_stats_partitions(86400, '2026-01-31', '2026-02-01')")

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(ensure, range(8)))
    with database.connect() as connection:
        names = connection.execute(
            "SELECT relid::text FROM pg_partition_tree('events') WHERE isleaf"
            " UNION ALL SELECT relid::text FROM pg_partition_tree('stats') WHERE isleaf ORDER BY 1"
        ).fetchall()
        connection.execute("INSERT INTO events VALUES (1, '1999-12-31T23:59:59.999999Z', 1, '{}')")
    assert [name for (name,) in names] == [
        "events_19991231", "events_20260101", "events_20260102",
        "stats_3600_202601", "stats_3600_202602", "stats_60_20260131", "stats_60_20260201", "stats_86400_2026",
    ]  # fmt: skip
