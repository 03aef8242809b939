"""`python -m shared.ready`: whether the service beside this process is ready, as a container's health check asks it.

Exit status 0: it is. 1: it isn't, and what it lacks is printed. It is asked again and again for as long as a container
runs, so it imports nothing that takes longer than the question: http.client would double its cost.
"""

import os
import socket
import sys

TIMEOUT_S = 3.0
_QUESTION = b"GET /readyz HTTP/1.0\r\nHost: localhost\r\n\r\n"


def main() -> int:
    """Asks /readyz: the API's where there is an API_PORT, else the one beside the metrics."""
    port = int(os.environ.get("API_PORT") or os.environ.get("METRICS_PORT") or 0)
    try:
        head, _, body = _answer(port).partition(b"\r\n\r\n")
    except OSError as error:
        sys.stdout.write(f"nothing answers on port {port}: {error}\n")
        return 1
    if head.split(b" ")[1:2] == [b"200"]:
        return 0
    sys.stdout.write(f"{body[:2000].decode(errors='replace')}\n")
    return 1


def _answer(port: int) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S) as line:
        line.sendall(_QUESTION)
        return b"".join(iter(lambda: line.recv(65_536), b""))


if __name__ == "__main__":
    sys.exit(main())
