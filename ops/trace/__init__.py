"""plumbline trace: the way of one event, from its record in Kafka to the statistics that it counts in."""

from ops.trace.commands import register

__all__ = ["register"]
