"""An ingestion process that is to outlive a fault: as the member of its group that it was, and saying so meanwhile."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.faults import readiness
from tests.faults.scene import SETTLE_S, Scene
from tests.faults.verdict import Verdict
from tests.pipeline import Service

MIB = 1 << 20
GROUP = {"KAFKA_SESSION_TIMEOUT_MS": 2_000, "KAFKA_MAX_POLL_INTERVAL_MS": 3_000}


class Member:
    """What is asked of it goes into the scene's verdict."""

    def __init__(self, scene: Scene, service: Service, port: int) -> None:
        self.service = service
        self._scene = scene
        self._port = port

    @property
    def peak(self) -> int:
        """The most memory that it has had so far, in bytes."""
        status = Path(f"/proc/{self.service.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024

    @property
    def assignments(self) -> int:
        """How often its group has assigned it partitions, or taken them away."""
        return self.service.output().count(" partitions_")

    def complains(self, of: str = "Postgres", timeout_s: float = 15) -> None:
        """Waits until /readyz says what it lacks."""
        self._scene.awaits(
            lambda: self.service.status is not None or any(of in why for why in readiness.problems(self._port)),
            f"/readyz complains of {of}",
            timeout_s,
        )

    def met(self, *errors: str) -> None:
        """Its log has one of these: the fault was what the test means."""
        log = self.service.output()
        self._scene.expect(any(error in log for error in errors), f"it never met {' or '.join(errors)}")

    def verdict(self, fault: str) -> Verdict:
        """It runs, is ready and was never thrown out of its group; and the scene's verdict."""
        expect, alive = self._scene.expect, self.service.status is None
        expect(alive, f"it ended with status {self.service.status}")
        self._scene.recovered(SETTLE_S if alive else 1.0)
        alive = alive and self.service.status is None
        if alive:
            self._scene.awaits(lambda: not readiness.problems(self._port), "it is ready again", 15)
        expect(self.assignments == 1, f"its group assigned or revoked partitions {self.assignments} times")
        return self._scene.verdict(fault, SETTLE_S if alive else 1.0)


@contextmanager
def member(scene: Scene, **settings: object) -> Iterator[Member]:
    """A process for the block, in a group that is quick to throw out who doesn't answer."""
    port = readiness.free_port()
    with scene.service(METRICS_PORT=port, **{**GROUP, **settings}) as service:
        yield Member(scene, service, port)
