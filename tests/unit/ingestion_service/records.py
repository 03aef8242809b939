"""Records without a broker: the narrow port of the batch's assembly."""

import json
from dataclasses import dataclass, field
from typing import Any

from ingestion_service.batch import Batch, Claim, assemble
from shared.events import Decoder, Limits

NOW_US = 1_793_500_000_000_000


@dataclass
class FakeRecord:
    """What confluent_kafka.Message answers."""

    at: int
    offset_: int
    body: bytes | None
    key_: bytes | None = None
    headers_: list[tuple[str, bytes | None]] = field(default_factory=list)

    def partition(self) -> int:
        return self.at

    def offset(self) -> int:
        return self.offset_

    def leader_epoch(self) -> int:
        return 7

    def key(self) -> bytes | None:
        return self.key_

    def value(self) -> bytes | None:
        return self.body

    def headers(self) -> Any:
        return self.headers_

    def timestamp(self) -> tuple[int, int]:
        return 1, NOW_US // 1000


def event(device: str, second: int, /, **metrics: float) -> bytes:
    return json.dumps({"device_id": device, "timestamp": 1_793_491_200 + second, "data_payload": metrics}).encode()


def claims(*partitions: int, at: int = 0) -> dict[int, Claim]:
    return {p: Claim("t", p, "id", 1, at) for p in partitions}


def batch(records: list[FakeRecord], owned: dict[int, Claim], ends: dict[int, int] | None = None) -> Batch | None:
    positions = {p: claim.next_offset for p, claim in owned.items()}
    return assemble(records, ends or {}, owned, positions, Decoder(Limits()), NOW_US)
