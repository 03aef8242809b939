"""`POST /auth/token` (OAuth 2.0 client credentials, RFC 6749) and the key set that verifies what it issues."""

import base64
import binascii
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

import msgspec
from fastapi import APIRouter, Request, Response

from api_service.auth import described
from api_service.auth.clients import Client, Clients, granted
from api_service.auth.issuer import Issuer
from api_service.auth.refusals import ClientRefusals
from api_service.limits import RateLimits, client_host
from api_service.metrics import Metrics
from api_service.problems import Problem

MAX_BODY_BYTES = 16 * 1024


class OAuthError(Exception):
    """RFC 6749, section 5.2."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.error, self.description, self.status = error, description, status

    def response(self) -> Response:
        """The error answer."""
        headers = {"Cache-Control": "no-store", "Pragma": "no-cache"}
        if self.status == 401:
            headers["WWW-Authenticate"] = 'Basic realm="plumbline", charset="UTF-8"'
        body = msgspec.json.encode({"error": self.error, "error_description": self.description})
        return Response(body, self.status, headers, "application/json")


def router(issuer: Issuer, clients: Clients, ttl_s: int, metrics: Metrics, limits: RateLimits) -> APIRouter:
    """The issuer's routes."""
    routes = APIRouter(tags=["auth"])
    refusals = ClientRefusals()

    @routes.post("/auth/token", **described.TOKEN)
    async def token(request: Request) -> Response:
        limits.address(client_host(request))
        try:
            form = _form(request, await _body(request))
            client, scopes = _grant(clients, form, request, refusals)
        except OAuthError as error:
            return error.response()
        signed = issuer.issue(client.client_id, scopes, client.devices, time.time(), ttl_s)
        metrics.tokens_issued.inc()
        answer = {"access_token": signed, "token_type": "Bearer", "expires_in": ttl_s, "scope": " ".join(scopes)}
        headers = {"Cache-Control": "no-store", "Pragma": "no-cache"}
        return Response(msgspec.json.encode(answer), 200, headers, "application/json")

    @routes.get("/.well-known/jwks.json", **described.JWKS)
    async def jwks() -> Response:
        key_set = msgspec.json.encode({"keys": [pair.jwk() for pair in issuer.keys.pairs]})
        return Response(key_set, 200, {"Cache-Control": "public, max-age=300"}, "application/json")

    return routes


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise Problem(413, f"The body is larger than {MAX_BODY_BYTES} bytes.")
    return bytes(body)


def _form(request: Request, body: bytes) -> dict[str, str]:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/x-www-form-urlencoded":
        raise OAuthError("invalid_request", "send the parameters as application/x-www-form-urlencoded")
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, errors="strict", max_num_fields=20)
    except ValueError:
        raise OAuthError("invalid_request", "the body is no form") from None
    form = dict(pairs)
    if len(form) < len(pairs):
        raise OAuthError("invalid_request", "a parameter is there twice")
    return {name: value for name, value in form.items() if value}


def _grant(clients: Clients, form: Mapping[str, str], request: Request, refusals: ClientRefusals) -> tuple[Client, Any]:
    """Who asks and the scopes that they get."""
    if "grant_type" not in form:
        raise OAuthError("invalid_request", "grant_type is missing: it is client_credentials")
    if form["grant_type"] != "client_credentials":
        raise OAuthError("unsupported_grant_type", "grant_type is client_credentials")
    client_id, secret = _credentials(form, request.headers.getlist("authorization"))
    client = clients.authenticate(client_id, secret)
    if client is None:
        known = clients.knows(client_id)
        refusals.note(request, "secret" if known else "client", client_id if known else None)
        raise OAuthError("invalid_client", "no such client, or another secret", 401)
    scopes = granted(client, form.get("scope"))
    if scopes is None:
        raise OAuthError("invalid_scope", f"this client may ask for: {' '.join(client.scopes)}")
    return client, scopes


def _credentials(form: Mapping[str, str], authorization: list[str]) -> tuple[str, str]:
    in_form = "client_secret" in form
    if len(authorization) > 1 or (authorization and in_form):
        raise OAuthError("invalid_request", "authenticate once: HTTP Basic, or client_id and client_secret")
    if not authorization:
        if not in_form or "client_id" not in form:
            raise OAuthError("invalid_client", "send client_id and client_secret, or HTTP Basic", 401)
        return form["client_id"], form["client_secret"]
    client_id, secret = _basic(authorization[0])
    if form.get("client_id", client_id) != client_id:
        raise OAuthError("invalid_request", "client_id is another one than HTTP Basic's")
    return client_id, secret


def _basic(header: str) -> tuple[str, str]:
    """HTTP Basic's user and password, which RFC 6749 (2.3.1) has form-encoded."""
    scheme, _, encoded = header.partition(" ")
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True).decode("utf-8")
    except (ValueError, binascii.Error):
        decoded = ""
    user, colon, password = decoded.partition(":")
    if scheme.lower() != "basic" or not colon:
        raise OAuthError("invalid_client", "the Authorization header is no HTTP Basic", 401)
    return unquote_plus(user), unquote_plus(password)
