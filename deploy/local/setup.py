"""`python -m deploy.local.setup`: fetch what the embedded stack needs beside Python packages."""

import shutil
import sys

from deploy.local import java, monitoring, packages
from shared import lifecycle
from shared.errors import PlumblineError


def main() -> int:
    """Debian packages when we are root, then the broker's jars. Prometheus and its company are welcome, not needed."""
    missing = [package for program, package in (("mvn", "maven"),) if not shutil.which(program)]
    if missing and not java.folder().is_dir() and not packages.install(*missing):
        raise PlumblineError(f"Maven fetches the embedded broker and isn't installed → {packages.command(*missing)}")
    java.runtime()
    java.jars()
    absent = monitoring.missing()
    if absent and not monitoring.install(absent):
        sys.stderr.write(f"no {', '.join(absent)}: the stack runs without → {monitoring.command(*absent)}\n")
    return 0


if __name__ == "__main__":
    lifecycle.run(main)
