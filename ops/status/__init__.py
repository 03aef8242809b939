"""plumbline status: is the pipeline healthy, or what is wrong and what to type next."""

from ops.status.commands import register

__all__ = ["register"]
