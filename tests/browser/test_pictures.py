"""The pictures in docs show the page and the rules as they are."""

import pytest

from tests.browser import pictures
from tests.browser.stamp import FIGURES, page_source, rules_source, source_of, stamped


@pytest.mark.parametrize("name", [*pictures.PAGES, *pictures.RULES])
def test_the_pictures_are_current(name: str) -> None:
    picture = FIGURES / f"{name}.png"
    assert picture.is_file(), "run make screenshots"
    content = picture.read_bytes()
    assert source_of(content) == (rules_source() if name in pictures.RULES else page_source()), "run make screenshots"
    assert len(content) < 300_000


def test_a_stamp_can_be_read_back() -> None:
    content = next(FIGURES.glob("page-*.png")).read_bytes()
    assert source_of(stamped(content, "of something else")) == "of something else"
