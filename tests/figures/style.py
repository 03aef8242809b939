"""How the pictures look: the same bytes for the same numbers, readable on a dark page too."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

FOLDER = Path(__file__).parents[2] / "docs" / "figures"
INK, FAINT = "#1f2328", "#8b949e"
BLUE, RED, GREEN = "#0969da", "#cf222e", "#1a7f37"
_RULES: Any = {
    "svg.hashsalt": "plumbline",
    "font.size": 9.5,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.titlesize": 10.5,
    "axes.titlecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#d8dee4",
    "grid.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
}


@contextmanager
def drawing(path: Path, width: float, height: float, rows: int, columns: int, **shared: Any) -> Iterator[Any]:
    """The axes (rows, columns) of a figure (inches), saved as SVG without a date."""
    with mpl.rc_context(_RULES):
        made = Figure(figsize=(width, height), layout="constrained")
        yield made.subplots(rows, columns, squeeze=False, **shared)
        made.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
