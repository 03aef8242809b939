"""What OpenAPI says of the issuer's routes."""

from typing import Any

_OAUTH_ERROR = {
    "description": "RFC 6749 error",
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "properties": {"error": {"type": "string"}, "error_description": {"type": "string"}},
            },
            "example": {"error": "invalid_client", "error_description": "no such client, or another secret"},
        }
    },
}

TOKEN: dict[str, Any] = {
    "summary": "A token for a client",
    "description": "OAuth 2.0 client credentials: authenticate with HTTP Basic, or `client_id` and `client_secret` in "
    "the form. Without `scope` the token has all scopes of the client.",
    "openapi_extra": {
        "requestBody": {
            "required": True,
            "content": {
                "application/x-www-form-urlencoded": {
                    "schema": {
                        "type": "object",
                        "required": ["grant_type"],
                        "properties": {
                            "grant_type": {"type": "string", "enum": ["client_credentials"]},
                            "client_id": {"type": "string"},
                            "client_secret": {"type": "string", "format": "password"},
                            "scope": {"type": "string", "description": "scopes separated by spaces"},
                        },
                    },
                    "example": {"grant_type": "client_credentials", "scope": "read:stats"},
                }
            },
        }
    },
    "responses": {
        200: {
            "description": "a token",
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "required": ["access_token", "token_type", "expires_in", "scope"],
                        "properties": {
                            "access_token": {"type": "string", "description": "a JWT"},
                            "token_type": {"type": "string"},
                            "expires_in": {"type": "integer", "description": "seconds"},
                            "scope": {"type": "string"},
                        },
                    },
                    "example": {
                        "access_token": "eyJ…",
                        "token_type": "Bearer",
                        "expires_in": 3600,
                        "scope": "read:stats",
                    },
                }
            },
        },
        400: _OAUTH_ERROR,
        401: _OAUTH_ERROR,
    },
}

_JWK = {"kty": "EC", "crv": "P-256", "x": "…", "y": "…", "kid": "…", "alg": "ES256", "use": "sig"}

JWKS: dict[str, Any] = {
    "summary": "The keys that verify tokens",
    "description": "A JWK set (RFC 7517).",
    "responses": {
        200: {"description": "a JWK set", "content": {"application/json": {"example": {"keys": [_JWK]}}}},
    },
}
