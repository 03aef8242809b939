"""The consumer's loop: poll, claim, decode, hand over. Never talks to the database itself."""

import dataclasses
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from ingestion_service import spans
from ingestion_service.batch import Batch, Claim, Record, assemble
from ingestion_service.breaker import CircuitBreaker
from ingestion_service.gather import Gatherer
from ingestion_service.lag import Lag
from ingestion_service.metrics import Metrics
from ingestion_service.offsets import Fenced
from ingestion_service.partitions import Partitions, Reason, misplaced, stops
from ingestion_service.relay import Relay
from ingestion_service.settings import IngestionSettings
from ingestion_service.topic import Topic
from ingestion_service.writer import Discarded, Writer, claimed
from shared import log, plain_errors
from shared.errors import PlumblineError
from shared.events import Decoder

_log = log.get(__name__)

_REVOKE_S = 5.0  # what is in flight may take so long when partitions are revoked
_STOP_S = 8.0  # likewise at the end
_PLACE_S = 1.0  # a writer that is busy for longer makes us pause
_CLAIM_RETRY_S = 1.0  # a partition that the broker says nothing about
_STOPPED_RETRY_S = 5.0  # one that stands still: an operator may have decided, a rival may be gone
_CONFIRM_S = 5.0  # how often a loop that has nothing to write asks whether its partitions are still its own
_WATERMARKS_S = 2.0  # a partition without a leader holds up the others for so long


