"""`python -m tests.alerting [NAME …]`: the faults on a stack of its own; all of them write docs/alerts-fired.md.

Exit status 1: an alert didn't fire or didn't end, or one fired while nothing was wrong.
"""

import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from deploy.local.prometheus import INTERVAL
from tests.alerting.exercise import Outcome, exercise
from tests.alerting.faults import FAULTS, Fault
from tests.alerting.stage import Clients, stage
from tests.alerting.watch import Watch

_FILE = Path(__file__).parents[2] / "docs" / "alerts-fired.md"
_QUIET_S = 60.0
_LINGER_S = 20.0
_SILENCE = "no alert"


def main() -> int:
    """Runs what the command line names."""
    faults = _chosen(sys.argv[1:])
    with (
        tempfile.TemporaryDirectory() as folder,
        stage(Path(folder).resolve() / "stack") as made,
        Clients(made.values),
    ):
        watch = Watch(made.values)
        watch.until(watch.scraped, 60)
        quiet = _silence(watch)
        _say(quiet)
        outcomes = list(exercise(made, faults, _LINGER_S, _say))
        text = "\n".join(_lines(outcomes, quiet)) + "\n"
        sys.stdout.write(text)
        if len(faults) == len(FAULTS):
            _FILE.write_text(text)
    well = all(each.fired is not None and each.resolved is not None for each in outcomes)
    return 0 if well and quiet.endswith(_SILENCE) else 1


def _chosen(names: Sequence[str]) -> Sequence[Fault]:
    chosen = [fault for fault in FAULTS if not names or any(name in fault.name for name in names)]
    if not chosen:
        sys.stderr.write(f"no such fault → choose from: {', '.join(fault.name for fault in FAULTS)}\n")
        raise SystemExit(2)
    return chosen


def _silence(watch: Watch) -> str:
    """What fires while nothing is wrong."""
    fired: list[str] = []

    def fires() -> bool:
        fired[:] = [f"{each.name} ({each.summary})" for each in watch.firing()]
        return bool(fired)

    watch.until(fires, _QUIET_S)
    return f"{_QUIET_S:.0f} s without a fault: {', '.join(fired) or _SILENCE}"


def _lines(outcomes: Sequence[Outcome], quiet: str) -> Iterator[str]:
    yield "# Faults, and the alerts that fired"
    yield ""
    yield (
        "Written by `make alert-faults`: a whole stack with 300 events a second through Kafka, requests over HTTP and "
        f"the rules of deploy/prometheus, scraped and evaluated every {INTERVAL}. Since the fault until Prometheus had "
        "the alert firing, and until Alertmanager would have told the receiver of pages of it or of its cause; since "
        "it began to be mended until the alert was over. `make alert-faults ONLY=postgres` tries some."
    )
    yield ""
    yield f"Before the first fault, {quiet}."
    yield ""
    yield "| fault | alert | severity | fires after | told after | over after | also fired |"
    yield "|---|---|---|---|---|---|---|"
    for each in outcomes:
        also = ", ".join(f"{name} ({seconds:.0f} s)" for name, seconds in each.others.items())
        severity = each.alert.severity if each.alert else "DIDN'T FIRE"
        yield (
            f"| {each.fault.name}: {each.fault.what} | {each.fault.alert} | {severity} | {_seconds(each.fired)} "
            f"| {_seconds(each.told)} | {_seconds(each.resolved)} | {also} |"
        )
    yield ""
    yield "What they said:"
    yield ""
    for each in outcomes:
        if each.alert:
            yield f"- {each.fault.name}: {each.alert.summary}"


def _seconds(value: float | None) -> str:
    return "—" if value is None else f"{value:.0f} s"


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
