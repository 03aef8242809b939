"""The door: who asks what, how fast it is answered, what is refused."""

from grafana.builder import alerts
from grafana.builder.board import Board, Row, label_choice
from grafana.builder.panels import Limits, number, series, spread
from grafana.builder.queries import over_time, quantiles
from grafana.builder.queries import spread as counted

_OF = '{route=~"$route"}'


def board() -> Board:
    says = "Templates of routes, as in docs/api.md; empty: no such route."
    route = label_choice("route", "Route", "plumbline_api_requests_total", says)
    return Board(
        "api",
        "Plumbline / API",
        "The door: who asks what, how fast it is answered, what is refused.",
        [_now(), _requests(), _latency(), _gateway(), _statistics(), _refused(), _keys()],
        [route],
    )


def _now() -> Row:
    return Row("Now", [
        number(
            "Requests",
            "Answered a second, all routes.",
            over_time("sum(rate(plumbline_api_requests_total[$__rate_interval]))"),
            unit="reqps",
        ),
        number(
            "Errors of ours",
            "Share of the last five minutes' answers with a status of 500 or more. The objective is 0.1 %.",
            over_time("max(api:request_errors:ratio_rate5m >= 0) or vector(0)"),
            unit="percentunit",
            limits=alerts.above(look="PlumblineApiErrorBudget", act="PlumblineApiErrors"),
        ),
        number(
            "p99",
            "Of requests, but for streams, which take as long as their reader wants.",
            quantiles("plumbline_api_request_seconds", where='{route!="/stats/stream"}')[1],
            unit="s",
            limits=Limits(look=alerts.within("api:slow_requests:ratio_rate5m")),
        ),
        number(
            "Connections",
            "Of clients that are open.",
            over_time("sum(plumbline_api_connections)"),
            unit="none",
        ),
        number(
            "Refused tokens",
            "A second. A sudden crowd of one reason: a key was rotated, a clock is wrong, or somebody tries.",
            over_time("sum(rate(plumbline_api_token_refusals_total[$__rate_interval]))"),
            unit="reqps",
        ),
        number(
            "Database failures",
            "Requests of the last five minutes that Postgres could not serve. Normally 0.",
            over_time("sum(increase(plumbline_api_database_failures_total[5m]))"),
            unit="none",
            limits=Limits(look=1),
        ),
    ])  # fmt: skip


def _requests() -> Row:
    return Row("Requests", [
        series(
            "Requests by route",
            "Answered a second, by the template of the route.",
            over_time(f"sum by (route) (rate(plumbline_api_requests_total{_OF}[$__rate_interval]))", "{{route}}"),
            unit="reqps",
        ),
        series(
            "Requests by status",
            "4xx: the client's mistake, and the answer says which. 5xx: ours, or a server of ours is away.",
            over_time(f"sum by (status) (rate(plumbline_api_requests_total{_OF}[$__rate_interval]))", "{{status}}"),
            unit="reqps",
            stacked=True,
        ),
    ])  # fmt: skip


def _latency() -> Row:
    return Row("Latency", [
        series(
            "p50 and p99 by route",
            "From a request's head to its answer's end.",
            quantiles("plumbline_api_request_seconds", by="route", where=_OF),
            unit="s",
        ),
        spread(
            "Latency, spread",
            "All chosen routes together, each request counted.",
            counted("plumbline_api_request_seconds", where=_OF),
            unit="s",
        ),
    ])  # fmt: skip


def _gateway() -> Row:
    return Row("Events over HTTP", [
        series(
            "Events, by outcome",
            "accepted: Kafka has it. unconfirmed: 503, the sender tries again. Else: why it was rejected.",
            over_time("sum by (outcome) (rate(plumbline_gateway_events_total[$__rate_interval]))", "{{outcome}}"),
            unit="eps",
            width=8,
        ),
        series(
            "Confirmed within",
            "From a request's events in hand to Kafka's confirmation of all of them.",
            quantiles("plumbline_gateway_confirm_seconds"),
            unit="s",
            width=8,
        ),
        series(
            "Queue for Kafka",
            "Events that wait to be judged, and that are on their way. Beyond `at most` requests are turned away.",
            [
                over_time("sum(plumbline_gateway_events_waiting)", "waiting"),
                over_time("sum(plumbline_gateway_events_in_flight)", "in flight"),
                over_time("sum(plumbline_gateway_queue_events_max)", "at most"),
            ],
            unit="short",
            width=8,
        ),
        series(
            "Turned away at once, by what was short",
            "503 with Retry-After. bytes, events: more comes than Kafka takes. stalled, away: Kafka.",
            over_time("sum by (short) (rate(plumbline_gateway_busy_total[$__rate_interval]))", "{{short}}"),
            unit="reqps",
            width=8,
        ),
        series(
            "Events that Kafka didn't take, by reason",
            "In librdkafka's words. Their senders heard 503. Normally none.",
            over_time(
                "sum by (reason) (rate(plumbline_gateway_delivery_failures_total[$__rate_interval])) or vector(0)",
                "{{reason}}",
            ),
            unit="eps",
            width=8,
        ),
        series(
            "Bodies under way",
            "Bytes of them that are held.",
            over_time("sum(plumbline_gateway_held_bytes)", "held"),
            unit="bytes",
            width=8,
        ),
    ])  # fmt: skip


