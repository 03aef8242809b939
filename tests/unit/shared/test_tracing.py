"""`traceparent`, as W3C Trace Context has it."""

import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import tracing
from shared.errors import ConfigurationError
from shared.settings import ServiceSettings, load
from shared.tracing import Context

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.mark.parametrize(
    ("header", "sampled"),
    [
        (f"00-{TRACE}-{SPAN}-01", True),
        (f"00-{TRACE}-{SPAN}-00", False),
        (f"00-{TRACE}-{SPAN}-ff", True),
        (f"00-{TRACE}-{SPAN}-02", False),
        (f"cc-{TRACE}-{SPAN}-01", True),
        (f"cc-{TRACE}-{SPAN}-01-what the future brings", True),
    ],
)
def test_what_a_traceparent_says(header: str, sampled: bool) -> None:
    assert tracing.parse(header.encode()) == Context(TRACE, SPAN, sampled)


@pytest.mark.parametrize(
    "header",
    [
        "",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE}-{SPAN}-01 ",
        f" 00-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01\n",
        f"cc-{TRACE}-{SPAN}-01.more",
        f"ff-{TRACE}-{SPAN}-01",
        f"0-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE[:-1]}g-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-0x",
        f"00-{TRACE}0-{SPAN}-01",
        f"00_{TRACE}_{SPAN}_01",
    ],
)
def test_what_says_nothing(header: str) -> None:
    assert tracing.parse(header.encode()) is None


@given(st.binary(max_size=80))
def test_garbage_is_no_error(header: bytes) -> None:
    found = tracing.parse(header)
    assert found is None or tracing.parse(found.header().encode()) == found


@given(st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1), st.booleans())
def test_what_is_written_is_read(trace: int, span: int, sampled: bool) -> None:
    context = Context(f"{trace:032x}", f"{span:016x}", sampled)
    assert tracing.parse(context.header().encode()) == context


def test_without_traces_nothing_is_made() -> None:
    assert not tracing.on()
    assert tracing.start("a") is None
    with tracing.child("b") as span, tracing.inside(None), tracing.within(None):
        assert span is None
        assert tracing.current() is None
    assert tracing.identify() == {}


def test_traces_without_the_extra_are_a_configuration_error() -> None:
    code = (
        "import sys; sys.modules['opentelemetry'] = None\n"
        "from shared import lifecycle, tracing\nfrom shared.settings import ServiceSettings, load\n"
        "def main():\n    with tracing.configured('test', load(ServiceSettings)):\n        pass\n"
        "lifecycle.run(main)"
    )
    environment = {**os.environ, "OTEL_TRACES_EXPORTER": "console"}
    ended = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 78
    assert "pip install 'plumbline[otel]'" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


@pytest.mark.parametrize("module", ["api_service", "ingestion_service", "aggregation_service", "simulator"])
def test_without_traces_opentelemetry_isnt_even_imported(module: str) -> None:
    """FastAPI itself imports its interface, but nothing that would do anything."""
    found = (
        "name.startswith(('opentelemetry.sdk', 'opentelemetry.exporter'))"
        if module == "api_service"
        else ("name.startswith('opentelemetry')")
    )
    code = (
        f"import sys, {module}.__main__\nfrom shared import tracing\n"
        "from shared.settings import ServiceSettings, load\n"
        "with tracing.configured('test', load(ServiceSettings)):\n    assert not tracing.on()\n"
        f"found = [name for name in sys.modules if {found}]\nassert not found, found"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=60)


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318", "OTEL_EXPORTER_OTLP_ENDPOINT"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "OTLP over HTTP"),
        ("OTEL_TRACES_EXPORTER", "jaeger", "OTEL_TRACES_EXPORTER"),
        ("OTEL_TRACES_SAMPLER", "some", "OTEL_TRACES_SAMPLER"),
        ("OTEL_TRACES_SAMPLER_ARG", "1.5", "OTEL_TRACES_SAMPLER_ARG"),
    ],
)
def test_variables_that_cannot_be_used(variable: str, value: str, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError, match=told) as raised:
        load(ServiceSettings)
    assert "→" in str(raised.value)
