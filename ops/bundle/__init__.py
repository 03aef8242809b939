"""plumbline support-bundle: what others need to help, without secrets."""

from ops.bundle.commands import register

__all__ = ["register"]
