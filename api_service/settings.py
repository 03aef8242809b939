"""What the API service can be told."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from shared.settings import DatabaseSettings, ServiceSettings, fix

_KEY_FIX = "make one: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out FILE (or -algorithm RSA)"
_CLIENTS_FIX = 'a JSON list of {"client_id", "secret_sha256", "scopes"}; `plumbline up` makes one for the local stack'


class ApiSettings(ServiceSettings, DatabaseSettings):
    api_host: str = Field("127.0.0.1", min_length=1, description="address that the API listens on")
    api_port: int = Field(8000, ge=0, le=65535, description="its port; 0: any that is free, which the log names")
    api_modules: str = Field("auth,query", description="parts of the API that this process serves, comma-separated")
    api_db_connections: int = Field(8, ge=1, le=200, description="database connections of this process at most")

    jwt_issuer: Literal[""] = Field(
        "",
        description="leave it unset: this version takes tokens of its built-in issuer only",
        json_schema_extra=fix("unset it: this version takes tokens of its built-in issuer only"),
    )
    jwt_audience: str = Field("plumbline", min_length=1, description="audience (aud) that tokens must name")
    auth_issuer: str = Field("plumbline", min_length=1, description="issuer (iss) that the built-in issuer signs as")
    auth_signing_key_file: Path | None = Field(
        None,
        description="PEM private key of the built-in issuer: RSA (RS256) or EC P-256 (ES256)",
        json_schema_extra=fix(_KEY_FIX),
    )
    auth_clients_file: Path | None = Field(
        None,
        description="JSON file of the clients that may ask for tokens: client_id, secret_sha256, scopes, devices",
        json_schema_extra=fix(_CLIENTS_FIX),
    )
    auth_token_ttl_seconds: int = Field(3600, ge=10, le=86_400, description="how long an issued token is valid")

    stats_max_rows: int = Field(10_000, ge=1_000, le=100_000, description="most rows in a page of /stats and /devices")
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
