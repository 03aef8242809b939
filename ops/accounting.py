"""The accounting identity, per partition over all its chapters. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from ops.broker import Held

Row = Mapping[str, Any]
COUNTS = ("persisted", "duplicates", "dead_lettered", "gaps")


def partitions(
    chapters: Iterable[Row], letters: Mapping[tuple[str, int], int], held: Mapping[str, Held]
) -> list[dict[str, Any]]:
    """A row a partition, sums over its chapters, with its `problems` in words.

    `letters`: dead letters that are stored, by topic id and partition. The open chapter is the last of a partition,
    but one that was retired has none; `end` is None where Kafka's topic isn't the one that the last is about.
    """

    def key(row: Row) -> tuple[str, int]:
        return row["topic"], row["partition"]

    # Sorting is stable: a partition's chapters stay in their order, the open one last.
    grouped = groupby(sorted(chapters, key=key), key)
    return [_partition(list(group), letters, held.get(topic)) for (topic, _), group in grouped]


def _partition(chapters: Sequence[Row], letters: Mapping[tuple[str, int], int], held: Held | None) -> dict[str, Any]:
    now = chapters[-1]
    name = f"{now['topic']}[{now['partition']}]"
    same = held is not None and held.topic_id == now["topic_id"]
    end = held.watermarks.get(now["partition"], (0, None))[1] if held is not None and same else None
    sums = {count: sum(row[count] for row in chapters) for count in COUNTS}
    missing = sums["dead_lettered"] - sum(
        letters.get((topic_id, now["partition"]), 0) for topic_id in {row["topic_id"] for row in chapters}
    )
    problems = [problem for row in chapters for problem in chapter_problems(row, name)]
    if missing:
        problems.append(
            f"{name}: {sums['dead_lettered']} dead letters were counted, {sums['dead_lettered'] - missing} are there"
        )
    if end is not None and now["next_offset"] > end:
        problems.append(f"{name}: read up to {now['next_offset']}, but Kafka ends at {end}: it lost records")
    return {
        "topic": now["topic"],
        "partition": now["partition"],
        "first_offset": now["first_offset"],
        "next_offset": now["next_offset"],
        **sums,
        "unaccounted": sum(map(unaccounted, chapters)),
        "missing_dead_letters": missing,
        "chapters": len(chapters),
        "skipped": sum(map(skipped, chapters)),
        "end": end,
        "lag": None if end is None else max(0, end - now["next_offset"]),
        "problems": problems,
    }


def chapter_problems(row: Row, name: str) -> list[str]:
    """What doesn't add up in one chapter's counts."""
    where = f"{name}: of chapter {row['first_offset']} to {row['next_offset']}," if closed(row) else f"{name}:"
    outcomes = row["persisted"] + row["duplicates"] + row["dead_lettered"]
    read = row["next_offset"] - row["first_offset"]
    found = []
    if unaccounted(row):
        found.append(f"{where} {read} offsets were read, but {outcomes + row['gaps']} outcomes and gaps were counted")
    if row["events_total"] != outcomes:
        found.append(f"{where} events_total is {row['events_total']}, the outcomes sum to {outcomes}")
    return found


def closed(row: Row) -> bool:
    """Whether an operator's decision ended this chapter."""
    return row["decision"] is not None


def unaccounted(row: Row) -> int:
    """Offsets of a chapter that were read and have no outcome."""
    return int(row["next_offset"] - row["first_offset"] - sum(row[count] for count in COUNTS))


def skipped(row: Row) -> int:
    """Offsets that the decision which ended this chapter skipped; of a re-created topic those of the new one."""
    if row["new_offset"] is None:
        return 0
    before = row["next_offset"] if row["new_topic_id"] == row["topic_id"] else row["low"]
    return max(0, int(row["new_offset"] - before))


def event_problems(persisted: int, stored: int) -> list[str]:
    """Whether the events that were counted are the events that are there."""
    if persisted == stored:
        return []
    return [f"{persisted} events were counted as persisted, {stored} are stored"]
