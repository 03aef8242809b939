"""What the simulator may log; declared here and nowhere else."""

from shared.log_events import LogEvent

EVENTS = (
    LogEvent(
        "delivery_failed", "error", "Kafka didn't take a record; further ones are counted, and summed up at the end.",
        "Look at Kafka, and send again: what is there twice counts as duplicate.", ("topic", "reason"),
    ),
    LogEvent("draining", "info", "The run is over; what waits is still sent.", "", ("status",)),
    LogEvent(
        "endpoint_rests", "warning", "An API failed; another one is used, or this one again later.",
        "Look at its log.", ("url", "reason", "retry_after_s"),
    ),
    LogEvent(
        "endpoint_throttled", "debug", "An API asked us to send less.", "", ("url", "reason", "retry_after_s")
    ),
    LogEvent("endpoint_changed", "warning", "Requests go to another API from now on.", "", ("url",)),
)  # fmt: skip
