"""What was found, and the command that mends it."""

from ops.verify.findings import NO_EVENT, Findings

SECOND = 1_000_000


def found() -> Findings:
    return Findings({1: "a", 2: "b"}, {1: "temp"})


def test_nothing_wrong_needs_no_command() -> None:
    findings = found()
    findings.judged(60, (1, 1, 0), [])
    assert findings.report() == {
        "ok": True, "compared": {"1m": 1}, "fleet": {}, "skipped": {}, "differences": [], "mend": None
    }  # fmt: skip


def test_one_level_of_few_devices_is_named() -> None:
    findings = found()
    findings.judged(60, (1, 1, 120 * SECOND), ["count is 2, the events say 1"])
    findings.judged(60, (2, 1, 0), ["min is 2, the events say 1"])
    assert findings.mend() == (
        "plumbline backfill --from 1970-01-01T00:00:00Z --to 1970-01-01T00:03:00Z --level 1m --device a --device b"
    )


def test_several_levels_and_the_fleet_are_made_again_for_all() -> None:
    findings = found()
    findings.judged(60, (1, 1, 0), ["count is 2, the events say 1"])
    findings.fleet_judged(3_600, 1, 0, ["count is 2, the events say 1"])
    assert findings.mend() == "plumbline backfill --from 1970-01-01T00:00:00Z --to 1970-01-01T01:00:00Z --fleet"


def test_a_row_without_events_is_not_mended() -> None:
    findings = found()
    findings.judged(60, (1, 1, 0), [NO_EVENT])
    assert not findings.report()["ok"]
    assert findings.mend() is None
