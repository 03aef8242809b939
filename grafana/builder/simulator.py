"""The simulator's row of the pipeline's dashboard."""

from grafana.builder.board import Row
from grafana.builder.panels import series
from grafana.builder.queries import over_time


def row() -> Row:
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
            "Over HTTP: events in the spool",
            "That no API has settled yet. It grows while the API is away, and drains afterwards.",
            over_time("sum(simulator_spool_events)", "events"),
            unit="short",
            width=8,
        ),
        series(
            "Over HTTP: bytes in the spool",
            "Of those events. At --spool-max the run is held up; nothing is dropped.",
            over_time("sum(simulator_spool_bytes)", "bytes"),
            unit="bytes",
        ),
        series(
            "Over HTTP: age of the oldest event in the spool",
            "How long it has waited for an API.",
            over_time("max(simulator_spool_age_seconds)", "oldest"),
            unit="s",
        ),
    ], collapsed=True)  # fmt: skip
