"""Each fault on a stage that works: what fired, when, and when it was over."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tests.alerting.faults import Fault
from tests.alerting.stage import Stage
from tests.alerting.watch import Alert, Watch

FIRES_WITHIN_S = 120.0
_RESOLVES_WITHIN_S = 420.0  # windows of five minutes have to pass
_TOLD_WITHIN_S = 30.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """Seconds since the fault, and since it began to be mended; None: not in the time that it had.

    `told`: Alertmanager would have told the receiver of pages. `others`: what else fired, by name.
    """

    fault: Fault
    alert: Alert | None
    fired: float | None
    told: float | None
    others: dict[str, float]
    resolved: float | None


def exercise(stage: Stage, faults: Sequence[Fault], linger_s: float, say: Callable[[str], None]) -> Iterator[Outcome]:
    """One after the other; after its alert a fault goes on for `linger_s`, to see what else fires."""
    watch = Watch(stage.values)
    for fault in faults:
        if _over(watch, fault) is None:
            raise AssertionError(f"{fault.alert} fires before there is a fault")
        say(f"{fault.name}: {fault.what} …")
        before = {each.name for each in watch.firing()}
        outcome = _strike(stage, watch, fault, before, linger_s)
        say(f"{fault.name}: {fault.alert} after {outcome.fired} s, over after {outcome.resolved} s")
        yield outcome


def _strike(stage: Stage, watch: Watch, fault: Fault, before: set[str], linger_s: float) -> Outcome:
    began = time.monotonic()
    seen: dict[str, float] = {}
    found: list[Alert] = []

    def fires() -> bool:
        firing = watch.firing()
        for each in firing:
            if each.name not in before:
                seen.setdefault(each.name, round(time.monotonic() - began, 1))
        mine = _find(firing, fault)
        found[:] = [mine] if mine else []
        return mine is not None

    told = None
    try:
        fault.strike(stage)
        fired = _since(began) if watch.until(fires, FIRES_WITHIN_S) is not None else None
        alert = found[0] if found else None
        if alert is not None:
            if watch.until(lambda: fault.alert in watch.pages(), _TOLD_WITHIN_S) is not None:
                told = _since(began)
            watch.until(lambda: (fires(), False)[1], linger_s)
    finally:
        mending = time.monotonic()
        fault.mend(stage)
    over = _over(watch, fault)
    others = {name: seconds for name, seconds in seen.items() if name != fault.alert}
    return Outcome(fault, alert, fired, told, others, None if over is None else _since(mending))


def _over(watch: Watch, fault: Fault) -> float | None:
    return watch.until(lambda: _find(watch.firing(), fault) is None, _RESOLVES_WITHIN_S)


def _find(firing: Sequence[Alert], fault: Fault) -> Alert | None:
    return next((e for e in firing if e.name == fault.alert and fault.service in ("", e.service)), None)


def _since(began: float) -> float:
    return round(time.monotonic() - began, 1)
