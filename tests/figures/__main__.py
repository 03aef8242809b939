"""`make figures`: measures on a Postgres of its own, and writes docs/figures/*.svg."""

import tempfile
from pathlib import Path

from tests import servers
from tests.figures import accuracy, late
from tests.figures.style import FOLDER

if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    accuracy.draw(accuracy.measure(), FOLDER / "rank_error.svg")
    with tempfile.TemporaryDirectory() as folder, servers.stack(Path(folder) / "stack", ("postgres",)) as stack:
        servers.make_template(stack)
        with servers.database(stack) as database:
            late.draw(late.measure(database, Path(folder)), FOLDER / "late_data.svg")
