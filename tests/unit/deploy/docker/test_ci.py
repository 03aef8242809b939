""".ci/containers on machines without an engine: it says so, and that is no failure."""

import shutil
import subprocess
from pathlib import Path

from deploy.local.home import CHECKOUT


def _said(folder: Path, **programs: str) -> str:
    """What it prints in a checkout with nothing beside it, where these programs do this."""
    for name in (".ci/containers", "docker-compose.yml", "deploy/docker/Dockerfile"):
        (folder / "main" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(CHECKOUT / name, folder / "main" / name)
    for name, does in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{does}\n")
        (folder / name).chmod(0o755)
    ended = subprocess.run(
        [folder / "main" / ".ci" / "containers"],
        env={"PATH": f"{folder}:/usr/bin:/bin", "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_nobody_answers_and_we_may_not_start_one(tmp_path: Path) -> None:
    said = _said(tmp_path, docker="echo 'Cannot connect to the Docker daemon' >&2; exit 1", id="echo 1000")
    assert said == "containers were NOT tested: no Docker engine answers:\n  Cannot connect to the Docker daemon\n"


def test_a_client_without_an_engine_and_none_to_be_installed(tmp_path: Path) -> None:
    said = _said(tmp_path, docker="exit 1", id="echo 0", **{"apt-get": "echo no such package >&2; exit 100"})
    assert (
        said == "containers were NOT tested: no Docker engine answers, and none can be installed:\n  no such package\n"
    )


def test_an_engine_that_does_not_start_tells_why(tmp_path: Path) -> None:
    said = _said(tmp_path, docker="exit 1", id="echo 0", dockerd="echo iptables: Permission denied; exit 1")
    assert said == ("containers were NOT tested: the Docker engine can't be started:\n  iptables: Permission denied\n")


def test_no_registry_and_nothing_beside_the_checkout(tmp_path: Path) -> None:
    docker = 'case "$1" in pull) echo no such host; exit 1;; image) exit 1;; esac'
    said = _said(tmp_path, docker=docker)
    assert said.startswith("containers were NOT tested: python:3")
    assert said.endswith(" can't be pulled, and ../shared/standins isn't there:\n  no such host\n")
