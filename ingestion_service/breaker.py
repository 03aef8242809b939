"""Stops the service where so much is poison that a mistake upstream is likelier than bad devices. Pure."""

from ingestion_service.batch import Batch
from shared.errors import PlumblineError

_LEAST_RECORDS = 100  # below, a share says little


class CircuitBreaker:
    """Looks at each batch before it is written: what trips it stays in Kafka."""

    def __init__(self, consecutive: int, percent: float) -> None:
        self._consecutive = consecutive
        self._percent = percent
        self._in_a_row = 0

    def check(self, batch: Batch) -> None:
        """Raises PlumblineError at the limit; 0 is none."""
        if not self._consecutive and not self._percent:
            return
        total = len(batch.records)
        longest = self._in_a_row
        for position in range(total):
            self._in_a_row = self._in_a_row + 1 if position in batch.dead else 0
            longest = max(longest, self._in_a_row)
        if self._consecutive and longest >= self._consecutive:
            raise PlumblineError(
                f"{longest} dead letters in a row reach DEAD_LETTER_LIMIT_CONSECUTIVE → look at `plumbline dlq list`, "
                "mend the producers or raise the limit; nothing was dropped"
            )
        share = 100 * len(batch.dead) / max(1, total)
        if self._percent and total >= _LEAST_RECORDS and share >= self._percent:
            raise PlumblineError(
                f"{share:.1f} % of a batch are dead letters, DEAD_LETTER_LIMIT_PERCENT is {self._percent} → look at "
                "`plumbline dlq list`, mend the producers or raise the limit; nothing was dropped"
            )
