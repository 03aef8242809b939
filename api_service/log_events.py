"""What the API may log; declared here and nowhere else."""

from shared.log_events import LogEvent

EVENTS = (
    LogEvent(
        "request_failed", "error", "A fault of ours: the request was answered with 500, or its answer broke off.",
        "Report it with `plumbline support-bundle`.", ("method", "route", "error", "trace"),
    ),
    LogEvent(
        "stream_failed", "error", "A fault of ours: what /stats/stream listens to can't be looked at; it is tried "
        "again.", "Report it with `plumbline support-bundle`.", ("error", "trace"),
    ),
    LogEvent(
        "token_refused", "warning", "A bearer token was refused. Of many, five in ten seconds for each reason.",
        "`expired` and `scope` are for whoever uses it to mend; of others ask who sends from there.",
        ("reason", "address", "route", "token_sha256", "kid", "subject"),
    ),
    LogEvent(
        "client_refused", "warning", "Somebody asked for a token with a wrong `secret`, or as a `client` that there "
        "isn't. Of many, five in ten seconds for each reason.",
        "A `client_id`: it has an old secret, or somebody guesses it. Without one: ask who sends from there.",
        ("reason", "address", "client_id"),
    ),
    LogEvent(
        "request_unserved", "warning", "A request was answered with 503. Of many, five in ten seconds for each route.",
        "/readyz says what doesn't answer.", ("method", "route", "address"),
    ),
    LogEvent(
        "repeated", "warning", "The other ones of those ten seconds, as a sum; of `request_unserved`, `reason` is the "
        "route.", "A flood from one address: keep it out at the proxy, or set RATE_LIMIT_ADDRESS_PER_SECOND.",
        ("what", "reason", "count", "seconds", "addresses", "most_from", "most"),
    ),
    LogEvent("file_read_again", "info", "A file of keys or clients changed, and counts as it is now.", "", ("file",)),
    LogEvent(
        "file_refused", "error", "It changed to something that can't be used; what it held before counts.",
        "Do what `problem` says.", ("problem",),
    ),
    LogEvent(
        "receipt_key_is_random", "warning", "RECEIPT_KEY isn't set, and there is no signing key to derive one from: "
        "receipts end with this process, and no other one knows them.", "Do what `problem` says.", ("problem",),
    ),
    LogEvent("jwks_changed", "info", "The identity provider has other keys now.", "", ("keys",)),
    LogEvent(
        "jwks_not_fetched", "warning", "The identity provider's keys can't be had.",
        "Do what `problem` says: without keys every token is answered with 503.", ("problem", "keys_kept"),
    ),
    LogEvent("kafka_ready", "info", "Kafka and the topic of readings can be used."),
    LogEvent(
        "kafka_away", "warning", "They can't: events are answered with 503, and nothing is accepted.",
        "Do what `problem` says.", ("problem",),
    ),
    LogEvent(
        "topic_limit_unknown", "warning", "Kafka doesn't tell the topic's max.message.bytes; records are sent all the "
        "same.", "Allow the API's user to describe the topic's configuration.", ("reason",),
    ),
    LogEvent(
        "producer_replaced", "error", "Kafka's client failed for good; the events on their way were answered with "
        "503, and a new one sends.", "Look at the broker's log.", ("reason",),
    ),
)  # fmt: skip
