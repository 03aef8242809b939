"""The overview: within a minute, whether all is well, or what isn't."""

import re
from pathlib import Path

from grafana.builder import alerts, simulator, symptoms
from grafana.builder.board import RUNBOOK, RUNBOOK_URL, Board, Row
from grafana.builder.panels import Limits, listing, series, words
from grafana.builder.queries import now, over_time, quantiles
from grafana.builder.symptoms import DISK_LEFT, FIRING

_BOOK = Path(__file__).parents[2] / "docs" / "runbook.md"
STREAM = '{route!="/stats/stream"}'  # an answer that takes as long as somebody listens


def board() -> Board:
    return Board(
        "pipeline",
        "Plumbline / Pipeline overview",
        "Within a minute: whether all is well, or what isn't, and where to look.",
        [
            symptoms.noticed(),
            symptoms.behind(),
            _alerts(),
            _flow(),
            _speed(),
            _behind(),
            _processes(),
            simulator.row(),
            _runbook(),
        ],
    )


def _alerts() -> Row:
    return Row("If something isn't green", [
        listing(
            "Alerts that fire",
            "`none`: nothing is wrong as far as the rules can tell.",
            now(
                f"sum by (alertname, severity) ({FIRING}) or on () "
                'label_replace(label_replace(vector(0), "alertname", "none", "", ""), "severity", "-", "", "")'
            ),
            units={"alertname": "string", "severity": "string"},
            names={"alertname": "Alert", "severity": "Severity", "Value": "Firing"},
            hidden=["Time"],
            links={"Alert": ("Runbook", RUNBOOK_URL)},
            limits={"Firing": Limits(act=1)},
        ),
        words("Where to look", "From a figure that isn't green to its cause.", _WHERE, width=12),
    ])  # fmt: skip


_WHERE = """
| what isn't green | look at |
|---|---|
| Services down, Postgres, Kafka | `plumbline status`, then the log of what is down |
| Statistics behind, late data waits | [Statistics](/d/plumbline-statistics): does one work, do runs fail? |
| Ingestion behind | [Ingestion](/d/plumbline-ingestion): do Postgres and Kafka answer, is it one partition? |
| Unaccounted events | [Partitions' books](/d/plumbline-fleet), `plumbline reconcile` |
| Dead letters | [by code](/d/plumbline-ingestion), then `plumbline dlq list` |
| API errors, too slow | [API](/d/plumbline-api): which route, is it the database? |
| Rejected at the door | [API](/d/plumbline-api): which code; the senders were told |
| Partitions stopped | `plumbline offsets` says why, and what can be decided |
| Disk left | [Space on disk](/d/plumbline-fleet) by table; Kafka's log beside it |
"""


def _flow() -> Row:
    return Row("What flows", [
        series(
            "Ingestion rate",
            "Events committed a second, by outcome. Mostly persisted.",
            over_time(
                'sum by (outcome) (rate(ingestion_events_total{outcome!="conflict"}[$__rate_interval]))', "{{outcome}}"
            ),
            unit="eps",
            stacked=True,
        ),
        series(
            "Requests to the API, by status",
            "Answered a second.",
            over_time("sum by (status) (rate(plumbline_api_requests_total[$__rate_interval]))", "{{status}}"),
            unit="reqps",
            stacked=True,
        ),
    ])  # fmt: skip


def _speed() -> Row:
    return Row("How fast", [
        series(
            "Accepted to visible",
            "From Kafka's timestamp of an event to the COMMIT that makes it visible. Normally below a second.",
            quantiles("ingestion_end_to_end_seconds"),
            unit="s",
            limits=Limits(look=alerts.within("PlumblineEventsSlow")),
            width=8,
        ),
        series(
            "Aggregation latency",
            "A run of the aggregator. Below its interval, except where history is worked in.",
            quantiles("aggregation_run_seconds"),
            unit="s",
            width=8,
        ),
        series(
            "API latency",
            "From a request's head to its answer's end, but for streams.",
            quantiles("plumbline_api_request_seconds", where=STREAM),
            unit="s",
            limits=Limits(look=alerts.within("api:slow_requests:ratio_rate5m")),
            width=8,
        ),
    ])  # fmt: skip


def _behind() -> Row:
    return Row("How far behind", [
        series(
            "Records that wait in Kafka",
            "Accepted and not stored yet, all partitions. Bursts come and go.",
            over_time("pipeline:ingestion_lag_messages:sum", "records"),
            unit="short",
            limits=alerts.above(look="PlumblineLagGrowing"),
            width=8,
        ),
        series(
            "Age of what is stored, by level",
            "Saws: they rise with the clock and fall by a bucket's width.",
            over_time("max by (level) (aggregation_stored_age_seconds)", "{{level}} s"),
            unit="s",
            width=8,
        ),
        series(
            "Late data that waits to be counted in",
            "How long the oldest has waited. /stats has it already.",
            over_time("max(aggregation_dirty_age_seconds)", "oldest"),
            unit="s",
            limits=alerts.above(look="PlumblineLateDataWaits"),
            width=8,
        ),
    ])  # fmt: skip


def _processes() -> Row:
    return Row("Processes and disks", [
        series(
            "Memory",
            "Resident, by process. It levels off; what goes on rising ends with the process being killed.",
            over_time('process_resident_memory_bytes{job="plumbline"}', "{{service}} {{instance}}"),
            unit="bytes",
            width=8,
        ),
        series(
            "CPU",
            "Cores in use, by process.",
            over_time(
                'rate(process_cpu_seconds_total{job="plumbline"}[$__rate_interval])', "{{service}} {{instance}}"
            ),
            unit="none",
            width=8,
        ),
        series(
            "Disk left",
            "Of each disk. Postgres and Kafka both end badly on a full one.",
            over_time(f"min by (instance, mountpoint) ({DISK_LEFT})", "{{instance}} {{mountpoint}}"),
            unit="percentunit",
            limits=alerts.below(act="PlumblineDiskFull"),
            width=8,
        ),
    ])  # fmt: skip


def _runbook() -> Row:
    """The whole of docs/runbook.md; its links lead to files that Grafana doesn't have."""
    plain = re.sub(r"\[([^]]+)\]\([^)]+\)", r"\1", _BOOK.read_text(encoding="utf-8"))
    panel = words("Runbook", "What each alert means, what to look at, what mends it.", plain, height=24)
    panel.id_val = RUNBOOK
    return Row("Runbook", [panel])
