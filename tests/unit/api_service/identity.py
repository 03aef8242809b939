"""An identity provider on this machine: a real HTTP server with a discovery document and keys that tests change."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

RSA = rsa.generate_private_key(65537, 2048)
OTHER_RSA = rsa.generate_private_key(65537, 2048)
P256, P384, P521 = (ec.generate_private_key(curve()) for curve in (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1))
ED25519, ED448 = ed25519.Ed25519PrivateKey.generate(), ed448.Ed448PrivateKey.generate()

Answer = tuple[int, Mapping[str, str], bytes]


def jwk(private: Any, kid: str | None = None, **members: Any) -> dict[str, Any]:
    """The public half of a private key; a member that is None is left out."""
    kinds = {rsa.RSAPrivateKey: "RS256", ec.EllipticCurvePrivateKey: "ES256"}
    algorithm = next((name for kind, name in kinds.items() if isinstance(private, kind)), "EdDSA")
    made: Any = jwt.algorithms.get_default_algorithms()[algorithm]
    described = dict(made.to_jwk(private.public_key(), as_dict=True))
    described.pop("key_ops", None)
    return {name: value for name, value in {**described, "kid": kid, **members}.items() if value is not None}


def key_set(*keys: Mapping[str, Any]) -> bytes:
    return json.dumps({"keys": keys}).encode()


@dataclass
class Identity:
    """`answers`: what is at a path; a function is asked each time. `asked`: the paths, in order."""

    url: str
    answers: dict[str, Answer | Callable[[], Answer]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    @property
    def issuer(self) -> str:
        return f"{self.url}/realm"

    @property
    def jwks_url(self) -> str:
        return f"{self.url}/keys"

    def has(self, *keys: Mapping[str, Any]) -> None:
        """These are the keys from now on."""
        self.answers["/keys"] = 200, {}, key_set(*keys)

    def discovered(self, path: str = "/realm/.well-known/openid-configuration", **changed: Any) -> None:
        """There is a discovery document."""
        document = {"issuer": self.issuer, "jwks_uri": self.jwks_url, **changed}
        self.answers[path] = 200, {}, json.dumps(document).encode()

    def fetches(self) -> int:
        return self.asked.count("/keys")


@contextmanager
def identity() -> Iterator[Identity]:
    """A provider that knows nothing yet, for the length of the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.asked.append(self.path)
            answer = made.answers.get(self.path, (404, {}, b"nothing"))
            status, headers, body = answer() if callable(answer) else answer
            try:
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)
            except OSError:
                self.close_connection = True  # who asked has had enough

        def log_message(self, *_arguments: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made = Identity(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
