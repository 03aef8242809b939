"""The API in front of a database of the test's own."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from api_service.settings import ApiSettings
from tests.answering import answering, api_settings
from tests.integration.api_service.warehouse import Warehouse
from tests.servers import Database, Topics


@pytest.fixture
def warehouse(database: Database) -> Iterator[Warehouse]:
    with database.connect() as connection:
        yield Warehouse(connection)


@pytest.fixture
def settings(database: Database, tmp_path: Path) -> ApiSettings:
    """The API under its own role. Clients: `all` sees every device, `ward` those like ward-*."""
    return api_settings(database, tmp_path)


@pytest.fixture
def serve(settings: ApiSettings) -> Iterator[Callable[..., httpx.Client]]:
    """Starts an API with some settings changed, for a client of the issuer."""
    with ExitStack() as stack:

        def start(client_id: str = "all", **changed: Any) -> httpx.Client:
            return stack.enter_context(answering(settings.model_copy(update=changed), client_id))

        yield start


@pytest.fixture
def door(serve: Callable[..., httpx.Client], topics: Topics) -> Callable[..., httpx.Client]:
    """The same, with a gateway that writes to the test's own topics."""
    names = ("kafka_bootstrap_servers", "topic_readings", "topic_dead_letters", "topic_acks_prefix")
    own = {name: getattr(topics.settings, name) for name in names} | {"api_modules": "auth,gateway,query"}
    return lambda client_id="all", **changed: serve(client_id, **(own | changed))
