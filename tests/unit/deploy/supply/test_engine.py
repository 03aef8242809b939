"""What the engine's client says, and what becomes of it when it says no."""

from pathlib import Path

import pytest

from deploy.supply import engine
from shared.errors import Unavailable

CLIENT = """\
#!/bin/sh
case "$1 $2 $3" in
  "version "*) exit {version} ;;
  "image inspect there") echo '[{{"Id": "sha256:1"}}]' ;;
  "image inspect "*) echo "Error: No such image: $3" >&2; exit 1 ;;
  "history "*) printf '%s\\n' '{{"CreatedBy": "COPY a", "Size": "12"}}' '{{"CreatedBy": "", "Size": "3"}}' ;;
  *) echo "warning" >&2; echo "Cannot connect" >&2; exit 1 ;;
esac
"""


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A client whose engine has one image."""
    file = tmp_path / "docker"
    file.write_text(CLIENT.format(version=0))
    file.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return file


def test_an_image_is_told_with_its_layers(client: Path) -> None:
    assert engine.image("there") == {"Id": "sha256:1"}
    assert engine.layers("there") == [("COPY a", 12), ("", 3)]


def test_an_image_that_is_not_there_is_to_be_built(client: Path) -> None:
    with pytest.raises(Unavailable, match="there is no image away → docker compose build"):
        engine.layers("away")


def test_an_engine_that_is_away_is_not_a_missing_image(client: Path) -> None:
    client.write_text(CLIENT.format(version=1))
    with pytest.raises(Unavailable, match="docker version failed: it said nothing → docker info"):
        engine.image("there")


def test_the_last_line_of_what_went_wrong_is_told(client: Path) -> None:
    with pytest.raises(Unavailable, match="docker run failed: Cannot connect → docker info"):
        engine.ask("run", "x")
