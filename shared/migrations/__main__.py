"""`python -m shared.migrations`: brings the database of DB_* up to date, as its owner."""

import argparse
import os
import sys

from shared import db, lifecycle
from shared.migrations import ROLES, migrate
from shared.settings import DatabaseSettings, help_text, load


def main() -> int:
    """Migrates and prints what was applied."""
    parser = argparse.ArgumentParser(
        prog="python -m shared.migrations",
        description="Brings the database up to date. Roles' passwords come from <ROLE>_PASSWORD variables.",
        epilog=help_text(DatabaseSettings) + "\n\nexample: DB_HOST=db DB_USER=owner python -m shared.migrations",
        formatter_class=argparse.RawDescriptionHelpFormatter,
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
