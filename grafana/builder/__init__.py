"""Writes the dashboards: a module a dashboard, of panels (panels.py) that ask queries (queries.py)."""

from pathlib import Path

from grafana.builder import api, fleet, ingestion, pipeline, statistics
from grafana.builder.board import Board

FOLDER = Path(__file__).parents[1] / "dashboards"


def boards() -> list[Board]:
    """All of them, made anew: building one sets the ids and places of its panels."""
    return [module.board() for module in (pipeline, ingestion, statistics, api, fleet)]
