"""plumbline reconcile: does every offset that was read have its outcome, and every outcome its row?"""

from collections.abc import Mapping
from typing import Any

import typer

from deploy.local import environment, home
from ops import broker, store
from ops.console import Json, print_json, print_rows


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: plumbline reconcile && echo all accounted for")(reconcile)


def reconcile(as_json: Json = False) -> None:
    """Check the accounting identity of each partition; exit status 1 if something doesn't add up.

    next_offset - first_offset = persisted + duplicates + dead-lettered + gaps; the dead letters and the events
    that were counted are there; no partition was read beyond what Kafka holds.
    """
    report = check(environment.require(home.default()))
    if as_json:
        print_json(report)
    else:
        print_rows(report["partitions"], as_json=False)
        for problem in report["problems"]:
            print(f"problem: {problem}")
        verdict = "all accounted for" if report["ok"] else "NOT all accounted for"
        print(f"{verdict}: {report['events']:,} events stored, {report['lag']:,} records not read yet")
    if not report["ok"]:
        raise typer.Exit(1)


def check(values: Mapping[str, str]) -> dict[str, Any]:
    """The report: `ok`, `problems`, `partitions`, `events` stored, `lag` in records."""
    with store.snapshot(values) as connection:
        rows = store.partitions(connection)
        stored = store.events(connection)
    with broker.connect(values) as kafka:
        ends = kafka.watermarks([(row["topic"], row["partition"]) for row in rows])
    rows = [{**row, "end": ends[row["topic"], row["partition"]][1]} for row in rows]
    problems = [problem for row in rows for problem in partition_problems(row)]
    problems += event_problems(sum(row["persisted"] for row in rows), stored)
    shown = [{name: value for name, value in row.items() if name != "topic_id"} for row in rows]
    lag = sum(max(0, row["end"] - row["next_offset"]) for row in rows)
    return {"ok": not problems, "problems": problems, "partitions": shown, "events": stored, "lag": lag}


def partition_problems(row: Mapping[str, Any]) -> list[str]:
    """What doesn't add up in one partition's counts."""
    name = f"{row['topic']}[{row['partition']}]"
    read = row["next_offset"] - row["first_offset"]
    outcomes = row["persisted"] + row["duplicates"] + row["dead_lettered"]
    found = []
    if read != outcomes + row["gaps"]:
        found.append(f"{name}: {read} offsets were read, but {outcomes + row['gaps']} outcomes and gaps were counted")
    if row["events_total"] != outcomes:
        found.append(f"{name}: events_total is {row['events_total']}, the outcomes sum to {outcomes}")
    if row["dead_letter_rows"] != row["dead_lettered"]:
        found.append(f"{name}: {row['dead_lettered']} dead letters were counted, {row['dead_letter_rows']} are there")
    if row["next_offset"] > row["end"]:
        found.append(f"{name}: read up to {row['next_offset']}, but Kafka ends at {row['end']}: it lost records")
    return found


def event_problems(persisted: int, stored: int) -> list[str]:
    """Whether the events that were counted are the events that are there."""
    if persisted == stored:
        return []
    return [f"{persisted} events were counted as persisted, {stored} are stored"]
