"""Whether a look is good news, and what to type if it isn't."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from deploy.local.home import CHECKOUT
from deploy.local.stack import PARTS
from deploy.local.status import Part
from ops.alerts import Alert, alerts
from ops.status import picture
from ops.status.figures import PATIENCE_S, PATIENCE_SHARE, Figures
from ops.status.verdict import (
    FEW_DEAD_LETTERS,
    MOST_ACK_LAG_S,
    MOST_DEAD_SHARE,
    MOST_LAG_S,
    MOST_LATE_S,
    Verdict,
    verdict,
)  # fmt: skip

NOW = datetime(2026, 11, 21, 17, 30, tzinfo=UTC)
CALM = Figures(
    events_per_second=1000.0,
    lag_messages=12,
    lag_seconds=0.2,
    end_to_end_p99_seconds=0.1,
    watermark=NOW,
    watermark_age_seconds=40.0,
    stored_until=NOW,
    overdue_seconds=0.0,
    patience_seconds=123.0,
    late_entries=3,
    late_oldest_seconds=5.0,
    dead_letters_last_hour=0,
    dead_letter_share=0.0,
    unaccounted_offsets=0,
    stopped_partitions=0,
    paused_partitions=0,
    ack_lag_seconds=0.1,
)
UP = [Part(name, "running", 1, f"http://{name}", "1") for name in PARTS if name != "simulator"]
FIRING = Alert(
    "PlumblineEventsNotVisible", "firing", "page", NOW - timedelta(minutes=3), "events wait", "docs/runbook.md#x", {}
)


def judged(figures: Figures = CALM, parts: list[Part] = UP, found: list[Alert] | None = None) -> Verdict:
    return verdict(parts, figures, found if found is not None else [], {}, NOW)


def without(name: str) -> list[Part]:
    return [replace(part, state="stopped", pid=None) if part.name == name else part for part in UP]


def test_a_calm_stack_is_healthy_and_says_how_fast_and_how_far_behind() -> None:
    found = judged()
    assert (found.ok, found.findings) == (True, [])
    assert found.words == "healthy: 1,000 events/s, 0.2 s behind, no alert fires"


@pytest.mark.parametrize(
    ("figures", "said", "command"),
    [
        (replace(CALM, unaccounted_offsets=2), "2 offsets were read and have no outcome", "plumbline reconcile"),
        (replace(CALM, lag_seconds=31.0), "12 events wait, the oldest for 31 s", "plumbline offsets"),
        (replace(CALM, overdue_seconds=124.0), "statistics are 124 s overdue", "docs/runbook.md#"),
        (replace(CALM, late_oldest_seconds=901.0), "late data waits for 901 s", "docs/runbook.md#"),
        (
            replace(CALM, dead_letters_last_hour=20, dead_letter_share=0.02),
            "2.00% of the records",
            "plumbline dlq list",
        ),
        (replace(CALM, ack_lag_seconds=61.0), "acks are 61 s behind", "python -m shared.topics"),
    ],
)
def test_each_figure_out_of_order_is_said_with_the_next_command(figures: Figures, said: str, command: str) -> None:
    found = judged(figures)
    assert not found.ok
    assert said in found.words
    assert found.findings[0].next.startswith(command)


@pytest.mark.parametrize(
    "figures",
    [
        replace(CALM, lag_seconds=30.0),
        replace(CALM, overdue_seconds=123.0),
        replace(CALM, dead_letters_last_hour=19, dead_letter_share=0.5),
        replace(CALM, dead_letters_last_hour=1000, dead_letter_share=0.01),
        replace(CALM, late_oldest_seconds=900.0, ack_lag_seconds=60.0, paused_partitions=2),
        Figures(*[None] * len(CALM.__slots__)),
    ],
)
def test_what_is_within_its_limits_or_not_known_is_not_wrong(figures: Figures) -> None:
    assert judged(figures).ok


def test_a_part_that_is_gone_comes_before_what_follows_from_it() -> None:
    found = judged(replace(CALM, lag_seconds=90.0), without("ingestion"), [FIRING])
    assert [finding.next for finding in found.findings] == [
        "plumbline up --only ingestion", "plumbline offsets", "docs/runbook.md#x",
    ]  # fmt: skip
    assert found.words.startswith("3 things are wrong, first: ingestion: stopped")


def test_a_stopped_partition_needs_a_decision() -> None:
    stopped = [
        replace(part, state="not ready", problem="partition 3 stopped: truncated") if part.name == "ingestion" else part
        for part in UP
    ]
    assert judged(parts=stopped).findings[0].next == "plumbline offsets"


def test_a_firing_alert_is_wrong_and_a_pending_one_is_a_note() -> None:
    assert not judged(found=[FIRING]).ok
    pending = judged(found=[replace(FIRING, state="pending")])
    assert pending.ok
    assert [finding.state for finding in pending.findings] == ["note"]


def test_nothing_at_all_is_one_command_away() -> None:
    found = verdict([replace(part, state="stopped") for part in UP], CALM, None, {}, NOW)
    assert (found.ok, found.findings[0].next) == (False, "plumbline up")


def test_a_stack_without_prometheus_is_healthy_and_says_that_no_alerts_are_known() -> None:
    absent = [replace(part, state="stopped", url=None, problem="not installed") if part.name == "prometheus" else part
              for part in UP]  # fmt: skip
    found = verdict(absent, CALM, None, {"prometheus": "not installed"}, NOW)
    assert found.ok
    assert "no Prometheus to ask" in found.words
    assert found.findings[0].what == "no alerts: Prometheus is not installed"


def test_what_answers_and_yet_fails_a_question_is_wrong() -> None:
    found = verdict(UP, CALM, [], {"postgres": "the database is older than this command → migrate"}, NOW)
    assert (found.ok, found.findings[0].next) == (False, "migrate")


def test_alerts_are_read_with_what_presses_first() -> None:
    def raw(name: str, state: str, severity: str, minute: int) -> dict[str, object]:
        return {
            "labels": {"alertname": name, "severity": severity, "partition": "3"},
            "annotations": {"summary": f"{name} it is", "runbook_url": f"docs/runbook.md#{name}"},
            "state": state,
            "activeAt": f"2026-11-21T17:{minute:02}:58.843240321Z",
        }

    found = alerts({"data": {"alerts": [
        raw("c", "pending", "page", 1), raw("b", "firing", "ticket", 2), raw("a", "firing", "page", 3),
    ]}})  # fmt: skip
    assert [each.name for each in found] == ["a", "b", "c"]
    assert (found[0].summary, found[0].labels) == ("a it is", {"partition": "3"})
    assert found[0].since == datetime(2026, 11, 21, 17, 3, 58, 843240, tzinfo=UTC)


def test_a_line_holds_every_figure_and_what_cannot_be_said_is_a_dash() -> None:
    calm = judged()
    assert "events/s 1,000 · lag 12 events, 200 ms" in picture.line(CALM, [], calm, NOW)
    unknown = picture.lines(Figures(*[None] * len(CALM.__slots__)))
    assert all("-" in value for value in unknown.values())
    assert "BROKEN" in picture.line(CALM, [FIRING], judged(found=[FIRING]), NOW)


RULES = "\n".join(file.read_text() for file in sorted((CHECKOUT / "deploy" / "prometheus" / "rules").glob("*.yml")))


@pytest.mark.parametrize(
    ("condition", "limit"),
    [
        (r"pipeline:ingestion_lag_seconds:max > (\d+)", MOST_LAG_S),
        (r"ingestion_ack_lag_seconds\) > (\d+)", MOST_ACK_LAG_S),
        (r"aggregation_dirty_age_seconds\) > (\d+)", MOST_LATE_S),
        (r"ratio_rate15m > ([\d.]+)", MOST_DEAD_SHARE),
        (r"dead_letter\"\}\[15m\]\)\) >= (\d+)", FEW_DEAD_LETTERS),
        (r"expr: (\d+) \+ [\d.]+ \* max by \(level\) \(aggregation_level_seconds\)", PATIENCE_S),
        (r"expr: \d+ \+ ([\d.]+) \* max by \(level\) \(aggregation_level_seconds\)", PATIENCE_SHARE),
    ],
)
def test_limits_are_those_of_the_alerts(condition: str, limit: float) -> None:
    assert [float(found) for found in re.findall(condition, RULES)] == [limit]


def test_each_runbook_heading_that_is_named_is_an_alerts() -> None:
    wrong = replace(CALM, overdue_seconds=1e6, late_oldest_seconds=1e6)
    named = [finding.next.partition("#")[2] for finding in judged(wrong).findings]
    assert len(named) == 2
    assert set(named) <= {name.lower() for name in re.findall(r"alert: (\w+)", RULES)}