def _statistics() -> Row:
    return Row("Questions for statistics", [
        series(
            "Questions, by way",
            "desk: answered with others, in one snapshot. walk: alone, a page of a large answer or of the whole fleet.",
            over_time("sum by (way) (rate(plumbline_api_questions_total[$__rate_interval]))", "{{way}}"),
            unit="reqps",
            width=8,
        ),
        series(
            "Rows, by where they came from",
            "memory: remembered from questions before. database: read. Dashboards that refresh make the first grow.",
            over_time("sum by (source) (rate(plumbline_api_rows_total[$__rate_interval]))", "{{source}}"),
            unit="rowsps",
            width=8,
        ),
        series(
            "Remembered rows",
            "Bytes of them; at most STATS_CACHE_BYTES in a process.",
            over_time("sum by (instance) (plumbline_api_memory_bytes)", "{{instance}}"),
            unit="bytes",
            width=8,
        ),
        series(
            "Questions that wait",
            "For their turn at the desk. Normally none for longer than a moment.",
            over_time("sum(plumbline_api_questions_waiting)", "waiting"),
            unit="none",
            width=8,
        ),
        series(
            "Listeners of the stream, and those dropped",
            "Open answers of /stats/stream; dropped a minute: they didn't read what waited for them.",
            [
                over_time("sum(plumbline_api_stream_listeners)", "listeners"),
                over_time("60 * sum(rate(plumbline_api_stream_dropped_total[$__rate_interval]))", "dropped a minute"),
            ],
            unit="none",
            width=8,
        ),
        series(
            "A round of the stream",
            "The time to look for changes of all that is listened to. Longer than a second: changes arrive late.",
            quantiles("plumbline_api_stream_round_seconds"),
            unit="s",
            width=8,
        ),
    ])  # fmt: skip


def _refused() -> Row:
    return Row("What was refused", [
        series(
            "Tokens refused, by reason",
            "missing and expired are everyday. signature, issuer, algorithm: somebody's token isn't for us.",
            over_time("sum by (reason) (rate(plumbline_api_token_refusals_total[$__rate_interval]))", "{{reason}}"),
            unit="reqps",
            width=8,
        ),
        series(
            "Connections ended, by reason",
            "For what they did: too many of one address, a head or body that never ends, an answer that nobody reads.",
            over_time(
                "sum by (reason) (rate(plumbline_api_connections_refused_total[$__rate_interval]))", "{{reason}}"
            ),
            unit="cps",
            width=8,
        ),
        series(
            "Database failures, by kind",
            "unavailable: it can't be reached, the client hears 503. timeout: a question took too long.",
            over_time("sum by (kind) (rate(plumbline_api_database_failures_total[$__rate_interval]))", "{{kind}}"),
            unit="reqps",
            width=8,
        ),
    ])  # fmt: skip


def _keys() -> Row:
    return Row("Tokens and keys", [
        series(
            "Tokens issued",
            "That the built-in issuer signed.",
            over_time("sum(rate(plumbline_api_tokens_issued_total[$__rate_interval]))", "issued"),
            unit="cps",
            width=8,
        ),
        series(
            "Fetches of the identity provider's keys",
            "Only with an external issuer. One an hour or so; failed ones are tried again, known keys stay good.",
            over_time("sum by (outcome) (increase(plumbline_api_jwks_fetches_total[$__rate_interval]))", "{{outcome}}"),
            unit="none",
            width=8,
        ),
        series(
            "Age of the identity provider's keys",
            "Since they came last; 0: never, as without an external issuer.",
            over_time(
                "max(time() - (plumbline_api_jwks_fetched_timestamp_seconds > 0)) or vector(0)", "since the last fetch"
            ),
            unit="s",
            width=8,
        ),
    ])  # fmt: skip
