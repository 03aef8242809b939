import pytest

from aggregation_service.settings import AggregationSettings, parse_levels
from shared.errors import ConfigurationError
from shared.settings import load


def test_levels_are_widths_in_seconds() -> None:
    assert parse_levels("1m,1h,1d") == (60, 3_600, 86_400)
    assert parse_levels(" 5m , 1h") == (300, 3_600)


@pytest.mark.parametrize("text", ["", "1h,1m", "1m,1m", "10m,15m", "1d,1w", "none", "1m,,1h", "7m", "1x"])
def test_levels_that_do_not_fit_name_the_variable_and_the_fix(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGGREGATION_LEVELS", text)
    with pytest.raises(ConfigurationError, match=r"^AGGREGATION_LEVELS: .* → give minutes, hours or 1d"):
        load(AggregationSettings)
