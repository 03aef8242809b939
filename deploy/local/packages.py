"""Debian packages that the stack needs: installed when we are root, else named with the command that installs them."""

import os
import shutil
import subprocess

from shared.errors import PlumblineError


def command(*names: str) -> str:
    return f"sudo apt-get install -y --no-install-recommends {' '.join(names)}"


def need(program: str, package: str) -> None:
    """Make sure that `program` is on PATH, or raise with what to run."""
    if shutil.which(program) is None and not install(package):
        raise PlumblineError(f"{program} isn't installed → {command(package)}")


def install(*names: str) -> bool:
    """Install packages if that is possible here; False if not."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return False
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for step in (["update", "-q"], ["install", "-y", "-q", "--no-install-recommends", *names]):
        done = subprocess.run(["apt-get", *step], env=env, capture_output=True, check=False)
        if done.returncode and step[0] == "install":
            return False
    return True
