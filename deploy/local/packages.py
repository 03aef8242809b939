"""Debian packages that the stack needs: installed when we are root, else named with the command that installs them."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from shared.errors import PlumblineError

UNITS = Path("/etc/systemd/system")


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


def install_without_services(*names: str) -> bool:
    """Install packages whose services have their names, and neither start these nor have them start at boot.

    The stack runs the programs on its own ports: a second Prometheus on 9090 is nothing that anybody asked for.
    """
    with masked(names):
        if not install(*names):
            return False
    for name in names:
        _run("deb-systemd-helper", "disable", f"{name}.service")
        _run("update-rc.d", name, "disable")
    return True


@contextmanager
def masked(services: Sequence[str], units: Path = UNITS) -> Iterator[None]:
    """Services that can't be started for the length of the block; what the machine has of these files stays.

    Killed within, it leaves the services masked: `systemctl unmask` is what the person would look for then.
    """
    made = []
    if os.access(units, os.W_OK):
        for link in (units / f"{name}.service" for name in services):
            if not link.is_symlink() and not link.exists():
                link.symlink_to(os.devnull)
                made.append(link)
    try:
        yield
    finally:
        for link in made:
            link.unlink()


def _run(*argv: str) -> None:
    """A step that matters only where the machine has its program."""
    if shutil.which(argv[0]):
        subprocess.run(argv, capture_output=True, check=False)


if __name__ == "__main__":
    sys.exit(0 if install_without_services(*sys.argv[1:]) else 1)
