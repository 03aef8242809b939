"""plumbline offsets: where each partition stands, and how one that stands still goes on."""

from ops.offsets.commands import register

__all__ = ["register"]
