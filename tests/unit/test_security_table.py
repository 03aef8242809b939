"""docs/security.md has a row for whatever the tests report on, and no other."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_table_has_the_rows_that_are_tested() -> None:
    told = re.findall(r"^\| ([^|]+?) \|", (ROOT / "docs/security.md").read_text(), re.MULTILINE)
    tests = "".join(p.read_text() for p in (ROOT / "tests/integration/api_service/security").glob("test_*.py"))
    noted = re.findall(r'\b(?:note\(|everywhere\(\s*door,\s*note,|row = |about = )\s*"([^"]+)"', tests)
    assert set(told) - {"row", "---"} == set(noted)
