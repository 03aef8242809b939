"""plumbline dlq: look at dead letters, send them again, or give them up."""

from ops.dlq.commands import register

__all__ = ["register"]
