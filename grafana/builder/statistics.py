"""From events to statistics: how fresh, how much late data waits, and what a run costs."""

from grafana.builder import alerts
from grafana.builder.board import Board, Row
from grafana.builder.panels import Limits, number, series, spread
from grafana.builder.queries import over_time, quantiles
from grafana.builder.queries import spread as counted


def board() -> Board:
    return Board(
        "statistics",
        "Plumbline / Statistics",
        "From events to statistics: how fresh they are, how much late data waits, and what a run costs.",
        [_now(), _fresh(), _late(), _work(), _runs()],
    )


def _now() -> Row:
    return Row("Now", [
        number(
            "Newest stored minute",
            "How long ago it ended: at most a minute, the delay and a run. /stats answers what is newer from events.",
            over_time('max(aggregation_stored_age_seconds{level="60"})'),
            unit="s",
        ),
        number(
            "Overdue",
            "How long ago the next bucket should have been stored, at the level that is worst, as a share of what an "
            "alert allows: two minutes, and a twentieth of the level's width.",
            over_time(
                'max(max by (level) (aggregation_overdue_seconds{step="store"})'
                " / on (level) level:aggregation_patience_seconds:max)"
            ),
            unit="percentunit",
            limits=Limits(0.5, 1),
        ),
        number(
            "Late data waits",
            "How long the oldest late reading has waited to be counted in. /stats has it already.",
            over_time("max(aggregation_dirty_age_seconds)"),
            unit="s",
            limits=alerts.above(look="PlumblineLateDataWaits"),
        ),
        number(
            "Last run that ended well",
            "Ago. About AGGREGATION_INTERVAL_SECONDS.",
            over_time("time() - max(aggregation_last_success_timestamp_seconds)"),
            unit="s",
            limits=Limits(look=60),
        ),
        number(
            "Aggregators at work",
            "One has the turn, others stand by. 0 for longer than a moment: nobody does the work.",
            over_time("sum(aggregation_active)"),
            unit="none",
            limits=Limits(act=1, below=True),
        ),
        number(
            "Postgres answers",
            "1: the last run could reach it.",
            over_time("min(aggregation_database_up)"),
            unit="bool_yes_no",
            limits=Limits(act=1, below=True),
        ),
    ])  # fmt: skip


def _fresh() -> Row:
    return Row("Freshness", [
        series(
            "Watermark age, by level",
            "Buckets that ended before are closed. It rises with the clock and falls by a bucket's width: a saw.",
            over_time("max by (level) (aggregation_watermark_age_seconds)", "{{level}} s"),
            unit="s",
        ),
        series(
            "Overdue, by level and step",
            "How long ago the next bucket should have been closed, and stored. 0: it isn't due. `allowed`: beyond it "
            "there is an alert.",
            [
                over_time("max by (level, step) (aggregation_overdue_seconds)", "{{level}} s: {{step}}"),
                over_time("level:aggregation_patience_seconds:max", "{{level}} s: allowed"),
            ],
            unit="s",
        ),
        series(
            "Age of what is stored, by level",
            "Buckets that ended before are stored. A saw, too, close behind the watermark's.",
            over_time("max by (level) (aggregation_stored_age_seconds)", "{{level}} s"),
            unit="s",
        ),
        series(
            "Across devices: behind those of devices, by level",
            "Rows of the whole fleet follow those of devices within a run.",
            over_time(
                "max by (level) (aggregation_fleet_age_seconds) - max by (level) (aggregation_stored_age_seconds)",
                "{{level}} s",
            ),
            unit="s",
            limits=alerts.above(look="PlumblineFleetStatisticsBehind"),
        ),
    ])  # fmt: skip


def _late() -> Row:
    return Row("Late data", [
        series(
            "Late data that waits",
            "Entries of the dirty log: a bucket of a device's layout each. A run takes them; growing over several runs "
            "means that more comes late than is counted in.",
            over_time("max(aggregation_dirty_entries)", "entries"),
            unit="short",
            width=8,
        ),
        series(
            "Age of the oldest",
            "How long late data waits to be counted in. A run or two.",
            over_time("max(aggregation_dirty_age_seconds)", "oldest"),
            unit="s",
            limits=alerts.above(look="PlumblineLateDataWaits"),
            width=8,
        ),
        series(
            "Rows across devices to make again",
            "Late data changed what they are made of. 5,000 at most are counted.",
            over_time("max(aggregation_fleet_stale_rows)", "rows"),
            unit="short",
            width=8,
        ),
    ])  # fmt: skip


def _work() -> Row:
    return Row("Work", [
        series(
            "Readings read, by reason",
            "closed: of buckets that ended, each once. late: of buckets that are made again.",
            over_time("sum by (reason) (rate(aggregation_readings_total[$__rate_interval]))", "{{reason}}"),
            unit="cps",
        ),
        series(
            "Rows stored, by level and reason",
            "A bucket of a device's metric each.",
            over_time(
                "sum by (level, reason) (rate(aggregation_rows_total[$__rate_interval]))", "{{level}} s: {{reason}}"
            ),
            unit="rowsps",
        ),
        series(
            "Buckets stored, by level and reason",
            "Of a device, whatever the number of its metrics.",
            over_time(
                "sum by (level, reason) (rate(aggregation_buckets_total[$__rate_interval]))", "{{level}} s: {{reason}}"
            ),
            unit="rowsps",
        ),
        series(
            "Devices refreshed, by reason",
            "Devices whose statistics were stored, each once a transaction. late: those that something late came for.",
            over_time("sum by (reason) (rate(aggregation_devices_total[$__rate_interval]))", "{{reason}}"),
            unit="rowsps",
        ),
    ])  # fmt: skip


def _runs() -> Row:
    return Row("Runs: aggregation latency", [
        series(
            "A run",
            "All of it, from the watermark's move to the last COMMIT. Longer than AGGREGATION_INTERVAL_SECONDS: runs "
            "follow one another without a pause.",
            quantiles("aggregation_run_seconds"),
            unit="s",
        ),
        spread(
            "Runs, spread",
            "Most runs have little to do; one a minute stores a minute, one an hour an hour.",
            counted("aggregation_run_seconds"),
            unit="s",
        ),
        series(
            "A transaction, by its longest level",
            "p99, from reading events to the COMMIT of what was made of them.",
            quantiles("aggregation_transaction_seconds", by="level")[1],
            unit="s",
        ),
        series(
            "Runs that failed",
            "The database ended them: they are tried again, and nothing is counted twice. Normally none.",
            over_time("sum(increase(aggregation_failures_total[$__rate_interval]))", "failed"),
            unit="none",
            limits=Limits(look=1),
        ),
    ])  # fmt: skip
