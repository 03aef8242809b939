"""`python -m tests.benchmarks`: every benchmark on a stack of its own, JSON lines on stdout, progress on stderr."""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from deploy.local import process
from deploy.local import stack as embedded
from shared import lifecycle
from tests import servers
from tests.benchmarks.figures import say

ALL = (
    *("simulator", "ingestion", "variants", "latency", "memory", "growth", "processes", "traces"),
    *("aggregation", "late", "steady", "questions", "across", "storage", "gateway", "latest", "stream", "page"),
)


@contextmanager
def stack() -> Iterator[Mapping[str, str]]:
    """A Kafka and a Postgres with their ordinary settings; removed afterwards, with all that a benchmark left."""
    with tempfile.TemporaryDirectory(prefix="plumbline-bench-") as folder:
        home = Path(folder).resolve()
        try:
            values = embedded.up(home, ("kafka", "postgres"), say=say).values
            servers.make_template(values)
            yield {**values, **process.marks(home, "benchmark")}
        finally:
            with process.uninterrupted():
                embedded.reset(home, say=say)


def main() -> int:
    """Runs what was asked for, all of it; the exit status is the first that isn't 0."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description="Benchmarks on a Kafka and a Postgres of their own, each beside its limit in the same run.",
        epilog="example: python -m tests.benchmarks latency --seconds 10 "
        "(after one name: that benchmark's own options, see `python -m tests.benchmarks.NAME --help`)",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(ALL)}, or with commas; default: all")
    options, own = parser.parse_known_args()
    names = [name for names in options.names for name in names.split(",") if name] or list(ALL)
    if unknown := set(names) - set(ALL):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    if own and len(names) > 1:
        parser.error(f"{own[0]} is an option of one benchmark → name just one")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # the stack is to be removed
    status = 0
    with stack() as values:
        for name in names:
            began = time.monotonic()
            print(f"{name} …", file=sys.stderr)
            argv = [sys.executable, "-m", f"tests.benchmarks.{name}", *own]
            done = subprocess.run(argv, env={**os.environ, **values}, check=False)
            print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr)
            status = status or done.returncode
    return status


if __name__ == "__main__":
    lifecycle.run(main)
