"""A client of the API on the host's port."""

import http.client
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

_TIMEOUT_S = 20.0


@dataclass(frozen=True)
class Client:
    """Each request has a connection of its own."""

    port: int
    token: str

    def request(self, method: str, path: str, body: object = None) -> tuple[int, str]:
        """Status and body. Raises OSError or HTTPException where nobody answers."""
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_TIMEOUT_S)
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        try:
            line.request(method, path, json.dumps(body) if body is not None else None, headers)
            answer = line.getresponse()
            return answer.status, answer.read().decode()
        finally:
            line.close()

    def answers(self, path: str) -> bool:
        """Whether the API is there, and says yes."""
        try:
            return self.request("GET", path)[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def post(self, events: object) -> dict[str, Any]:
        """Sends events, all of which are taken."""
        status, body = self.request("POST", "/ingest", events)
        assert status == 202, f"{status}: {body}"
        answer: dict[str, Any] = json.loads(body)
        return answer

    def get(self, path: str, **query: object) -> dict[str, Any]:
        """An answer."""
        status, body = self.request("GET", f"{path}?{urlencode(query, doseq=True)}")
        assert status == 200, f"{status}: {body}"
        answer: dict[str, Any] = json.loads(body)
        return answer

    def stats(self, **query: object) -> list[dict[str, Any]]:
        """All rows of /stats, page after page."""
        rows: list[dict[str, Any]] = []
        cursor: dict[str, object] = {}
        while True:
            page = self.get("/stats", **query, **cursor)
            rows += page["rows"]
            if page["next_cursor"] is None:
                return rows
            cursor = {"cursor": page["next_cursor"]}
