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

    `told`: Alertmanager would have told the receiver of pages, of this alert or of its cause. `others`: what else
    fired, by name.
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
        outcome = _strike(stage, watch, fault, linger_s)
        say(f"{fault.name}: {fault.alert} after {outcome.fired} s, over after {outcome.resolved} s")
        yield outcome


def _strike(stage: Stage, watch: Watch, fault: Fault, linger_s: float) -> Outcome:
    look = _Look(watch, fault)
    try:
        fault.strike(stage)
        fired = look.since() if watch.until(look.fires, FIRES_WITHIN_S) is not None else None
        if fired is not None:
            watch.until(look.told_and_fires, _TOLD_WITHIN_S)
            lingering = time.monotonic() + linger_s
            watch.until(lambda: look.fires() and time.monotonic() > lingering, linger_s)
    finally:
        mending = time.monotonic()
        fault.mend(stage)
    over = None if _over(watch, fault) is None else round(time.monotonic() - mending, 1)
    others = {name: seconds for name, seconds in look.seen.items() if name != fault.alert}
    return Outcome(fault, look.alert, fired, look.told, others, over)


class _Look:
    """What there is to see since a fault began."""

    def __init__(self, watch: Watch, fault: Fault) -> None:
        self._watch, self._fault = watch, fault
        self._before = {each.name for each in watch.firing()}
        self._pages = watch.pages()
        self._began = time.monotonic()
        self.seen: dict[str, float] = {}
        self.alert: Alert | None = None
        self.told: float | None = None

    def since(self) -> float:
        return round(time.monotonic() - self._began, 1)

    def fires(self) -> bool:
        """Looks; whether the alert of this fault fires."""
        firing = self._watch.firing()
        for each in firing:
            if each.name not in self._before:
                self.seen.setdefault(each.name, self.since())
        if self.told is None and self._watch.pages() - self._pages:
            self.told = self.since()
        mine = _find(firing, self._fault)
        self.alert = mine or self.alert
        return mine is not None

    def told_and_fires(self) -> bool:
        return self.fires() and self.told is not None


def _over(watch: Watch, fault: Fault) -> float | None:
    return watch.until(lambda: _find(watch.firing(), fault) is None, _RESOLVES_WITHIN_S)


def _find(firing: Sequence[Alert], fault: Fault) -> Alert | None:
    return next((e for e in firing if e.name == fault.alert and fault.service in ("", e.service)), None)
