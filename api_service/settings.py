"""What the API service can be told."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from api_service.auth.algorithms import KNOWN, chosen
from shared.settings import DatabaseSettings, EventSettings, ServiceSettings, TopicSettings, fix

_KEY_FIX = "make one: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out FILE (or -algorithm RSA)"
_CLIENTS_FIX = 'a JSON list of {"client_id", "secret_sha256", "scopes"}; `plumbline up` makes one for the local stack'


def _algorithms(text: str) -> str:
    chosen(text)
    return text


class ApiSettings(ServiceSettings, TopicSettings, DatabaseSettings, EventSettings):
    api_host: str = Field("127.0.0.1", min_length=1, description="address that the API listens on")
    api_port: int = Field(8000, ge=0, le=65535, description="its port; 0: any that is free, which the log names")
    api_modules: str = Field(
        "auth,gateway,query,web", description="parts of the API that this process serves, comma-separated"
    )
    api_db_connections: int = Field(8, ge=1, le=200, description="database connections of this process at most")

    api_max_connections: int = Field(
        2_000, ge=1, le=1_000_000, description="connections of clients at most; one more is answered with 503"
    )
    api_header_timeout_seconds: float = Field(
        8, ge=0.5, le=300, description="a request's head, or an idle connection's next one, must come within"
    )
    api_body_timeout_seconds: float = Field(8, ge=0.5, le=3600, description="a request's body must come within")
    trusted_proxies: str = Field(
        "", description="addresses or networks whose X-Forwarded-For and -Proto are believed, comma-separated"
    )

    rate_limit_events_per_second: float = Field(
        0, ge=0, description="events (a request that reads counts as one) of a token's subject; 0: no limit"
    )
    rate_limit_address_per_second: float = Field(
        0, ge=0, description="the same of a client's address, counted before its token is looked at; 0: no limit"
    )

    max_body_bytes: int = Field(
        8 * 1024 * 1024, ge=1024, le=1024**3, description="bytes of a body at most, decompressed too"
    )
    max_events_per_request: int = Field(10_000, ge=1, le=1_000_000, description="events of a request at most")
    gateway_queue_events: int = Field(
        50_000, ge=1, le=10_000_000, description="events that wait for Kafka at most; then it is 503"
    )
    gateway_queue_bytes: int = Field(
        16 * 1024 * 1024, ge=1024, description="bytes of bodies that are read or wait for Kafka at most; then it is 503"
    )
    gateway_timeout_seconds: float = Field(10, ge=1, le=12, description="Kafka must confirm within; then it is 503")
    receipt_key: SecretStr = Field(
        SecretStr(""),
        description="what receipts are signed with, in all gateways; empty: derived from the signing key, or random",
    )

    jwt_issuer: str = Field(
        "", description="issuer (iss) of an external identity provider, found by discovery; empty: the built-in issuer"
    )
    jwt_jwks_url: str = Field("", description="its JWKS, instead of discovery; https, or http on loopback")
    jwt_jwks_max_stale_seconds: int = Field(
        86_400, ge=2, le=2_592_000, description="its keys count for so long after they were fetched while it is away"
    )
    jwt_algorithms: Annotated[str, AfterValidator(_algorithms)] = Field(
        "RS256,RS384,RS512,PS256,PS384,PS512,ES256,ES384,ES512,EdDSA",
        description="signature algorithms that an external provider's tokens may have",
        json_schema_extra=fix(
            f"choose from {', '.join(sorted(KNOWN))}; tokens signed with a shared secret (HS…) or "
            "with none can be made by others than the issuer"
        ),
    )
    jwt_audience: str = Field("plumbline", min_length=1, description="audience (aud) that tokens must name")
    auth_issuer: str = Field("plumbline", min_length=1, description="issuer (iss) that the built-in issuer signs as")
    auth_signing_key_file: Path | None = Field(
        None,
        description="PEM private keys of the built-in issuer: RSA (RS256) or EC P-256 (ES256); the first signs",
        json_schema_extra=fix(_KEY_FIX),
    )
    auth_clients_file: Path | None = Field(
        None,
        description="JSON file of the clients that may ask for tokens: client_id, secret_sha256, scopes, devices",
        json_schema_extra=fix(_CLIENTS_FIX),
    )
    auth_token_ttl_seconds: int = Field(3600, ge=10, le=86_400, description="how long an issued token is valid")

    stats_max_rows: int = Field(10_000, ge=1_000, le=100_000, description="most rows in a page, of whatever route")
    stats_max_buckets: int = Field(100_000, ge=1_000, le=1_000_000, description="most buckets between from and to")
    stats_max_cells: int = Field(
        500_000,
        ge=10_000,
        description="most stored statistics or minutes of raw events for a page of /stats",
    )
    stats_max_raw_bytes: int = Field(
        256 * 1024 * 1024, ge=1024 * 1024, description="most bytes of events that a page of /stats may read"
    )
    stats_cache_bytes: int = Field(
        256 * 1024 * 1024, ge=0, description="memory for rows of closed buckets that were asked for; 0: none are kept"
    )
    stats_timeout_seconds: float = Field(10.0, ge=0.1, le=300, description="a database query is given up after so long")

    stream_max_listeners: int = Field(
        1_000, ge=1, le=100_000, description="open /stats/stream answers of this process; one more is 503"
    )
    stream_interval_seconds: float = Field(
        1.0, ge=0.1, le=60, description="how often /stats/stream looks for statistics that have changed"
    )
    stream_heartbeat_seconds: float = Field(
        15.0, ge=0.1, le=300, description="a comment is sent where nothing was for so long"
    )
