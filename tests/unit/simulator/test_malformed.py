"""Each malformed event gets, from the decoder that the pipeline uses, the code that it is meant to get."""

import pytest

from shared.events import Decoder, Limits
from simulator.malformed import MALFORMED, Maker

NOW_US = 1_795_000_000_000_000


@pytest.mark.parametrize(("code", "make"), MALFORMED, ids=[code for code, _ in MALFORMED])
def test_the_code_is_the_planned_one(code: str, make: Maker) -> None:
    record = make("dev-00001", "2026-11-18T10:00:00.000Z")
    decoded = Decoder(Limits()).decode([record["value"]], NOW_US, [record["key"]])
    assert [reject.code for reject in decoded.rejects] == [code]
