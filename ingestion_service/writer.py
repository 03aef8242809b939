"""The thread that talks to the database: claims and batches, one after the other, for as long as it takes."""

import dataclasses
import queue
import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

import psycopg

from ingestion_service import spans
from ingestion_service.batch import Batch, Claim
from ingestion_service.commit import Committer
from ingestion_service.metrics import Metrics
from ingestion_service.offsets import Fenced
from ingestion_service.store import Store
from shared import db, log, tracing
from shared.errors import PlumblineError
from shared.plain_errors import reason
from shared.tracing import Span

_log = log.get(__name__)
_SILENT_S = 5.0  # a batch usually takes a tenth of a second


class Discarded(Exception):
    """The work was given up before it was done: its partitions aren't ours any more, or we stop."""


@dataclass(slots=True)
class _Work:
    """A claim or a batch on its way, under the term in which it was submitted."""

    run: Callable[[], object]
    done: Future[object]
    term: int
    span: Span | None


class Writer:
    """Runs until `close`. Errors that a retry mends are retried here; what is left comes with the future.

    A term is the time between two rebalances: work of an ended term is discarded.
    """

    def __init__(self, store: Store, committer: Committer, metrics: Metrics, capacity: int = 1) -> None:
        self._store = store
        self._committer = committer
        self._metrics = metrics
        self._queue: queue.Queue[_Work | None] = queue.Queue()
        self._places = threading.Semaphore(capacity + 1)  # one being written
        self._term = 0
        self._retrying = False
        self._since: float | None = None  # when the attempt under way began
        self._term_ended = threading.Event()
        self._idle = threading.Condition()
        self._pending = 0
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        metrics.database_up.set_function(lambda: not self.away())

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def away(self) -> bool:
        """Whether the database doesn't answer: it failed, or is silent for long. Any thread may ask."""
        since = self._since
        return self._retrying or (since is not None and time.monotonic() - since > _SILENT_S)

    def wait_for_place(self, timeout_s: float) -> bool:
        """Whether there is room for one more batch within this time; take it with `submit`."""
        if not self._places.acquire(timeout=timeout_s):
            return False
        self._places.release()
        return True

    def submit(self, batch: Batch) -> "Future[object]":
        """Prepares and queues a batch; the result is None, errors are Fenced, Discarded or what stops the service."""
        # Here rather than in our thread: two that need the interpreter at once only hold each other up.
        self._committer.prepare(batch)
        self._places.acquire()
        trace = batch.trace
        future = self._enqueue(lambda: self._commit(batch), None if trace is None else trace.span)
        future.add_done_callback(lambda _: self._places.release())
        if trace is not None:
            future.add_done_callback(lambda done: spans.end(trace, batch, done))
        return future

    def claim(self, topic: str, partition: int, topic_id: str, low: int) -> "Future[object]":
        """Queues a claim; its future's result is a Claim, or None for another topic of that name."""
        return self._enqueue(lambda: self._store.claim(topic, partition, topic_id, low))

    def mark_truncated(self, claim: Claim) -> "Future[object]":
        """Queues the mark that the claim's partition was truncated."""
        return self._enqueue(lambda: self._store.mark_truncated(claim))

    def confirm(self, claims: Sequence[Claim]) -> "Future[object]":
        """Queues the question whether these are still ours; its future's error is Fenced if they aren't."""
        return self._enqueue(lambda: self._store.confirm(claims))

    def drain(self, timeout_s: float) -> bool:
        """Waits until everything queued is done; False if the time ran out."""
        with self._idle:
            return self._idle.wait_for(lambda: self._pending == 0, timeout_s)

    def end_term(self) -> None:
        """Discards what is queued, and what is being retried. A transaction under way ends by itself, fenced or not."""
        self._term += 1
        self._term_ended.set()

    def close(self, timeout_s: float) -> None:
        """Ends the thread, within this time: a transaction that takes longer ends with the process, rolled back."""
        self.end_term()
        self._queue.put(None)
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            _log.warning("transaction_abandoned")
        else:
            self._store.close()

    def _enqueue(self, run: Callable[[], object], span: Span | None = None) -> "Future[object]":
        future: Future[object] = Future()
        with self._idle:
            self._pending += 1
        self._queue.put(_Work(run, future, self._term, span))
        return future

    def _run(self) -> None:
        while (work := self._queue.get()) is not None:
            try:
                with tracing.within(work.span):
                    result = self._insist(work)
            except BaseException as error:  # noqa: BLE001 the future carries it to the loop, which decides
                work.done.set_exception(error)
            else:
                work.done.set_result(result)
            with self._idle:
                self._pending -= 1
                self._idle.notify_all()

    def _insist(self, work: _Work) -> object:
        """Runs the work until it is done, discarded, or failed for good."""
        attempt = 0
        while True:
            self._term_ended.clear()
            if work.term != self._term:
                raise Discarded
            try:
                self._since = time.monotonic()
                result = work.run()
            except psycopg.Error as error:
                if db.classify(error) is not db.Fault.RETRY:
                    raise PlumblineError(
                        f"Postgres refuses to go on ({error.sqlstate}: {reason(error)}) "
                        "→ mend it and start again; nothing was lost"
                    ) from error
                attempt += 1
                self._retrying = True
                self._store.close()
                self._committer.forget()
                self._metrics.retries.inc()
                wait = db.backoff_seconds(attempt, random.random())  # noqa: S311
                _log.warning(
                    "database_away",
                    attempt=attempt,
                    retry_in_s=round(wait, 2),
                    sqlstate=error.sqlstate,
                    error=reason(error),
                )
                self._term_ended.wait(wait)
            else:
                self._retrying = False
                return result
            finally:
                self._since = None

    def _commit(self, batch: Batch) -> None:
        started = time.monotonic()
        if not (batch.attempted and self._store.committed(batch.spans)):
            self._write(batch)
        self._metrics.commit_seconds.observe(time.monotonic() - started)
        self._count(batch)

    def _write(self, batch: Batch) -> None:
        again, batch.attempted = batch.attempted, True
        first_time = [dataclasses.replace(span) for span in batch.spans], batch.known, batch.readings
        try:
            self._metrics.late.inc(self._committer.commit(batch))
        except Fenced as fenced:
            # A COMMIT whose reply was cut off may have been under way until now: then it is our own that fences us.
            if again and self._store.committed(batch.spans):
                batch.spans, batch.known, batch.readings = first_time
                return
            self._committer.forget()
            self._metrics.fenced.inc()
            _log.warning("batch_fenced", partitions=sorted(fenced.partitions))
            raise

    def _count(self, batch: Batch) -> None:
        for outcome, counter in self._metrics.outcomes.items():
            counter.inc(sum(getattr(span, outcome) for span in batch.spans))
        for position in batch.dead.keys() - batch.known:
            self._metrics.dead_letters.labels(batch.dead[position].code).inc()
        self._metrics.batch_events.observe(len(batch.records))
        self._metrics.readings.inc(batch.readings)
        if batch.copy_seconds:
            self._metrics.copy_seconds.observe(batch.copy_seconds)
        if (oldest_ms := batch.oldest_ms) is not None:
            self._metrics.end_to_end_seconds.observe(max(0.0, time.time() - oldest_ms / 1000))


def claimed(future: "Future[object]") -> Claim | None:
    """The result of a claim's future."""
    result = future.result()
    return result if isinstance(result, Claim) else None
