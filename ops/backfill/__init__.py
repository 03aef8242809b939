"""plumbline backfill: make stored statistics again from raw events."""

from ops.backfill.commands import register

__all__ = ["register"]
