"""Memory of one ingestion process, at full speed and while Postgres stands still: peak of resident memory (VmHWM).

A stall is a proxy before Postgres that lets nothing through, in the midst of a backlog, while more events come.
Needs the Kafka and the Postgres of KAFKA_BOOTSTRAP_SERVERS and DB_* on this machine. Prints one JSON line a case.
"""

import argparse
import os
import time
from dataclasses import dataclass, replace

from shared import lifecycle
from tests import servers
from tests.benchmarks.consuming import Outcome, Services, services, stored
from tests.benchmarks.figures import MIB, report, say
from tests.benchmarks.load import Load, metric_names, produce
from tests.benchmarks.usage import peak_resident, resident
from tests.proxy import Proxy, proxied
from tests.servers import Topics

LIMIT_MIB = 300
EXTRA_BYTES = 5_000
_MORE = 5  # a fifth of the backlog comes during the stall


@dataclass(frozen=True)
class Case:
    """A backlog, and for how long Postgres stands still in its midst."""

    name: str
    load: Load
    stall_s: float = 0.0


def cases(events: int, stall_s: float) -> list[Case]:
    """Events of the usual size, and a tenth as many of 20 metrics with 5 kB of extras."""
    usual, big = Load(events), Load(events // 10, layouts=(metric_names(20),), extra_bytes=EXTRA_BYTES)
    return [
        Case("full speed", usual),
        Case("Postgres stands still", usual, stall_s),
        Case("full speed, big events", big),
        Case("Postgres stands still, big events", big, stall_s),
    ]


def measured(case: Case) -> dict[str, object]:
    """One case, with topics, a database and a process of its own."""
    with (
        servers.fresh_topics(os.environ, 6) as topics,
        servers.database(os.environ) as database,
        proxied(os.environ["DB_HOST"], int(os.environ["DB_PORT"])) as proxy,
    ):
        size = produce(topics, case.load.chunks())
        way = {"DB_PORT": proxy.port} if case.stall_s else {}
        with services(topics, database, **way) as running:
            [pid] = running.pids
            running.wait(lambda: running.outcome().persisted > case.load.events // _MORE, "a fifth of the backlog")
            before, total, stalled = resident(pid), case.load.events, 0
            if case.stall_s:
                total, stalled = _stall(case, topics, proxy, running)
            running.consumed(Outcome(total))
            peak = peak_resident(pid)
        assert stored(database) == total
    say(f"{case.name}: {peak / MIB:.0f} MiB at most")
    return {
        "benchmark": "memory",
        "case": case.name,
        "events": total,
        "bytes_per_event": size,
        "stall_seconds": case.stall_s,
        "mib_before": round(before / MIB, 1),
        **({"mib_after_stall": round(stalled / MIB, 1)} if case.stall_s else {}),
        "mib_peak": round(peak / MIB, 1),
        "limit": {"name": "peak of resident memory", "mib": LIMIT_MIB},
        "ratio": round(peak / MIB / LIMIT_MIB, 3),
        "ok": peak <= LIMIT_MIB * MIB,
    }


def _stall(case: Case, topics: Topics, proxy: Proxy, running: Services) -> tuple[int, int]:
    """Freezes the way to Postgres while more events come; all events there are, and the memory at the end of it."""
    proxy.freeze()
    ends = time.monotonic() + case.stall_s
    more = replace(case.load, events=case.load.events // _MORE, start_s=int(case.load.turns_s[-1]) + 1)
    produce(topics, more.chunks())
    running.wait(lambda: time.monotonic() >= ends, "the end of the stall")
    memory = resident(running.pids[0])
    proxy.thaw()
    return case.load.events + more.events, memory


def main() -> int:
    """Measures each case and prints."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.memory",
        description=__doc__,
        epilog="example: source .local/stack.env && python -m tests.benchmarks.memory --events 1000000 --stall 25",
    )
    parser.add_argument("--events", type=int, default=1_000_000, help="in the backlog (default: 1000000)")
    parser.add_argument("--stall", type=float, default=25.0, metavar="S", help="seconds without Postgres (default: 25)")
    parser.add_argument("--only", default="", metavar="TEXT", help="cases whose name has this")
    options = parser.parse_args()
    wanted = [case for case in cases(options.events, options.stall) if options.only in case.name]
    return report([measured(case) for case in wanted])


if __name__ == "__main__":
    lifecycle.run(main)
