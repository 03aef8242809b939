"""A client that posts an event every so often, and remembers every answer."""

import threading
import time
from collections import Counter
from http.client import HTTPException

from tests.compose.client import Client

EVERY_S = 0.05
DEVICES = 5


class Probe:
    """Numbers 0, 1, 2, … as metric `m` of a few devices. `taken`: those that got a 202; `unknown` may be there."""

    def __init__(self, client: Client, prefix: str) -> None:
        self.taken: list[int] = []
        self.unknown: list[int] = []
        self.answers: Counter[str] = Counter()
        self.slowest_s = 0.0
        self.next = 0
        self._client, self._prefix = client, prefix
        self._began = time.time()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="probe", daemon=True)

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    def stop(self) -> None:
        """Ends once the last one is answered."""
        self._stopping.set()
        self._thread.join(60)
        assert not self._thread.is_alive(), "the probe doesn't end"

    def device(self, number: int) -> str:
        """Whose event it is."""
        return f"{self._prefix}probe-{number % DEVICES}"

    def _run(self) -> None:
        while not self._stopping.wait(EVERY_S):
            number = self.next
            self.next += 1
            began = time.monotonic()
            self.answers[self._post(number)] += 1
            self.slowest_s = max(self.slowest_s, time.monotonic() - began)

    def _post(self, number: int) -> str:
        """The answer, in the words of the report."""
        at = round(self._began + number / 1_000, 3)
        event = {"device_id": self.device(number), "timestamp": at, "data_payload": {"m": number}}
        try:
            status, _ = self._client.request("POST", "/ingest", event)
        except ConnectionRefusedError:
            return "refused"
        except TimeoutError:
            self.unknown.append(number)
            return "timeout"
        except (OSError, HTTPException):  # reset, or ended without an answer: the port's forwarder took it, nobody else
            self.unknown.append(number)
            return "refused"
        if status == 202:
            self.taken.append(number)
        else:
            self.unknown.append(number)
        return str(status)
