"""Ingestion whose first client of a kind hears nothing: `STRANDED=consumer python -m tests.faults.stranded`."""

import os
import threading

from ingestion_service import __main__ as service
from ingestion_service.settings import IngestionSettings
from shared import lifecycle
from shared.failpoints import Failpoints
from tests import deaf

_run = service.run


def stranded(settings: IngestionSettings, conninfo: str, failpoints: Failpoints, stop: threading.Event) -> None:
    """Of the process's lives, the first."""
    if not (kind := os.environ.pop("STRANDED", "")):
        return _run(settings, conninfo, failpoints, stop)
    with deaf.first(kind):
        return _run(settings, conninfo, failpoints, stop)


if __name__ == "__main__":
    service.run = stranded
    lifecycle.run(service.main)
