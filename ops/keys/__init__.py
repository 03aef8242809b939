"""plumbline keys: what the built-in issuer signs with, and its rotation."""

from ops.keys.commands import register

__all__ = ["register"]
