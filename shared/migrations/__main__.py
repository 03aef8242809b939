"""`python -m shared.migrations`: brings the database of DB_* up to date, as its owner."""

import os
import sys

from shared import db, lifecycle
from shared.migrations import ROLES, migrate
from shared.settings import DatabaseSettings, command_line, load


def main() -> int:
    """Migrates and prints what was applied."""
    parser = command_line(
        DatabaseSettings,
        "shared.migrations",
        "Brings the database up to date. Roles' passwords come from <ROLE>_PASSWORD variables.",
        "DB_HOST=db DB_USER=owner python -m shared.migrations",
    )
    parser.parse_args()
    conninfo = load(DatabaseSettings).conninfo("plumbline-migrations")
    db.wait_ready(conninfo, timeout_s=30)
    passwords = {role: value for role in ROLES if (value := os.environ.get(f"{role.upper()}_PASSWORD"))}
    applied = migrate(conninfo, passwords)
    sys.stdout.write("\n".join(f"applied {name}" for name in applied) + "\n" if applied else "up to date\n")
    return 0


if __name__ == "__main__":
    lifecycle.run(main)
