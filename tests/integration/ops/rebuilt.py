"""What the tests of backfill share."""

from collections.abc import Callable
from typing import Any

from ops.backfill import work
from ops.backfill.work import Asked
from tests.aggregated import DAY, DAY_S
from tests.servers import Database

ALL = Asked(str(DAY - 40 * DAY_S), str(DAY + DAY_S))


def backfill(database: Database, asked: Asked = ALL, agreed: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
    return work.run(database.environment(), asked, agreed)


def corrupt(database: Database, change: str) -> None:
    with database.connect() as connection:
        assert connection.execute(change.encode()).rowcount
