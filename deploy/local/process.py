"""Starting, finding and stopping a stack's processes.

A process carries its stack and its name in its environment, so it is found whatever became of the command
that started it, and a stale pid file can't point at a stranger.
"""

import os
import pwd
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from deploy.local.home import log_file
from shared.errors import PlumblineError

STACK = "PLUMBLINE_STACK"
PROCESS = "PLUMBLINE_PROCESS"
POLL_S = 0.05

# Children of a command that lives on (the demo, a test session): kept until their exit status is collected.
_children: list[subprocess.Popen[bytes]] = []


def spawn(
    home: Path,
    name: str,
    argv: Sequence[str],
    env: Mapping[str, str],
    *,
    user: str | None = None,
    keep_open: Sequence[int] = (),
) -> psutil.Process:
    """Start `argv` in a session of its own, marked as `name` of the stack in `home`, its output appended to its log."""
    collect()
    log = log_file(home, name)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        child = subprocess.Popen(
            argv,
            env={**env, **marks(home, name)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=keep_open,
            cwd="/" if user else None,
            user=user,
            group=_group(user),
            extra_groups=[] if user else None,
        )
    _children.append(child)
    return psutil.Process(child.pid)


def marks(home: Path, name: str) -> dict[str, str]:
    """The variables by which a process is known as `name` of the stack in `home`."""
    return {STACK: str(home), PROCESS: name}


def _group(user: str | None) -> int | None:
    if user is None:
        return None
    return pwd.getpwnam(user).pw_gid


def collect() -> None:
    """Take note of children that ended, so that they don't stay as zombies."""
    _children[:] = [child for child in _children if child.poll() is None]


def alive(process: psutil.Process) -> bool:
    """Whether it still runs. A Java process whose first thread has ended looks like a zombie, and holds its ports yet:
    of our own children we ask the kernel instead.
    """
    for child in _children:
        if child.pid == process.pid:
            return child.poll() is None
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def find(home: Path) -> dict[str, list[psutil.Process]]:
    """The stack's processes by name, each with the children that inherited its marks, oldest first."""
    found: dict[str, list[psutil.Process]] = {}
    for process in psutil.process_iter():
        try:
            env = process.environ()
            if env.get(STACK) == str(home) and PROCESS in env and alive(process):
                found.setdefault(env[PROCESS], []).append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue  # ended meanwhile, or another user's and so not ours
    for processes in found.values():
        processes.sort(key=lambda each: (each.create_time(), each.pid))
    return found


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Signals that would end us wait until the clean-up in here is done; a second Ctrl-C is only impatience."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def healthy(processes: Sequence[psutil.Process]) -> bool:
    """Whether the first process, which started the others, is among them and not stopped (SIGSTOP)."""
    try:
        return os.getsid(processes[0].pid) == processes[0].pid and processes[0].status() != psutil.STATUS_STOPPED
    except (ProcessLookupError, psutil.NoSuchProcess):
        return False


def _parent(process: psutil.Process) -> int | None:
    """None: it has ended meanwhile."""
    try:
        return process.ppid()
    except psutil.NoSuchProcess:
        return None


def stop(processes: Iterable[psutil.Process], sign: int = signal.SIGTERM, deadline_s: float = 20.0) -> bool:
    """Ask each to end and wait; kill what is left at the deadline. True when no kill was needed.

    A stopped process (SIGSTOP) gets a SIGCONT too, or it couldn't hear.
    """
    processes = list(processes)
    pids = {each.pid for each in processes}
    leaders = [each for each in processes if _parent(each) not in pids]
    for leader in leaders:
        _send(leader, sign)
        _send(leader, signal.SIGCONT)
    if _gone(processes, deadline_s):
        return True
    for process in processes:
        _send(process, signal.SIGKILL)
    if not _gone(processes, 10.0):
        left = ", ".join(str(process.pid) for process in processes if alive(process))
        raise PlumblineError(f"processes {left} don't end even on SIGKILL: a disk or a mount hangs; see `dmesg`")
    return False


def _send(process: psutil.Process, sign: int) -> None:
    try:
        process.send_signal(sign)
    except psutil.NoSuchProcess:
        return


def _gone(processes: Sequence[psutil.Process], deadline_s: float) -> bool:
    return until(lambda: not any(alive(process) for process in processes), deadline_s)


def until(condition: Callable[[], bool], deadline_s: float, poll_s: float = POLL_S) -> bool:
    """Poll until the condition holds; False when it doesn't within the deadline."""
    end = time.monotonic() + deadline_s
    while True:
        if condition():
            collect()
            return True
        collect()
        if time.monotonic() >= end:
            return False
        time.sleep(poll_s)


def wait_ready(home: Path, name: str, process: psutil.Process, probe: Callable[[], bool], deadline_s: float) -> None:
    """Return once `probe` says yes; raise with the end of the log if the process dies or the deadline passes first."""

    def decided() -> bool:
        return not alive(process) or probe()

    if until(decided, deadline_s) and alive(process):
        return
    what = f"isn't ready after {deadline_s:.0f} s" if alive(process) else "ended while it was starting"
    log = log_file(home, name)
    raise PlumblineError(f"{name} {what}. The end of {log}:\n{last_lines(log)}")


def last_lines(log: Path, lines: int = 12) -> str:
    """The last lines of a log, indented; enough to see why a process ended."""
    if not log.exists():
        return "  (no log was written)"
    with log.open("rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - 16_384))
        tail = file.read().decode(errors="replace").splitlines()
    return "\n".join(f"  {line}" for line in tail[-lines:]) or "  (the log is empty)"
