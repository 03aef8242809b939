"""`make panels`: asks every panel's query of a real stack, and writes docs/dashboards.md."""

import sys
import tempfile
from pathlib import Path

from deploy.local import process
from tests.dashboards import catalogue, listing, scene
from tests.dashboards.catalogue import Found

DATA_S = 90.0

if __name__ == "__main__":
    found: dict[str, list[Found]] = {}

    def full() -> bool:
        """Rates need some samples, and late data a run of the aggregator."""
        found.update({name: catalogue.found(name, servers, scene.SCRAPE_S) for name in catalogue.NAMES})
        return all(each.sample for panels in found.values() for each in panels)

    with tempfile.TemporaryDirectory() as folder, scene.running(Path(folder).resolve() / "stack") as servers:
        complete = process.until(full, DATA_S, poll_s=1.0)
    listing.FILE.write_text(listing.text([(catalogue.document(name), found[name]) for name in catalogue.NAMES]))
    asked = [each for panels in found.values() for each in panels]
    empty = [each.panel["title"] for each in asked if not each.sample]
    print(f"{len(asked)} queries, {len(empty)} found nothing", *empty, sep="\n")
    sys.exit(0 if complete else 1)
