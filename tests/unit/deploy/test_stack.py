"""The choice of parts."""

import pytest

from deploy.local import stack
from shared.errors import PlumblineError


def test_parts_start_in_the_order_of_the_flow_however_they_are_named() -> None:
    assert stack.choose(["ingestion", "postgres", "kafka"]) == ("kafka", "postgres", "ingestion")


def test_an_unknown_part_is_refused_with_the_list_of_parts() -> None:
    with pytest.raises(PlumblineError, match="no such part: kafak → choose from kafka, postgres"):
        stack.choose(["kafak"])


def test_each_part_has_ports() -> None:
    assert set(stack.PORTS) == set(stack.PARTS)
