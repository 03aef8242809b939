"""The figures that the pipeline's dashboard begins with. Their colours change where alerts begin to fire."""

from grafana.builder import alerts
from grafana.builder.board import RUNBOOK_URL, Row
from grafana.builder.panels import Limits, number
from grafana.builder.queries import over_time

FIRING = 'ALERTS{alertstate="firing"}'
_REJECTED = 'outcome!~"accepted|unconfirmed"'
# Pending or firing. Where targets are discovered a process that is gone is no target, and `up` alone doesn't show it.
_ABSENCES = 'alertname=~"PlumblineServiceDown|PlumblineServiceMissing"'
_DISKS = 'job="node",fstype!~"tmpfs|ramfs|squashfs|iso9660"'
DISK_LEFT = f"node_filesystem_avail_bytes{{{_DISKS}}} / node_filesystem_size_bytes"


def noticed() -> Row:
    """What devices and analysts would notice."""
    return Row("Is all well? It is while every figure is green", [
        number(
            "Alerts firing", "Each is listed below, and has a heading in the runbook.",
            over_time(f"sum({FIRING}) or vector(0)"), unit="none", limits=Limits(act=1), width=3, link=RUNBOOK_URL,
        ),
        number(
            "Ingestion behind", "Age of the oldest record that isn't stored yet. Normally below a second.",
            over_time("pipeline:ingestion_lag_seconds:max"), unit="s", width=3,
            limits=alerts.above(act="PlumblineEventsNotVisible"), link="/d/plumbline-ingestion",
        ),
        number(
            "Statistics behind",
            "How overdue the next bucket is, at the level that is worst: at 100 % of what is allowed (two minutes, "
            "and a twentieth of the level's width) there is an alert. Normally a few percent.",
            over_time(
                'max(max by (level) (aggregation_overdue_seconds{step="store"})'
                " / on (level) level:aggregation_patience_seconds:max)"
            ),
            unit="percentunit", limits=Limits(0.5, 1), width=3, link="/d/plumbline-statistics",
        ),
        number(
            "Unaccounted events", "Read, and neither stored, nor a duplicate, nor a dead letter. Always 0.",
            over_time("sum(abs(ingestion_unaccounted_offsets))"), unit="none", width=3,
            limits=alerts.counted(act="PlumblineEventsUnaccounted"), link="/d/plumbline-fleet",
        ),
        number(
            "Dead letters", "Share of the last minute's records that could not be taken. They are kept.",
            over_time("max(pipeline:ingestion_dead_letters:ratio_rate1m >= 0) or vector(0)"), unit="percentunit",
            limits=alerts.above(look="PlumblineDeadLetters", act="PlumblineDeadLetterFlood"), width=3,
            link="/d/plumbline-ingestion",
        ),
        number(
            "API errors", "Share of the last five minutes' answers with 500 or more. The objective is 0.1 %.",
            over_time("max(api:request_errors:ratio_rate5m >= 0) or vector(0)"), unit="percentunit", width=3,
            limits=alerts.above(look="PlumblineApiErrorBudget", act="PlumblineApiErrors"), link="/d/plumbline-api",
        ),
        number(
            "API too slow", "Share of the last five minutes' answers that took over 0.5 s. The objective is 1 %.",
            over_time("max(api:slow_requests:ratio_rate5m >= 0) or vector(0)"), unit="percentunit", width=3,
            limits=alerts.above(look="PlumblineApiLatencyBudget", act="PlumblineApiSlow"), link="/d/plumbline-api",
        ),
        number(
            "Rejected at the door", "Share of the last five minutes' events over HTTP that could not be taken.",
            over_time(
                f"(sum(rate(plumbline_gateway_events_total{{{_REJECTED}}}[5m])) or vector(0))"
                " / (sum(rate(plumbline_gateway_events_total[5m])) > 0) or vector(0)"
            ),
            unit="percentunit", limits=alerts.above(look="PlumblineEventsRejected"), width=3, link="/d/plumbline-api",
        ),
    ])  # fmt: skip


def behind() -> Row:
    """What usually is behind it."""
    return Row("What it stands on", [
        number(
            "Services down", "Of ingestion, aggregation and API, those of which no process answers Prometheus.",
            over_time(f"count(sum by (service) (ALERTS{{{_ABSENCES}}})) or vector(0)"),
            unit="none", limits=Limits(act=1), width=3,
        ),
        number(
            "Postgres answers", "Ingestion and aggregation. While it doesn't, events wait in Kafka; none is lost.",
            over_time("min(ingestion_database_up) * min(aggregation_database_up)"), unit="bool_yes_no",
            limits=Limits(act=1, below=True), width=3,
        ),
        number(
            "Kafka answers", "Ingestion. While it doesn't, the gateway turns events away.",
            over_time("min(ingestion_kafka_up)"), unit="bool_yes_no", limits=Limits(act=1, below=True), width=3,
        ),
        number(
            "Partitions stopped", "They wait for an operator's decision (plumbline offsets); all others go on.",
            over_time("sum(ingestion_stopped_partitions) or vector(0)"), unit="none", width=3,
            limits=alerts.counted(act="PlumblinePartitionStopped"), link="/d/plumbline-ingestion",
        ),
        number(
            "Partitions unread", "Nobody owns them. For some seconds while a process starts or ends; else 0.",
            over_time(
                "max(ingestion_topic_partitions)"
                " - (sum(ingestion_owned_partitions) + (sum(ingestion_stopped_partitions) or vector(0)))"
            ),
            unit="none", limits=alerts.counted(act="PlumblinePartitionsUnowned"), width=3,
            link="/d/plumbline-ingestion",
        ),
        number(
            "Late data waits", "How long the oldest has waited to be counted in. Answers have it already.",
            over_time("max(aggregation_dirty_age_seconds)"), unit="s", width=3,
            limits=alerts.above(look="PlumblineLateDataWaits"), link="/d/plumbline-statistics",
        ),
        number(
            "Acks behind", "How long the oldest commit has waited for its ack. Normally below a second.",
            over_time("max(ingestion_ack_lag_seconds)"), unit="s", width=3,
            limits=alerts.above(look="PlumblineAcksBehind"), link="/d/plumbline-ingestion",
        ),
        number(
            "Disk left", "Of the fullest disk of a machine with a node exporter.",
            over_time(f"min({DISK_LEFT})"), unit="percentunit", limits=alerts.below(act="PlumblineDiskFull"), width=3,
        ),
    ])  # fmt: skip
