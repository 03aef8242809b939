"""The wire contract, version 1: bytes → events as columns, or the code why not."""

from shared.events.codes import Code, Limits, Reject
from shared.events.decoder import Decoded, Decoder, Group

__all__ = ["Code", "Decoded", "Decoder", "Group", "Limits", "Reject"]
