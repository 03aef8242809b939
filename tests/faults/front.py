"""The API of a scene, as a process that may be killed and comes back on its port with the same keys."""

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from api_service.auth.issuer import Issuer
from api_service.auth.signing import OwnKeys
from tests.answering import SCOPES, api_settings
from tests.faults.load import Shape
from tests.faults.posts import Posts
from tests.faults.readiness import free_port
from tests.faults.scene import Scene
from tests.pipeline import Service, running, wait_for

MIB = 1 << 20
READS = ("/stats?from=-1h", "/devices", "/records?device_id=d0", "/vital-data")


@contextmanager
def fronted(scene: Scene, folder: Path, **settings: object) -> Iterator["Front"]:
    """An API that doesn't run yet."""
    front = Front(scene, folder, settings)
    with front.client:
        yield front


class Front:
    """`client` asks it with a token that may do everything."""

    def __init__(self, scene: Scene, folder: Path, settings: Mapping[str, object]) -> None:
        made = api_settings(scene.database, folder)
        self._scene, self._port = scene, free_port()
        self._environment = {
            **scene.database.environment("api"),
            **scene.topics.environment(),
            "AUTH_SIGNING_KEY_FILE": str(made.auth_signing_key_file),
            "AUTH_CLIENTS_FILE": str(made.auth_clients_file),
            "API_PORT": str(self._port),
            **{name: str(value) for name, value in settings.items()},
        }
        self.keys = OwnKeys(made.auth_signing_key_file)
        issuer = Issuer(made.auth_issuer, made.jwt_audience, self.keys)
        self._token = issuer.issue("all", SCOPES, None, time.time(), 3_600)
        headers = {"Authorization": f"Bearer {self._token}"}
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self._port}", headers=headers, timeout=20)

    @contextmanager
    def process(self, **settings: object) -> Iterator[Service]:
        """It runs for the block, or until it is killed."""
        module = "tests.faults.unprotected_api" if self._scene.without else "api_service"
        changed = {name: str(value) for name, value in settings.items()}
        with running(module, {**self._environment, **changed}, {"WITHOUT": self._scene.without}) as service:
            wait_for(lambda: service.status is not None or self.lacks() == [], "an API that is ready")
            assert service.status is None, service.output()
            yield service

    @contextmanager
    def posts(self, connections: int = 16, **shape: int) -> Iterator[Posts]:
        """Single events for the block; none of them poisonous, for those are refused at the door."""
        load = Posts(self._port, self._token, Shape(**{"poison_every": 0, **shape}), connections)
        with self._scene.under(load):
            yield load

    def lacks(self) -> list[str] | None:
        """The names of what /readyz complains of; None: it doesn't answer."""
        try:
            answer = self.client.get("/readyz")
        except httpx.TransportError:
            return None
        return [error["field"] for error in answer.json().get("errors", [])]

    def complains(self, of: str) -> None:
        """Waits until /readyz names this and nothing else, while /healthz stays."""
        self._scene.awaits(lambda: self.lacks() == [of], f"/readyz names {of}", 15)
        self._scene.expect(self.client.get("/healthz").status_code == 200, "/healthz doesn't answer")

    def reads(self, status: int, within_s: float) -> None:
        """Each reading route answers with this status, in time, in the form that clients rely on."""
        for path in READS:
            answer = self.client.get(path)
            seconds = answer.elapsed.total_seconds()
            said = f"GET {path}: {answer.status_code} after {seconds:.2f} s"
            self._scene.expect(answer.status_code == status and seconds <= within_s, said)
            if status == 503:
                problem = answer.headers["content-type"] == "application/problem+json"
                self._scene.expect(problem and "retry-after" in answer.headers, f"GET {path}: no problem details")


def resident(service: Service, which: str = "VmRSS") -> int:
    """A process's memory, in bytes; VmHWM: the most that it has had."""
    found = re.search(rf"{which}:\s+(\d+) kB", Path(f"/proc/{service.pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024
