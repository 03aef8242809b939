"""plumbline tail: what flows right now."""

from ops.tail.commands import register

__all__ = ["register"]
