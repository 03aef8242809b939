"""plumbline verify: are the stored statistics those of the stored events?"""

from ops.verify.commands import register

__all__ = ["register"]
