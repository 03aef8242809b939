"""`python -m tests.benchmarks`: every benchmark on a stack of its own, one JSON line each."""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from deploy.local import stack as embedded
from shared import lifecycle
from tests import servers

ALL = ("simulator", "ingestion", "aggregation")


@contextmanager
def stack() -> Iterator[Mapping[str, str]]:
    """A Kafka and a Postgres with their ordinary settings; removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="plumbline-bench-") as folder:
        home = Path(folder).resolve()
        try:
            values = embedded.up(home, ("kafka", "postgres"), say=lambda line: print(line, file=sys.stderr)).values
            servers.make_template(values)
            yield values
        finally:
            embedded.reset(home, say=lambda line: print(line, file=sys.stderr))


def main() -> int:
    """Runs what was asked for; the exit status is the first that isn't 0."""
    parser = argparse.ArgumentParser(
        prog="make bench",
        description="Benchmarks on a Kafka and a Postgres of their own, each beside its limit in the same run.",
        epilog="example: python -m tests.benchmarks ingestion",
    )
    parser.add_argument("names", nargs="*", default=ALL, metavar="NAME", help=f"of {', '.join(ALL)}; default: all")
    names = parser.parse_args().names
    if unknown := set(names) - set(ALL):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    with stack() as values:
        for name in names:
            print(f"{name} …", file=sys.stderr)
            done = subprocess.run(
                [sys.executable, "-m", f"tests.benchmarks.{name}"], env={**os.environ, **values}, check=False
            )
            if done.returncode:
                return done.returncode
    return 0


if __name__ == "__main__":
    lifecycle.run(main)
