"""How the simulator gets its tokens."""

from pathlib import Path

from pydantic import Field, SecretStr

from shared.settings import Settings


class TokenSettings(Settings):
    """With --http: a token, or what one is asked for with."""

    auth_token: SecretStr = Field(SecretStr(""), description="with --http: the bearer token to send")
    auth_token_file: Path | None = Field(
        None, description="with --http: a file that holds it, read again when the API refuses the token"
    )
    auth_client_id: str = Field("", description="with --http: the client that asks for tokens (OAuth 2)")
    auth_client_secret: SecretStr = Field(SecretStr(""), description="its secret")
    auth_token_url: str = Field("", description="where it asks; empty: /auth/token of the API it sends to")
    auth_scope: str = Field("write:readings", description="the scope it asks for")
