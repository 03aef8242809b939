"""plumbline clients: who may ask the built-in issuer for tokens."""

from ops.clients.commands import register

__all__ = ["register"]
