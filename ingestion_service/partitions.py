"""The partitions that the group gave us: which are claimed, which wait, which stopped and why."""

from concurrent.futures import Future
from enum import StrEnum

from ingestion_service.batch import Batch, Claim


class Reason(StrEnum):
    """Why a partition stands still until an operator decides (or, fenced, until the group's next assignment)."""

    RETENTION_OVERTOOK = "retention_overtook"
    TRUNCATED = "truncated"
    OUT_OF_RANGE = "offset_out_of_range"
    UNREADABLE = "unreadable"
    TOPIC_RECREATED = "topic_recreated"
    TOPIC_GONE = "topic_gone"
    FENCED = "fenced"


def misplaced(claim: Claim, low: int, high: int) -> Reason | None:
    """Why a partition whose records are [low, high) can't go on from its stored offset, if so."""
    if claim.next_offset < low:
        return Reason.RETENTION_OVERTOOK
    if claim.next_offset > high:
        return Reason.TRUNCATED
    return None


class Partitions:
    """One term's state; numbers are partitions."""

    def __init__(self) -> None:
        self.joined = False  # the group has given us a share, be it empty
        self.assigned: set[int] = set()
        self.claiming: dict[int, tuple[Future[object], int, int]] = {}  # with low and high watermark
        self.claims: dict[int, Claim] = {}
        self.positions: dict[int, int] = {}  # next offset expected, beyond what is in flight
        self.stopped: dict[int, Reason] = {}

    def reset(self, assigned: set[int]) -> None:
        """A new term."""
        self.joined = False
        self.assigned = assigned
        self.claiming.clear()
        self.claims.clear()
        self.positions.clear()
        self.stopped.clear()

    def unclaimed(self) -> list[int]:
        """What is to be claimed next."""
        return sorted(self.assigned - self.claiming.keys() - self.claims.keys() - self.stopped.keys())

    def own(self, claim: Claim) -> None:
        """The claim succeeded."""
        self.claims[claim.partition] = claim
        self.positions[claim.partition] = claim.next_offset

    def stop(self, partition: int, reason: Reason) -> None:
        """The partition stands still."""
        self.disown(partition)
        self.stopped[partition] = reason

    def disown(self, partition: int) -> None:
        """The partition is to be claimed again."""
        self.claims.pop(partition, None)
        self.positions.pop(partition, None)

    def advance(self, batch: Batch) -> None:
        """The batch is on its way."""
        for span in batch.spans:
            self.positions[span.claim.partition] = span.stop
