"""The devices: who is silent, who is late, what they send, asked in SQL under the role that reads only."""

from grafana.builder.board import Board, Row, choice, one_of, typed
from grafana.builder.panels import Limits, listing, number, series
from grafana.builder.queries import rows, sql, sql_over_time

_TO_PAGE = ("Show on the analysts' page", "${page}/#device_id=${__value.raw:percentencode}&from=-24h")


def board() -> Board:
    search = typed(
        "search", "Search", "", "Part of a device's id; the list of devices holds the first 100 that have it."
    )
    silent = typed("silent", "Silent after", "5 minutes", "A device that has sent nothing for so long is silent.")
    device = choice(
        "device", "Device", sql("device_choice"), "All: the first 100 that the search finds. Another one can be typed."
    )
    metric = choice("metric", "Metric", sql("metric_choice"), "All: the first 20 by name. Another one can be typed.")
    level = one_of(
        "level",
        "Buckets",
        sql("level_choice"),
        "Width of the stored buckets: the finest that suits the time range, or wider.",
    )
    return Board(
        "fleet",
        "Plumbline / Fleet",
        "The devices: who is silent, who is late, what they send. In SQL, under the role that reads only.",
        [_now(), _attention(), _chosen(), _bands(), _fleet(), _books()],
        [search, device, metric, level, silent],
        begin="now-3h",
        refresh="1m",
    )


def _now() -> Row:
    return Row("The fleet", [
        number("Devices", "That ever sent an event.", rows("devices"), unit="none"),
        number(
            "Silent devices",
            "Have sent nothing for as long as `Silent after` says. Normally 0, in a fleet that sends all the time.",
            rows("silent_count"),
            unit="none",
            limits=Limits(look=1),
        ),
        number(
            "Readings",
            "Stored in buckets of the time range, all devices together.",
            rows("reading_count"),
            unit="short",
        ),
        number(
            "Late readings",
            "Of those, the share that came after their bucket was first stored. Nothing is lost by it.",
            rows("late_share"),
            unit="percentunit",
            limits=Limits(look=0.05),
        ),
        number(
            "Dead letters",
            "Events of the time range that could not be taken. They are kept, byte for byte.",
            rows("dead_letter_count"),
            unit="short",
        ),
        number(
            "Database",
            "On disk, with indexes.",
            rows("database_size"),
            unit="bytes",
        ),
    ])  # fmt: skip


def _attention() -> Row:
    return Row("Who needs attention", [
        listing(
            "Silent devices",
            "The 100 that have been silent for the longest, of all devices. Empty when nobody is.",
            rows("silent_devices"),
            units={"Silent for": "dtdurations", "Last event": "dateTimeAsIso"},
            links={"Device": _TO_PAGE},
        ),
        listing(
            "Late devices",
            "Of the chosen devices, those with readings that came after their bucket was stored, in the time range. A "
            "device that is late all the time has a slow link or a wrong clock.",
            rows("late_devices"),
            units={"Late readings": "short", "Share": "percentunit"},
            limits={"Share": Limits(0.05, 0.5)},
            links={"Device": _TO_PAGE},
        ),
    ])  # fmt: skip


def _chosen() -> Row:
    return Row("Chosen devices", [
        listing(
            "Latest values",
            "The readings of each chosen device's latest event, and how long ago that was.",
            rows("latest_values"),
            units={"Age": "dtdurations", "Time": "dateTimeAsIso", "Value": "none"},
            links={"Device": _TO_PAGE},
        ),
        series(
            "Readings",
            "As they were sent, of the first five of the chosen devices; 10,000 readings at most. They are there as "
            "soon as they are committed.",
            sql_over_time("readings"),
            unit="none",
            from_zero=False,
        ),
    ])  # fmt: skip


def _bands() -> Row:
    panel = series(
        "$metric",
        "The chosen devices together, from stored statistics: the space between the least and the greatest reading, "
        "and the average of all. Buckets that are still open aren't stored yet: the analysts' page has them.",
        sql_over_time("band"),
        unit="none",
        from_zero=False,
        band=("min", "max"),
        repeat="metric",
    )
    return Row("Statistics of the chosen devices, by metric", [panel])


def _fleet() -> Row:
    return Row("The whole fleet, by bucket", [
        series(
            "Readings by bucket and metric",
            "Of stored buckets, all devices together. A dip: devices were silent, or their data is still to come.",
            sql_over_time("reading_counts"),
            unit="short",
        ),
        series(
            "Late readings by bucket",
            "When the late readings were measured, not when they came.",
            sql_over_time("late_counts"),
            unit="short",
        ),
    ])  # fmt: skip


def _books() -> Row:
    return Row("Books and space", [
        listing(
            "Partitions' books",
            "Since each partition's chapter began: what was read is persisted, a duplicate or a dead letter, or a gap "
            "in Kafka's offsets. `Unaccounted` is always 0.",
            rows("partitions"),
            unit="short",
            units={"Last commit": "dateTimeAsIso", "Partition": "none", "Topic": "string"},
            limits={"Unaccounted": Limits(act=1)},
        ),
        listing(
            "Dead letters by code",
            "Of the time range. `plumbline dlq list --code …` shows them.",
            rows("dead_letters"),
            unit="short",
            units={"Last": "dateTimeAsIso", "Code": "string"},
            width=6,
        ),
        listing(
            "Space on disk",
            "By table, with its partitions, indexes and TOAST.",
            rows("space"),
            units={"Size": "bytes", "Table": "string"},
            width=6,
        ),
    ])  # fmt: skip
