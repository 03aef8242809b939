"""From two looks to the pipeline's figures. Pure."""

from dataclasses import dataclass
from datetime import datetime

from ops import scrape
from ops.scrape import Samples
from ops.status.look import Look

# How long after its time a bucket may be closed and stored: so long, and this share of its width.
PATIENCE_S = 120.0
PATIENCE_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class Figures:
    """None: it can't be said, because who knows it is away, or nothing came by meanwhile. Seconds where so named."""

    events_per_second: float | None
    lag_messages: int | None
    lag_seconds: float | None
    end_to_end_p99_seconds: float | None
    watermark: datetime | None
    watermark_age_seconds: float | None
    stored_until: datetime | None
    overdue_seconds: float | None  # of the level that is furthest beyond its patience
    patience_seconds: float | None
    late_entries: int | None
    late_oldest_seconds: float | None
    dead_letters_last_hour: int | None
    dead_letter_share: float | None
    unaccounted_offsets: int | None
    stopped_partitions: int | None
    paused_partitions: int | None
    ack_lag_seconds: float | None


def figures(before: Look, now: Look) -> Figures:
    """The figures of `now`, with rates since `before`."""
    database, kafka = now.database, now.kafka
    ingestion, aggregation = now.metrics.get("ingestion"), now.metrics.get("aggregation")
    at = database.at if database else None
    overdue, patience = _overdue(aggregation)
    return Figures(
        events_per_second=_rate(before, now),
        lag_messages=kafka.lag if kafka else None,
        lag_seconds=kafka.lag_seconds if kafka else None,
        end_to_end_p99_seconds=_p99(before.metrics.get("ingestion"), ingestion),
        watermark=database.watermark if database else None,
        watermark_age_seconds=_age(database.watermark if database else None, at),
        stored_until=database.stored_until if database else None,
        overdue_seconds=overdue,
        patience_seconds=patience,
        late_entries=database.late if database else None,
        late_oldest_seconds=(_age(database.late_since, at) or 0.0) if database else None,
        dead_letters_last_hour=database.dead_letters_hour if database else None,
        dead_letter_share=_share(now),
        unaccounted_offsets=database.unaccounted if database else None,
        stopped_partitions=_whole(ingestion, "ingestion_stopped_partitions"),
        paused_partitions=_whole(ingestion, "ingestion_paused_partitions"),
        ack_lag_seconds=ingestion.largest("ingestion_ack_lag_seconds") if ingestion else None,
    )


def _rate(before: Look, now: Look) -> float | None:
    if before.database is None or now.database is None:
        return None
    seconds = (now.database.at - before.database.at).total_seconds()
    return max(0, now.database.events - before.database.events) / seconds if seconds > 0 else None


def _p99(before: Samples | None, now: Samples | None) -> float | None:
    name = "ingestion_end_to_end_seconds"
    if before is None or now is None:
        return None
    return scrape.quantile(0.99, scrape.since(before.buckets(name), now.buckets(name)))


def _age(moment: datetime | None, at: datetime | None) -> float | None:
    return max(0.0, (at - moment).total_seconds()) if moment and at else None


def _overdue(samples: Samples | None) -> tuple[float | None, float | None]:
    """How long ago a bucket should have been closed and stored, and how long that may be: as the alerts have it."""
    found = samples.of("aggregation_overdue_seconds") if samples else ()
    levels = [(each.value, PATIENCE_S + PATIENCE_SHARE * float(each.labels["level"])) for each in found]
    return max(levels, key=lambda level: level[0] - level[1], default=(None, None))


def _share(now: Look) -> float | None:
    """Of the records of the last hour, those that became dead letters in it."""
    if now.database is None or now.kafka is None:
        return None
    letters, records = now.database.dead_letters_hour, now.kafka.records_hour
    return min(1.0, letters / records) if records else float(letters > 0)


def _whole(samples: Samples | None, name: str) -> int | None:
    return int(samples.total(name) or 0) if samples else None
