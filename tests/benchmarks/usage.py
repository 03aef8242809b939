"""What the processes under measurement use, which run on this machine: CPU, memory, and what Postgres writes."""

from collections.abc import Sequence
from pathlib import Path

import psutil
import psycopg

from shared.errors import PlumblineError

# Where the reason for a rate that fell is looked for.
_WRITTEN = """
SELECT wal_bytes::int8, wal_fpi, c.num_timed + c.num_requested, c.buffers_written,
    (SELECT sum(blks_read)::int8 FROM pg_stat_database), (SELECT sum(evictions)::int8 FROM pg_stat_io)
FROM pg_stat_wal, pg_stat_checkpointer c
"""
_WRITTEN_NAMES = ("wal_bytes", "wal_full_pages", "checkpoints", "checkpoint_buffers", "blocks_read", "evictions")


class Meter:
    """CPU seconds of the services and, if they have a part in it, of Postgres and of the broker, since it was made."""

    def __init__(
        self, services: Sequence[int], connection: psycopg.Connection | None, bootstrap_servers: str | None = None
    ) -> None:
        self._services = [psutil.Process(pid) for pid in services]
        broker = bootstrap_servers and _listening(int(bootstrap_servers.rpartition(":")[2]))
        self._broker = psutil.Process(broker) if broker else None
        self._postmaster = _postmaster(connection) if connection else None
        self._began = self._now()

    def cpu_seconds(self) -> dict[str, float]:
        """So far: `service`, `postgres`, `broker`."""
        return {name: round(now - self._began[name], 2) for name, now in self._now().items()}

    def _now(self) -> dict[str, float]:
        return {
            "service": sum(map(_own, self._services)),
            **({"broker": _own(self._broker)} if self._broker else {}),
            **({"postgres": _with_children(self._postmaster)} if self._postmaster else {}),
        }


def written(connection: psycopg.Connection) -> dict[str, int]:
    """What the whole server counted so far; a session's share shows within a second or two, and at its end."""
    row = connection.execute(_WRITTEN).fetchone() or ()
    return dict(zip(_WRITTEN_NAMES, map(int, row), strict=True))


def per_million(cpu: dict[str, float], events: int) -> dict[str, float]:
    """CPU seconds a million events."""
    return per(1_000_000, cpu, events)


def per(many: int, cpu: dict[str, float], count: int) -> dict[str, float]:
    """CPU seconds for so many of what `count` were done of."""
    return {name: round(seconds * many / count, 2) for name, seconds in cpu.items()}


def _postmaster(connection: psycopg.Connection) -> psutil.Process:
    backend = psutil.Process(connection.info.backend_pid)
    return backend.parent() or backend


def _own(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _with_children(process: psutil.Process) -> float:
    """Of children that ended, the parent has the times."""
    total = 0.0
    for child in process.children():
        try:
            total += _own(child)
        except psutil.NoSuchProcess:
            continue
    times = process.cpu_times()
    return total + float(sum(times[:4]))


def _listening(port: int) -> int:
    for connection in psutil.net_connections("tcp"):
        listens = connection.status == psutil.CONN_LISTEN and connection.laddr
        if listens and listens.port == port and connection.pid:
            return connection.pid
    raise PlumblineError(f"nothing on this machine listens on port {port} → benchmarks need broker and database here")


def resident(pid: int) -> int:
    """Bytes of memory that the process has now."""
    return _status(pid, "VmRSS")


def peak_resident(pid: int) -> int:
    """Bytes of memory that the process ever had."""
    return _status(pid, "VmHWM")


def _status(pid: int, name: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    return int(fields[name].split()[0]) * 1024
