"""The overview: within a minute, whether all is well, or what isn't."""

from pathlib import Path

from grafana.builder.api import FAILED
from grafana.builder.board import RUNBOOK, RUNBOOK_URL, Board, Row
from grafana.builder.panels import Limits, listing, number, series, words
from grafana.builder.queries import now, over_time, quantiles

_BOOK = Path(__file__).parents[2] / "docs" / "runbook.md"
_FIRING = 'ALERTS{alertstate="firing"}'
_LETTERS = (
    'sum(rate(ingestion_events_total{outcome="dead_letter"}[5m]))'
    ' / (sum(rate(ingestion_events_total{outcome!="conflict"}[5m])) > 0) or vector(0)'
)


def board() -> Board:
    return Board(
        "pipeline",
        "Plumbline / Pipeline",
        "Within a minute: whether all is well, or what isn't, and where to look.",
        [_symptoms(), _alerts(), _flow(), _speed(), _behind(), _senders(), _runbook()],
    )


def _symptoms() -> Row:
    return Row("Is all well? Every figure green: yes", [
        number(
            "Alerts firing", "Each is listed below, and has a heading in the runbook.",
            over_time(f"sum({_FIRING}) or vector(0)"), unit="none", limits=Limits(act=1), width=3, link=RUNBOOK_URL,
        ),
        number(
            "Services down", "Processes of the pipeline that don't answer Prometheus.",
            over_time('count(up{job="plumbline"} == 0) or vector(0)'), unit="none", limits=Limits(act=1), width=3,
        ),
        number(
            "Statistics overdue",
            "How long ago the next bucket should have been stored. An interval between runs is usual.",
            over_time('max(aggregation_overdue_seconds{step="store"})'),
            unit="s", limits=Limits(60, 180), width=3, link="/d/plumbline-statistics",
        ),
        number(
            "Ingestion behind", "Age of the oldest record that isn't stored yet. Normally below a second.",
            over_time("max(ingestion_lag_seconds)"), unit="s", limits=Limits(30, 60), width=3,
            link="/d/plumbline-ingestion",
        ),
        number(
            "Unaccounted events", "Read, and neither stored, nor a duplicate, nor a dead letter. Always 0.",
            over_time("sum(ingestion_unaccounted_offsets)"), unit="none", limits=Limits(act=1), width=3,
            link="/d/plumbline-fleet",
        ),
        number(
            "Dead letters", "Share of the last five minutes' events that could not be taken.",
            over_time(_LETTERS), unit="percentunit", limits=Limits(0.01, 0.1), width=3, link="/d/plumbline-fleet",
        ),
        number(
            "API errors", "Share of the last five minutes' answers with a status of 500 or more.",
            over_time(FAILED), unit="percentunit", limits=Limits(0.001, 0.01), width=3, link="/d/plumbline-api",
        ),
        number(
            "Partitions stopped", "They wait for an operator's decision (plumbline offsets), all others go on.",
            over_time("sum(ingestion_stopped_partitions) or vector(0)"),
            unit="none", limits=Limits(act=1), width=3, link="/d/plumbline-ingestion",
        ),
    ])  # fmt: skip


def _alerts() -> Row:
    return Row("If not", [
        listing(
            "Alerts that fire",
            "`none`: nothing is wrong as far as the rules can tell.",
            now(
                f"sum by (alertname, severity) ({_FIRING}) or on () "
                'label_replace(label_replace(vector(0), "alertname", "none", "", ""), "severity", "–", "", "")'
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
| Services down | `plumbline status`, then the service's log |
| Statistics overdue | [Statistics](/d/plumbline-statistics): does an aggregator work, do its runs fail? |
| Ingestion behind | [Ingestion](/d/plumbline-ingestion): do Postgres and Kafka answer, is it one partition? |
| Unaccounted events | [Partitions' books](/d/plumbline-fleet), `plumbline reconcile` |
| Dead letters | [by code](/d/plumbline-ingestion), then `plumbline dlq list` |
| API errors | [API](/d/plumbline-api): which route, is it the database? |
| Partitions stopped | `plumbline offsets` says why, and what can be decided |
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
            quantiles("plumbline_api_request_seconds", where='{route!="/stats/stream"}'),
            unit="s",
            width=8,
        ),
    ])  # fmt: skip


def _behind() -> Row:
    return Row("How far behind", [
        series(
            "Records that wait in Kafka",
            "Accepted and not stored yet, all partitions. Bursts come and go.",
            over_time("sum(ingestion_lag_messages)", "records"),
            unit="short",
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
            width=8,
        ),
    ])  # fmt: skip


def _senders() -> Row:
    return Row("Simulator: what was sent and accepted", [
        series(
            "Sent and accepted",
            "Records a second that the simulator handed over, and that Kafka or an API confirmed.",
            [
                over_time("sum(rate(simulator_records_sent_total[$__rate_interval]))", "sent"),
                over_time("sum(rate(simulator_records_accepted_total[$__rate_interval]))", "accepted"),
            ],
            unit="recps",
            width=8,
        ),
        series(
            "Planned faults",
            "Events by what is wrong with them on purpose; none is a good one.",
            over_time("sum by (fault) (rate(simulator_events_sent_total[$__rate_interval]))", "{{fault}}"),
            unit="eps",
            width=8,
        ),
        series(
            "Behind its schedule",
            "How far. Growing: the machine or the pipeline can't take the rate that was asked for.",
            over_time("max(simulator_behind_seconds)", "behind"),
            unit="s",
            width=8,
        ),
        series(
            "Over HTTP: requests by status",
            "none: no answer came; it is sent again.",
            [
                over_time("sum by (status) (rate(simulator_http_requests_total[$__rate_interval]))", "{{status}}"),
                over_time("sum(rate(simulator_http_retries_total[$__rate_interval]))", "sent again"),
            ],
            unit="reqps",
            width=8,
        ),
        series(
            "Over HTTP: events accepted and rejected",
            "Rejected for good, by code.",
            [
                over_time("sum(rate(simulator_http_accepted_total[$__rate_interval]))", "accepted"),
                over_time("sum by (code) (rate(simulator_http_rejected_total[$__rate_interval]))", "{{code}}"),
            ],
            unit="eps",
            width=8,
        ),
        series(
            "Over HTTP: spool",
            "Events that no API has settled yet. It grows while the API is away, and drains afterwards.",
            over_time("sum(simulator_spool_events)", "events"),
            unit="short",
            width=8,
        ),
    ], collapsed=True)  # fmt: skip


def _runbook() -> Row:
    panel = words(
        "Runbook",
        "What each alert means, what to look at, what mends it.",
        _BOOK.read_text() if _BOOK.exists() else "…",
        height=24,
    )
    panel.id_val = RUNBOOK
    return Row("Runbook", [panel])
