"""What a chart's canvas really holds."""

from dataclasses import dataclass
from itertools import groupby

from playwright.sync_api import Locator

# Axes and grid are grey. A line is opaque, the band of its colour lets through; late readings are marked in amber.
_COUNT = """
canvas => {
  const { width, height } = canvas;
  const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
  const found = { line: Array(width).fill(0), band: Array(width).fill(0), late: Array(width).fill(0) };
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const [r, g, b, alpha] = data.subarray((y * width + x) * 4, (y * width + x) * 4 + 4);
      if (alpha < 12 || Math.max(r, g, b) - Math.min(r, g, b) < 60) continue;
      const kind = r > b + 60 && r > g + 20 ? "late" : alpha > 150 ? "line" : "band";
      found[kind][x] += 1;
    }
  }
  return found;
}
"""


@dataclass(frozen=True)
class Painted:
    """Pixels in each column of the canvas: of lines, of bands, of marks of late readings."""

    line: list[int]
    band: list[int]
    late: list[int]

    @property
    def widest_gap(self) -> float:
        """The longest stretch without line and band between the first and the last, in parts of what lies between."""
        columns = [bool(line or band) for line, band in zip(self.line, self.band, strict=True)]
        first, last = columns.index(True), len(columns) - columns[::-1].index(True)
        inside = columns[first:last]
        return max((len(list(run)) for there, run in groupby(inside) if not there), default=0) / len(inside)


def painted(canvas: Locator) -> Painted:
    """Looks at a canvas of one device, the first: it is blue."""
    return Painted(**canvas.evaluate(_COUNT))
