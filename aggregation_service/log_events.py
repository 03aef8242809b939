"""What the aggregation service may log; declared here and nowhere else."""

from shared.log_events import LogEvent

EVENTS = (
    LogEvent("turn_lost", "warning", "Another process does the work now; this one waits for its turn."),
    LogEvent(
        "database_away", "warning", "The database ended a run; nothing is half done, and it is tried again.",
        "Look at Postgres: is it up, is its disk full?", ("sqlstate", "error"),
    ),
    LogEvent(
        "run_conflicted", "warning", "Another transaction was in the way of a run, which is tried again.",
        "Nothing, unless it repeats: look for a long `plumbline backfill`.", ("sqlstate", "error"),
    ),
)  # fmt: skip
