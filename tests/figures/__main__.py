"""`make figures`: measures on a Postgres of its own, and writes docs/figures/*.svg."""

import tempfile
from pathlib import Path

from tests import embedded, servers
from tests.figures import accuracy, late
from tests.figures.style import FOLDER

if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    accuracy.draw(accuracy.measure(), FOLDER / "rank_error.svg")
    with tempfile.TemporaryDirectory() as folder, embedded.running(Path(folder) / "stack", ("postgres",)) as stack:
        servers.make_template(stack.values)
        with servers.database(stack.values) as database:
            late.draw(late.measure(database, Path(folder)), FOLDER / "late_data.svg")
