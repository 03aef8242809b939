"""The database schema as numbered plain SQL, applied once each and in order."""

import hashlib
from collections.abc import Mapping
from importlib import resources

import psycopg
from psycopg import sql

from shared import db
from shared.errors import PlumblineError

ROLES = ("plumbline_ingestion", "plumbline_aggregation", "plumbline_api", "plumbline_readonly")
_LOCK = "plumbline.migrations"


def migrate(conninfo: str, role_passwords: Mapping[str, str]) -> list[str]:
    """Applies what is missing, as the owner of the tables, and returns the names of what it applied.

    `role_passwords` sets the services' roles' passwords (names: ROLES); a role without one can't log in until it
    has one. Two at once: the second waits. Nothing is applied by halves: a migration is one transaction.

    Raises:
        PlumblineError: an applied file was changed since, or one failed.
        psycopg.OperationalError: the database can't be reached.
    """
    with psycopg.connect(conninfo, autocommit=True) as connection:
        # Roles belong to the cluster, advisory locks to a database: two databases may be migrated at once.
        for role in ROLES:
            _ensure_role(connection, role, role_passwords.get(role))
        connection.execute("SELECT pg_advisory_lock(hashtext(%s))", [_LOCK])
        connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_migrations"
            " (name text PRIMARY KEY, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        known: dict[str, str] = dict(connection.execute("SELECT name, checksum FROM schema_migrations").fetchall())
        return [name for name, text in _files() if _apply(connection, name, text, known.get(name))]


def require(conninfo: str) -> None:
    """Returns if the database has every migration that this code knows.

    Raises:
        PlumblineError: it has not.
        Unavailable: the database can't be reached.
    """
    try:
        connecting = psycopg.connect(conninfo, autocommit=True)
    except psycopg.OperationalError as error:
        raise db.unavailable(conninfo, error) from None
    with connecting as connection:
        try:
            known = {name for (name,) in connection.execute("SELECT name FROM schema_migrations").fetchall()}
        except (psycopg.errors.UndefinedTable, psycopg.errors.InsufficientPrivilege):
            known = set()
        missing = [name for name, _ in _files() if name not in known]
        if missing:
            raise PlumblineError(
                f"database {connection.info.dbname} lacks {', '.join(missing)} "
                "→ run `python -m shared.migrations` as its owner"
            )


def _files() -> list[tuple[str, str]]:
    folder = resources.files(__name__)
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return [(name, (folder / name).read_text(encoding="utf-8")) for name in names]


def _apply(connection: psycopg.Connection, name: str, text: str, known: str | None) -> bool:
    checksum = hashlib.sha256(text.encode()).hexdigest()
    if known is not None:
        if known != checksum:
            raise PlumblineError(
                f"migration {name} was changed after it was applied → restore the file; put the change into a new one"
            )
        return False
    # A migration may name the database, which GRANT … ON DATABASE can't take from a parameter.
    database = sql.Identifier(connection.info.dbname).as_string(connection)
    try:
        with connection.transaction():
            connection.execute(text.replace(":database", database).encode())
            connection.execute("INSERT INTO schema_migrations (name, checksum) VALUES (%s, %s)", [name, checksum])
    except psycopg.OperationalError:
        raise
    except psycopg.Error as error:
        raise PlumblineError(f"migration {name} failed: {error} → nothing of it was applied") from error
    return True


def _ensure_role(connection: psycopg.Connection, role: str, password: str | None) -> None:
    name = sql.Identifier(role)
    if connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [role]).rowcount == 0:
        try:
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(name))
        except psycopg.errors.DuplicateObject:
            connection.execute("SELECT 1")  # another database's migration was faster
        except psycopg.errors.InsufficientPrivilege as error:
            raise PlumblineError(
                f"role {role} is missing and {connection.info.user} may not make it "
                f"→ run CREATE ROLE {role} LOGIN as a superuser, or give {connection.info.user} CREATEROLE"
            ) from error
    if password is not None:
        connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(name, sql.Literal(password)))
