"""Starting and stopping the whole stack: the order of things."""

import os
import shutil
import signal
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from deploy.local import environment, issuer, kafka, monitoring, ports, postgres, process, prometheus, schema, services
from deploy.local.home import locked, log_file
from shared.errors import PlumblineError

MONITORS = tuple(monitoring.MONITORS)
SERVERS = ("kafka", "postgres", *MONITORS)
SERVICES = ("ingestion", "aggregation", "api", "simulator")
PARTS = SERVERS + SERVICES
DEFAULT_PARTS = tuple(part for part in PARTS if part != "simulator")
PORTS = {
    "kafka": ("kafka", "kafka-controller"),
    "postgres": ("postgres",),
    "alertmanager": ("alertmanager",),
    "node": ("metrics-node",),
    "prometheus": ("prometheus",),
    "api": ("api", "metrics-api"),
    **{name: (f"metrics-{name}",) for name in SERVICES if name != "api"},
}
KEPT_PORT_S = 5.0

Say = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """How to start: `only_part` lets the caller's environment win, `wished` names ports, the rest is for tests."""

    only_part: bool = False
    wished: Mapping[str, int] = field(default_factory=dict)
    postgres: Mapping[str, str] = field(default_factory=dict)
    simulator: Sequence[str] = ()


@dataclass(frozen=True)
class Outcome:
    """What `up` did: which parts it started, which it found running, and the variables of stack.env."""

    started: tuple[str, ...]
    reused: tuple[str, ...]
    values: Mapping[str, str]


def choose(names: Iterable[str]) -> tuple[str, ...]:
    """The parts with these names, in the order to start them."""
    wanted = set(names)
    unknown = wanted - set(PARTS)
    if unknown:
        raise PlumblineError(f"no such part: {', '.join(sorted(unknown))} → choose from {', '.join(PARTS)}")
    return tuple(part for part in PARTS if part in wanted)


def up(home: Path, parts: Sequence[str] = DEFAULT_PARTS, options: Options | None = None, say: Say = print) -> Outcome:
    """Start what doesn't run, and return once each part has answered.

    If it fails or is interrupted, what it had started is stopped again; what ran before stays.
    """
    with locked(home):
        start = _Start(home, options or Options(), say)
        try:
            return start.run(parts)
        except BaseException:
            with process.uninterrupted():
                for name in reversed(start.started):
                    _stop_part(home, name, process.find(home).get(name, []))
            raise


