"""Every operation does what /openapi.json says of it, whatever it is asked, with a token that opens all and without."""

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import APIOperation, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.integration.api_service.security.door import Door

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]
FEW = settings(
    max_examples=25,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def operations(door: Door) -> list[APIOperation[Any, Any, Any, Any]]:
    """Of the running process."""
    schema = schemathesis.openapi.from_url(f"{door.client.base_url}/openapi.json")
    found = [each.ok() for each in schema.get_all_operations() if isinstance(each, Ok)]
    assert len(found) == len(door.routes)
    return [operation for operation in found if operation.path != "/stats/stream"]  # it would read without end


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("known", [True, False], ids=["with a token", "without a token"])
def test_operations_conform(
    door: Door, operations: list[APIOperation[Any, Any, Any, Any]], known: bool, mode: GenerationMode
) -> None:
    headers = {"Authorization": f"Bearer {door.token()}"} if known else {}
    wrong = []
    for operation in operations:

        def conforms(case: Any) -> None:
            case.call_and_validate(checks=CHECKS, headers=headers)

        try:
            FEW(given(case=operation.as_strategy(generation_mode=mode))(conforms))()
        except Unsatisfiable:
            assert mode is GenerationMode.NEGATIVE, operation  # nothing about it can be wrong
        except FailureGroup as group:
            wrong += [f"{operation.label}: {error.title}: {error.message}" for error in group.exceptions]
    assert not wrong, "\n".join(wrong)
