"""`python -m deploy.docker.migrate`: the database's schema and Kafka's topics of a stack in containers."""

import sys

from deploy.local import environment, home, schema
from shared import db, lifecycle

STARTS_S = 60.0


def main() -> int:
    """Make what is missing, and say what that was."""
    values = environment.require(home.default())
    made: list[str] = []
    db.wait_ready(environment.conninfo(values), timeout_s=STARTS_S)
    schema.migrate(values, made.append)
    schema.make_topics(values, made.append)
    sys.stdout.write("".join(f"{line}\n" for line in made) or "up to date\n")
    return 0


if __name__ == "__main__":
    lifecycle.run(main)