class _Start:
    """One `up`, from the ports to the last answer."""

    def __init__(self, home: Path, options: Options, say: Say) -> None:
        self.home, self.options, self.say = home, options, say
        self.running = process.find(home)
        self.before = environment.read(home)
        if "DB_PASSWORD" not in self.before and postgres.data_folder(home) is not None:
            raise PlumblineError(
                f"{home} has a database but no stack.env, which held its password → restore it, or `plumbline reset`"
            )
        self.values = environment.with_secrets(self.before, home)
        self.claims: dict[str, dict[str, ports.Claim]] = {}
        self.started: list[str] = []
        self.processes: dict[str, psutil.Process] = {}

    def run(self, parts: Sequence[str]) -> Outcome:
        for name in set(monitoring.missing()) & set(parts):
            self.say(f"{name} isn't installed: the stack runs without it (see `plumbline doctor`)")
        parts = [part for part in parts if part not in monitoring.missing()]
        for name in parts:
            if name in self.running and not process.healthy(self.running[name]):
                _stop_part(self.home, name, self.running.pop(name))
        try:
            parts = self._claim_ports(parts)
            environment.write(self.home, self.values)
            issuer.ensure(self.values)
            prometheus.write(self.home, self.values, {*parts, *self.running})
            self._servers(parts)
            self._services(parts)
        finally:
            for claims in self.claims.values():
                for claim in claims.values():
                    claim.release()
        return Outcome(tuple(self.started), tuple(part for part in parts if part in self.running), self.values)

    def _claim_ports(self, parts: Sequence[str]) -> Sequence[str]:
        """Claim the ports of what will start; services whose server moves to another port start anew."""
        known = environment.ports(self.values)
        wished = {**ports.DEFAULTS, **self.options.wished, **known}
        for part in parts:
            if part not in self.running:
                self.claims[part] = {
                    name: self._claim(part, name, wished[name], kept=name in known) for name in PORTS[part]
                }
        chosen = {name: claim.port for claims in self.claims.values() for name, claim in claims.items()}
        self.values |= environment.addresses(chosen)
        if not any(chosen.get(name, known.get(name)) != known.get(name) for name in ("kafka", "postgres")):
            return parts
        moved = [name for name in SERVICES if name in self.running]
        for name in moved:
            self.say(f"{name} starts anew: its server has another port")
            _stop_part(self.home, name, self.running.pop(name))
            self.claims[name] = {port: self._claim(name, port, wished[port], kept=True) for port in PORTS[name]}
        return choose([*parts, *moved])

    def _claim(self, part: str, name: str, wished: int, *, kept: bool) -> ports.Claim:
        claim = ports.claim(wished, patience_s=KEPT_PORT_S if kept else 0.0)
        if claim.port != wished:
            self.say(f"port {wished} is taken: {part} uses {claim.port} ({name})")
        return claim

    def _servers(self, parts: Sequence[str]) -> None:
        for name in SERVERS:
            if name in parts:
                self.processes[name] = self._running(name) or self._spawn_server(name)
        if "postgres" in self.processes:
            postgres.wait(self.home, self.processes["postgres"], environment.conninfo(self.values))
        if "postgres" in parts or "postgres" in self.running:
            schema.migrate(self.values, self.say)
        if "kafka" in self.processes:
            kafka.wait(self.home, self.processes["kafka"], self._port("kafka"))
        if "kafka" in parts or "kafka" in self.running:
            schema.make_topics(self.values, self.say)
        for name in MONITORS:
            if name in self.started:
                monitoring.wait(self.home, name, self.processes[name], self.values)
        self._reload()

    def _reload(self) -> None:
        """What ran before reads its rules again: a later `up` is how a change of them comes in."""
        for name in MONITORS:
            if name in self.running:
                trouble = monitoring.reload(name, self.running[name][0], self.values)
                if trouble is not None:
                    self.say(f"{trouble}. The end of its log:\n{process.last_lines(log_file(self.home, name), 3)}")

    def _running(self, name: str) -> psutil.Process | None:
        """The part's process if it runs; else say that it is starting."""
        if name in self.running:
            return self.running[name][0]
        self.say(f"starting {name}")
        self.started.append(name)
        return None

    def _port(self, name: str) -> int:
        return environment.ports(self.values)[name]

    def _spawn_server(self, name: str) -> psutil.Process:
        claims = self.claims[name]
        if name == "kafka":
            return kafka.start(self.home, claims["kafka"], claims["kafka-controller"])
        if name == "postgres":
            return postgres.start(self.home, claims["postgres"], self.values["DB_PASSWORD"], self.options.postgres)
        (claim,) = claims.values()
        return monitoring.start(self.home, name, self.values, claim)

    def _services(self, parts: Sequence[str]) -> None:
        for name in SERVICES:
            if name in parts:
                self.processes[name] = self._running(name) or self._spawn_service(name)
        servers = {name for name in SERVERS if name in parts or name in self.running}
        for name in SERVICES:
            if name in parts:
                url = services.ready_url(name, self.values)
                for trouble in services.wait(self.home, name, self.processes[name], url, servers):
                    self.say(f"{name} isn't ready yet: {trouble}")

    def _spawn_service(self, name: str) -> psutil.Process:
        part = self.options.only_part
        env = services.settings(name, self.values, os.environ, part=part, before=self.before)
        arguments = self.options.simulator if name == "simulator" else ()
        return services.start(self.home, name, env, self.claims[name], arguments)


def down(home: Path, parts: Sequence[str] = PARTS, say: Say = print) -> list[str]:
    """Stop the parts in the reverse order of their start; returns the names of those that ran. Data stays."""
    with locked(home):
        return _down(home, parts, say)


def _down(home: Path, parts: Sequence[str], say: Say) -> list[str]:
    running = process.find(home)
    known = [name for name in reversed(PARTS) if name in parts and name in running]
    others = [name for name in running if name not in PARTS]
    for name in others + known:
        say(f"stopping {name}")
        _stop_part(home, name, running[name])
    if "postgres" in parts:
        postgres.stop(home, [])  # backends that outlived a killed server
    process.collect()
    _forget_guests(home, set(running) - set(parts))
    return others + known


def _forget_guests(home: Path, left: Collection[str]) -> None:
    """A simulator that was stopped is no target that is down."""
    values = environment.read(home)
    server = process.find(home).get("prometheus")
    if server and "prometheus" in left and process.healthy(server):
        prometheus.write(home, values, left)
        monitoring.reload("prometheus", server[0], values)


def _stop_part(home: Path, name: str, processes: list[psutil.Process]) -> None:
    if name == "postgres":
        postgres.stop(home, processes)
    else:
        process.stop(processes, signal.SIGTERM)


def reset(home: Path, say: Say = print) -> None:
    """Stop everything and remove the data, the secrets and the logs: the next `up` starts from nothing."""
    with locked(home):
        _down(home, PARTS, say)
        for name in ("kafka", "postgres", "postgres.making", *MONITORS, "logs"):
            shutil.rmtree(home / name, ignore_errors=True)
        shutil.rmtree(postgres.outside(home), ignore_errors=True)
        for pattern in ("stack.env*", "kafka.properties", "prometheus*", "issuer-*", "postgres.password"):
            for file in home.glob(pattern):
                file.unlink()
        (home / "lock").unlink()
    if not any(home.iterdir()):
        home.rmdir()
