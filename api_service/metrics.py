"""Metrics of the API service."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


# Series that are there from the start, so that a rate sees the first of each.
_FAILURES = ("500", "503")
_REFUSALS = (
    "missing", "sent_twice_or_in_query", "malformed", "header", "algorithm", "signature", "claims", "issuer",
    "audience", "expired", "not_yet_valid", "scope",
)  # fmt: skip
_ENDED = ("too_many", "malformed", "head_too_large", "head_timeout", "body_timeout", "answer_unread")


class Metrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = Counter(
            "plumbline_api_requests_total",
            "Requests answered, by method, route template (empty: no such route) and status",
            ("method", "route", "status"),
            registry=registry,
        )
        self.seconds = Histogram(
            "plumbline_api_request_seconds",
            "Time from a request's head to its answer's end",
            ("method", "route"),
            buckets=_SECONDS,
            registry=registry,
        )
        self.token_refusals = Counter(
            "plumbline_api_token_refusals_total",
            f"Bearer tokens that were refused, by reason: {', '.join(_REFUSALS)} (which the route needs)",
            ("reason",),
            registry=registry,
        )
        self.jwks_fetches = Counter(
            "plumbline_api_jwks_fetches_total",
            "Fetches of the external identity provider's keys, by outcome: ok, failed",
            ("outcome",),
            registry=registry,
        )
        self.jwks_fetched = Gauge(
            "plumbline_api_jwks_fetched_timestamp_seconds",
            "When they came last, in epoch seconds; 0: never",
            registry=registry,
        )
        self.tokens_issued = Counter(
            "plumbline_api_tokens_issued_total", "Tokens that the built-in issuer signed", registry=registry
        )
        self.database_failures = Counter(
            "plumbline_api_database_failures_total",
            "Requests that the database could not serve, by kind: unavailable, timeout",
            ("kind",),
            registry=registry,
        )
        for reason in _REFUSALS:
            self.token_refusals.labels(reason)
        for outcome in ("ok", "failed"):
            self.jwks_fetches.labels(outcome)
        for kind in ("unavailable", "timeout"):
            self.database_failures.labels(kind)

    def route(self, method: str, route: str, status: int) -> tuple[Counter, Histogram]:
        """What counts and times such requests. A route's failures are there, with 0, once anybody has asked for it."""
        for failure in _FAILURES:
            self.requests.labels(method, route, failure)
        return self.requests.labels(method, route, str(status)), self.seconds.labels(method, route)


class ConnectionMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        self.open = Gauge("plumbline_api_connections", "Connections of clients that are open", registry=registry)
        self.refused = Counter(
            "plumbline_api_connections_refused_total",
            f"Connections that were ended for what they did, by reason: {', '.join(_ENDED)}",
            ("reason",),
            registry=registry,
        )
        for reason in _ENDED:
            self.refused.labels(reason)
