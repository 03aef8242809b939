"""`python -m shared.ready`: whether the service beside this process is ready, as a container's health check asks it.

Exit status 0: it is. 1: it isn't, and what it lacks is printed.
"""

import http.client
import os
import sys

TIMEOUT_S = 3.0


def main() -> int:
    """Asks /readyz: the API's where there is an API_PORT, else the one beside the metrics."""
    port = int(os.environ.get("API_PORT") or os.environ.get("METRICS_PORT") or 0)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        body = answer.read(2000).decode(errors="replace")
    except OSError as error:
        body = f"nothing answers on port {port}: {error}"
    else:
        if answer.status == 200:
            return 0
    sys.stdout.write(f"{body}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