class Loop:
    """One consumer of one topic; everything here runs in one thread."""

    def __init__(
        self,
        settings: IngestionSettings,
        consumer: Consumer,
        topic: Topic,
        writer: Writer,
        relay: Relay,
        decoder: Decoder,
        metrics: Metrics,
    ) -> None:
        self._consumer = consumer
        self._group = settings.consumer_group
        self._gatherer = Gatherer(consumer, settings, metrics)
        self._topic = topic
        self._writer = writer
        self._relay = relay
        self._decoder = decoder
        self._metrics = metrics
        self._breaker = CircuitBreaker(settings.dead_letter_limit_consecutive, settings.dead_letter_limit_percent)
        self._partitions = Partitions()
        self.lag = Lag()
        metrics.topic_partitions.set_function(lambda: topic.partitions)
        self._in_flight: deque[tuple[Future[object], Batch | None]] = deque()  # None: a question, not a batch
        self._confirm_at = 0.0
        self._stopping = False

    def problems(self) -> list[str]:
        """Why the service isn't ready (called from another thread)."""
        stopped = dict(self._partitions.stopped)
        away = ["Postgres doesn't answer: what was read waits"] if self._writer.away() else []
        if not self._partitions.joined:
            away.append("waiting for the consumer group: a member that died keeps its place for a session timeout")
        away += self._relay.problems()
        return away + [f"partition {number} stopped: {reason}" for number, reason in sorted(stopped.items())]

    def run(self, over: Callable[[], bool]) -> None:
        """Consumes until it is over; then finishes what is in flight.

        Raises:
            PlumblineError: something is wrong that a retry won't mend.
        """
        self._consumer.subscribe(
            [self._topic.name], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
        )
        try:
            while not over():
                self._reap()
                self._claim()
                self._topic_still_there()
                self._still_ours()
                self._take(self._poll(over))
        finally:
            self._stopping = True
            if not self._writer.drain(_STOP_S):
                _log.warning("batch_discarded", reason="stopping")
            self._writer.end_term()
        self._reap()

    def _poll(self, over: Callable[[], bool]) -> list[Message]:
        """Records, once the writer has room for them; a long wait is spent paused, but in the group."""
        self._relay.hold()
        if self._writer.wait_for_place(_PLACE_S):
            return self._gatherer.gather()
        live = [TopicPartition(self._topic.name, number) for number in self._partitions.claims]
        _log.info("reading_paused", partitions=sorted(self._partitions.claims))
        self._consumer.pause(live)
        self._metrics.paused.set(len(live))
        came: list[Message] = []
        while not self._writer.wait_for_place(0):
            if over():
                return []  # what came meanwhile isn't committed: the next owner reads it
            message = self._consumer.poll(0.2)
            if message is not None:
                came.append(message)
            self._reap()
        still = [t for t in live if t.partition in self._partitions.claims]
        self._consumer.resume(still)
        self._metrics.paused.set(0)
        _log.info("reading_resumed", partitions=[t.partition for t in still])
        return came

    def _take(self, messages: Sequence[Message]) -> None:
        """Hands a batch of these to the writer."""
        records: Sequence[Record] = [message for message in messages if message.error() is None]
        ends: dict[int, int] = {}
        if len(records) < len(messages):
            for message in messages:
                error = message.error()
                if error is not None and error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001
                    ends[message.partition() or 0] = message.offset() or 0
                elif error is not None:
                    self._on_error(error, message.partition())
        parts = self._partitions
        began_ns = time.time_ns()
        batch = assemble(records, ends, parts.claims, parts.positions, self._decoder, began_ns // 1000)
        if batch is not None:
            batch.trace = spans.begin(batch, self._topic.name, self._group, began_ns)
            self._breaker.check(batch)
            parts.advance(batch)
            self.lag.read(batch)
            self._in_flight.append((self._writer.submit(batch), batch))

    def _on_error(self, error: KafkaError, partition: int | None) -> None:
        if error.fatal():
            raise PlumblineError(f"Kafka client failed: {error.str()} → start again; nothing was lost")
        claim = None if partition is None else self._partitions.claims.get(partition)
        if claim is not None and (reason := stops(error)):
            if reason is Reason.OUT_OF_RANGE:  # look now: new records soon take the offsets of lost ones
                at = dataclasses.replace(claim, next_offset=self._partitions.positions[claim.partition])
                reason = self._misplaced(at) or reason
            self._stop(claim.partition, reason, claim)
            self._assign()
        else:
            _log.warning("kafka_error", error=error.str(), partition=partition)

    def _reap(self) -> None:
        """Takes note of what the writer finished."""
        while self._in_flight and self._in_flight[0][0].done():
            future, batch = self._in_flight.popleft()
            error = future.exception()
            if error is None:
                if batch is not None:
                    self._committed(batch)
            elif isinstance(error, Fenced):
                self._on_fenced(error.partitions)
            elif not isinstance(error, Discarded):
                raise error
        self._reap_claims()
        self._metrics.owned.set(len(self._partitions.claims))
        for reason in Reason:
            self._metrics.stopped.labels(reason.value).set(list(self._partitions.stopped.values()).count(reason))

    def _committed(self, batch: Batch) -> None:
        """Mirrors the offsets in Kafka for tools that show lag; the truth is in the database."""
        self._relay.wake(len(batch.spans), dead=bool(batch.dead), trace=batch.trace)
        for span in batch.spans:
            self.lag.stored(span.claim.partition, span.stop)
            self._metrics.unaccounted.labels(str(span.claim.partition)).set(span.unaccounted)
        offsets = [TopicPartition(self._topic.name, span.claim.partition, span.stop) for span in batch.spans]
        try:
            self._consumer.commit(offsets=offsets, asynchronous=True)
        except KafkaException as error:
            _log.debug("offsets_not_mirrored", error=plain_errors.reason(error))

    def _on_fenced(self, partitions: set[int]) -> None:
        """Nothing in flight counts any more; what is still ours goes on from what the database says."""
        self._writer.end_term()
        self._in_flight.clear()
        for number in list(self._partitions.claims):
            self._partitions.disown(number)
        for number in partitions & self._partitions.assigned:
            self._stop(number, Reason.FENCED)
        self._assign()

    def _claim(self) -> None:
        """Asks for what the group gave us and isn't claimed yet."""
        for number in self._partitions.unclaimed(time.monotonic()):
            try:
                topic_id = self._topic.identity()
                low, high = self._watermarks(number)
            except KafkaException as error:
                self._partitions.put_off(number, time.monotonic() + _CLAIM_RETRY_S)
                _log.warning("claim_delayed", partition=number, error=plain_errors.reason(error))
            else:
                future = self._writer.claim(self._topic.name, number, topic_id, low)
                self._partitions.claiming[number] = future, low, high

    def _watermarks(self, partition: int) -> tuple[int, int]:
        at = TopicPartition(self._topic.name, partition)
        low, high = self._consumer.get_watermark_offsets(at, timeout=_WATERMARKS_S)
        return low, high

    def _reap_claims(self) -> None:
        claiming = self._partitions.claiming
        if not claiming or not all(future.done() for future, _, _ in claiming.values()):
            return
        owned = len(self._partitions.claims)
        for number, (future, low, high) in list(claiming.items()):
            del claiming[number]
            if isinstance(future.exception(), Discarded):
                continue
            claim = claimed(future)
            if claim is not None:
                self.lag.stored(number, claim.next_offset)
            if claim is None:
                self._stop(number, Reason.TOPIC_RECREATED)
            elif misplaced(claim, low, high) and (reason := self._misplaced(claim)):
                self._stop(number, reason, claim)
            else:
                self._partitions.own(claim)
                _log.info("partition_claimed", partition=number, epoch=claim.epoch, offset=claim.next_offset)
        if len(self._partitions.claims) > owned:
            self._assign()

    def _misplaced(self, claim: Claim) -> Reason | None:
        """Looks at what Kafka holds now: while a claim waited, its former owner may have read on."""
        try:
            return misplaced(claim, *self._watermarks(claim.partition))
        except KafkaException:
            return None  # if it is so, the broker will say that the offset is out of range

    def _assign(self) -> None:
        """Fetch what is claimed, from where we are; the epoch lets the client notice that the log was cut."""
        parts = self._partitions
        epochs = {number: -1 if epoch is None else epoch for number, epoch in parts.leader_epochs.items()}
        fetched = [
            TopicPartition(self._topic.name, number, parts.positions[number], leader_epoch=epochs[number])
            for number in parts.claims
        ]
        self._consumer.assign(fetched)
        self._consumer.resume(fetched)  # what was taken from us while it was paused comes back paused

    def _stop(self, partition: int, reason: Reason, claim: Claim | None = None) -> None:
        if reason is Reason.TRUNCATED and claim is not None and not claim.truncated:
            self._in_flight.append((self._writer.mark_truncated(claim), None))
        if self._partitions.stopped.get(partition) is not reason:
            _log.error("partition_stopped", partition=partition, reason=reason.value)
        self._partitions.stop(partition, reason, time.monotonic() + _STOPPED_RETRY_S)

    def _topic_still_there(self) -> None:
        topic_id = self._topic.latest_identity()
        if outdated := [number for number, claim in self._partitions.claims.items() if claim.topic_id != topic_id]:
            for number in outdated:
                self._stop(number, Reason.TOPIC_RECREATED)
            self._assign()

    def _still_ours(self) -> None:
        """An operator may have decided about a partition for which nothing comes: no batch would be fenced."""
        if self._in_flight or not self._partitions.claims or time.monotonic() < self._confirm_at:
            return
        self._confirm_at = time.monotonic() + _CONFIRM_S
        self._in_flight.append((self._writer.confirm(list(self._partitions.claims.values())), None))

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        # Nothing is fetched before the database has granted the claim: an error in here would be swallowed.
        self._new_term({p.partition for p in partitions})
        self._partitions.joined = True
        consumer.assign([])
        _log.info("partitions_assigned", partitions=sorted(self._partitions.assigned))

    def _on_revoke(self, consumer: Consumer, _partitions: list[TopicPartition]) -> None:
        if not self._writer.drain(0 if self._stopping else _REVOKE_S):
            _log.warning("batch_discarded", reason="revoked")
        self._reap()
        self._new_term(set())
        consumer.unassign()
        _log.info("partitions_revoked")

    def _on_lost(self, consumer: Consumer, _partitions: list[TopicPartition]) -> None:
        self._new_term(set())
        consumer.unassign()
        _log.warning("partitions_lost")

    def _new_term(self, assigned: set[int]) -> None:
        self._writer.end_term()
        self._in_flight.clear()
        self._partitions.reset(assigned)
        self.lag.reset()
        self._metrics.unaccounted.clear()
