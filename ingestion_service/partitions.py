"""The partitions that the group gave us: which are claimed, which wait, which stopped and why."""

from concurrent.futures import Future
from enum import StrEnum

from confluent_kafka import KafkaError

from ingestion_service.batch import Batch, Claim


class Reason(StrEnum):
    """Why a partition stands still; it is claimed again every few seconds, in case an operator has decided."""

    RETENTION_OVERTOOK = "retention_overtook"
    TRUNCATED = "truncated"
    OUT_OF_RANGE = "offset_out_of_range"
    UNREADABLE = "unreadable"
    TOPIC_RECREATED = "topic_recreated"
    TOPIC_GONE = "topic_gone"
    FENCED = "fenced"


# Errors of a partition after which it must not be read on: skipped offsets would pass for gaps.
_STOPPING = {
    Reason.TRUNCATED: {KafkaError._LOG_TRUNCATION},  # noqa: SLF001
    Reason.OUT_OF_RANGE: {KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE},  # noqa: SLF001
    Reason.TOPIC_GONE: {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION},  # noqa: SLF001
    Reason.UNREADABLE: {KafkaError._BAD_MSG, KafkaError._BAD_COMPRESSION, KafkaError.INVALID_MSG},  # noqa: SLF001
}


def stops(error: KafkaError) -> Reason | None:
    """Why a partition that had this error must not be read on, if so."""
    return next((reason for reason, codes in _STOPPING.items() if error.code() in codes), None)


def misplaced(claim: Claim, low: int, high: int) -> Reason | None:
    """Why a partition whose records are [low, high) can't go on from its stored offset, if so."""
    if claim.next_offset < low:
        return Reason.RETENTION_OVERTOOK
    if claim.truncated or claim.next_offset > high:
        return Reason.TRUNCATED
    return None


class Partitions:
    """One term's state; numbers are partitions, times are monotonic seconds."""

    def __init__(self) -> None:
        self.joined = False  # the group has given us a share, be it empty
        self.assigned: set[int] = set()
        self.claiming: dict[int, tuple[Future[object], int, int]] = {}  # with low and high watermark
        self.claims: dict[int, Claim] = {}
        self.positions: dict[int, int] = {}  # next offset expected, beyond what is in flight
        self.leader_epochs: dict[int, int | None] = {}  # of the record before `positions`, if known
        self.stopped: dict[int, Reason] = {}
        self._not_before: dict[int, float] = {}  # when to claim again what stopped, or couldn't be claimed

    def reset(self, assigned: set[int]) -> None:
        """A new term."""
        self.joined = False
        self.assigned = assigned
        self.claiming.clear()
        self.claims.clear()
        self.positions.clear()
        self.leader_epochs.clear()
        self.stopped.clear()
        self._not_before.clear()

    def unclaimed(self, now: float) -> list[int]:
        """What is to be claimed next."""
        due = {number for number in self.assigned if self._not_before.get(number, now) <= now}
        return sorted(due - self.claiming.keys() - self.claims.keys())

    def own(self, claim: Claim) -> None:
        """The claim succeeded."""
        self.claims[claim.partition] = claim
        self.positions[claim.partition] = claim.next_offset
        self.leader_epochs[claim.partition] = claim.leader_epoch
        self.stopped.pop(claim.partition, None)
        self._not_before.pop(claim.partition, None)

    def stop(self, partition: int, reason: Reason, until: float) -> None:
        """The partition stands still, at least until then."""
        self.disown(partition)
        self.stopped[partition] = reason
        self.put_off(partition, until)

    def put_off(self, partition: int, until: float) -> None:
        """The partition can't be claimed now."""
        self._not_before[partition] = until

    def disown(self, partition: int) -> None:
        """The partition is to be claimed again."""
        self.claims.pop(partition, None)
        self.positions.pop(partition, None)
        self.leader_epochs.pop(partition, None)

    def advance(self, batch: Batch) -> None:
        """The batch is on its way."""
        for span in batch.spans:
            self.positions[span.claim.partition] = span.stop
            if span.leader_epoch is not None:
                self.leader_epochs[span.claim.partition] = span.leader_epoch
