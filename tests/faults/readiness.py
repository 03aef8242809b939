"""What a service says of itself on METRICS_PORT."""

import json
import random
import re
import urllib.error
import urllib.request

from deploy.local import ports


def free_port() -> int:
    """A port that nobody listens on, below those that outgoing connections take: it is bound later, by a process."""
    return next(port for port in iter(lambda: random.randrange(30_000, 32_000), 0) if not ports.listening(port))


def problems(port: int) -> list[str]:
    """Why it isn't ready; that it doesn't answer is a reason too."""
    try:
        return list(json.loads(_get(port, "/readyz"))["problems"])
    except OSError as error:
        return [str(error)]


def stopped(port: int) -> dict[str, int]:
    """Partitions that need an operator, by reason, as the metric has them."""
    found = re.findall(r'^ingestion_stopped_partitions\{reason="(\w+)"\} (\d+)', _get(port, "/metrics"), re.MULTILINE)
    return {reason: int(count) for reason, count in found if int(count)}


def _get(port: int, path: str) -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError as error:  # 503 has a body
        with error:
            return error.read().decode()
