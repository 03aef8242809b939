"""The curl lines of README.md and docs/api.md, run as they stand against an API that has what they ask for."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.answering import SECRET
from tests.integration.api_service.security.door import HOST, Door, opened
from tests.integration.api_service.warehouse import MICROS, Warehouse
from tests.servers import Database, Topics

ROOT = Path(__file__).parents[3]
# Whatever curl is asked for must succeed; what python3 is in the shell, is this one.
STRICT = 'set -euo pipefail; curl() { command curl --fail --max-time 20 "$@"; echo >&2; }\n'


def blocks(path: str) -> list[str]:
    """Blocks of code that ask the API, fenced or indented."""
    text = (ROOT / path).read_text()
    fenced = re.findall(r"```bash\n(.*?)```", text, re.DOTALL)
    indented = re.findall(r"(?:^    .*\n)+", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    return [block for block in [*fenced, *indented] if "curl " in block and "git clone" not in block]


@pytest.fixture
def door(database: Database, topics: Topics, tmp_path: Path) -> Iterator[Door]:
    with database.connect() as connection:
        row = connection.execute("SELECT (extract(epoch FROM now()) * 1e6)::int8").fetchone()
        assert row is not None
        names = {"dev-00002": "heart_rate", "dev-00003": "heart_rate", "alamosa": "temperature", "boiler-1": "pressure"}
        events = [(name, row[0] - n * MICROS, {metric: 60.0 + n}) for name, metric in names.items() for n in range(3)]
        Warehouse(connection).add(events)
    with opened(database, topics, tmp_path) as made:
        yield made


def test_each_answers_as_told(door: Door) -> None:
    own = {"API_URL": f"http://{HOST}:{door.port}", "AUTH_CLIENT_ID": "all", "AUTH_CLIENT_SECRET": SECRET}
    environment = {**os.environ, **own, "TOKEN": door.token()}
    commands = [*blocks("README.md"), *blocks("docs/api.md")]
    assert sum(command.count("curl ") for command in commands) > 15
    for command in commands:
        # A stream has no end: whoever reads its beginning hangs up, and curl says so.
        strict = STRICT.replace("-euo pipefail", "-eu") if "/stats/stream" in command else STRICT
        done = subprocess.run(
            ["bash", "-c", strict + command], env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
