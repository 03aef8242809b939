"""`make demo-docker` where something is amiss: one line that says what, with the fix, and nothing left behind."""

import shutil
import subprocess
from pathlib import Path

import pytest

from deploy.local.home import CHECKOUT

SCRIPT = CHECKOUT / "deploy" / "docker" / "demo.sh"
TOOLS = ("bash", "env", "dirname", "mktemp", "rm", "grep", "head", "tail", "sort", "comm", "id", "echo")
# An engine that answers, with compose as its plugin; each call is noted in $CALLS.
HEALTHY = """
echo "$*" >> "$CALLS"
case "$*" in
  "compose ps"*) printf '%s' "$RAN" ;;
  "compose up -d kafka"*) echo "$REFUSAL" >&2; exit 1 ;;
esac
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A PATH of its own, without Docker."""
    found = tmp_path / "bin"
    found.mkdir()
    for tool in TOOLS:
        where = shutil.which(tool)
        assert where is not None, f"{tool} is needed"
        (found / tool).symlink_to(where)
    return found


def run(folder: Path, docker: str | None = None, **variables: str) -> tuple[int, list[str]]:
    """Exit status and lines of the script, with this in place of Docker."""
    if docker is not None:
        (folder / "docker").write_text(f"#!{folder / 'bash'}\n{docker}\n")
        (folder / "docker").chmod(0o755)
    env = {"PATH": str(folder), "TMPDIR": str(folder.parent), "CALLS": str(folder.parent / "calls")} | variables
    done = subprocess.run(
        [shutil.which("bash") or "bash", SCRIPT], env=env, capture_output=True, text=True, check=False
    )
    assert not list(folder.parent.glob("tmp.*")), "its log stays"
    return done.returncode, (done.stdout + done.stderr).splitlines()


@pytest.mark.parametrize(
    ("docker", "said"),
    [
        (None, "docker isn't installed → "),
        ("exit 1", "docker has no compose → "),
        ('[ "$1" = compose ] || { echo "permission denied while trying to connect" >&2; exit 1; }', "no right to use "),
        ('[ "$1" = compose ] || { echo "Cannot connect to the Docker daemon" >&2; exit 1; }', "the Docker engine "),
    ],
)
def test_without_an_engine_one_line_says_what_to_do(folder: Path, docker: str | None, said: str) -> None:
    status, lines = run(folder, docker)
    assert (status, len(lines)) == (1, 1)
    assert lines[0].startswith(said)
    assert " → " in lines[0]


def test_a_number_of_seconds_that_is_none_is_refused_before_anything_else(folder: Path) -> None:
    assert run(folder, HEALTHY, DEMO_SECONDS="soon", RAN="", REFUSAL="") == (
        1, ["DEMO_SECONDS: it isn't a number of seconds → DEMO_SECONDS=60 make demo-docker"]
    )  # fmt: skip


def test_a_port_that_is_taken_is_named_and_what_was_started_is_removed(folder: Path) -> None:
    refusal = "Bind for 127.0.0.1:8000 failed: port is already allocated"
    status, lines = run(folder, HEALTHY, RAN="", REFUSAL=refusal)
    assert status == 1
    assert "127.0.0.1:8000 is taken → choose another: FRONT_PORT=8100 make demo-docker" in lines
    calls = (folder.parent / "calls").read_text().splitlines()
    assert calls[-1].startswith("compose --profile simulator")
    assert calls[-1].endswith(" down")


def test_what_ran_before_keeps_running_and_another_failure_is_shown(folder: Path) -> None:
    status, lines = run(folder, HEALTHY, RAN="kafka\npostgres\n", REFUSAL="no space left on device")
    assert status == 1
    assert lines[-2:] == ["no space left on device", "starting kafka postgres ingestion api front failed: see above"]
    calls = (folder.parent / "calls").read_text().splitlines()
    assert not [call for call in calls if call.endswith(" down") or " rm -sf " in call]
