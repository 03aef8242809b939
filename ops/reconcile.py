"""plumbline reconcile: does every offset that was read have its outcome, and every outcome its row?"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

from deploy.local import environment, home
from ops import accounting, broker, store
from ops.console import Json, print_json, print_rows

Textfile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Write the result for Prometheus too, replacing FILE (node_exporter: NAME.prom)."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: plumbline reconcile && echo all accounted for")(reconcile)


def reconcile(textfile: Textfile = None, as_json: Json = False) -> None:
    """Check the accounting identity of each partition; exit status 1 if something doesn't add up.

    next_offset - first_offset = persisted + duplicates + dead-lettered + gaps, in each chapter: the open one and
    those that `plumbline offsets skip|restart|retire` closed. The dead letters and the events that were counted are
    there; no partition was read beyond what Kafka holds. Counts every stored event: on a large table that takes a
    while.
    """
    report = check(environment.require(home.default()))
    if textfile is not None:
        write_to_textfile(str(textfile), registry(report))
    if as_json:
        print_json(report)
    else:
        print_rows(_shown(report["partitions"]), as_json=False)
        for problem in report["problems"]:
            print(f"problem: {problem}")
        verdict = "all accounted for" if report["ok"] else "NOT all accounted for"
        decided = f", {report['skipped']:,} offsets skipped by decision" if report["skipped"] else ""
        print(f"{verdict}: {report['events']:,} events stored, {report['lag']:,} records not read yet{decided}")
    if not report["ok"]:
        raise typer.Exit(1)


def check(values: Mapping[str, str]) -> dict[str, Any]:
    """The report: `ok`, `problems`, `partitions`, `events` stored, `lag` in records, `skipped` by decision."""
    with store.snapshot(values) as connection:
        chapters, letters = store.chapters(connection), store.dead_letter_counts(connection)
        stored = store.events(connection)
    with broker.connect(values) as kafka:
        held = kafka.held({row["topic"] for row in chapters} | {kafka.topic})
    rows = accounting.partitions(chapters, letters, held)
    persisted = sum(row["persisted"] for row in rows)
    problems = [problem for row in rows for problem in row["problems"]]
    problems += accounting.event_problems(persisted, stored)
    return {
        "ok": not problems,
        "problems": problems,
        "partitions": [{name: value for name, value in row.items() if name != "problems"} for row in rows],
        "events": stored,
        "missing": persisted - stored,
        "lag": sum(row["lag"] or 0 for row in rows),
        "skipped": sum(row["skipped"] for row in rows),
    }


def _shown(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """For a terminal's width: what doesn't add up is said in words, and chapters only where there are several."""
    hidden = {"unaccounted", "missing_dead_letters"}
    if all(row["chapters"] == 1 for row in rows):
        hidden |= {"chapters", "skipped"}
    return [{name.replace("_", " "): value for name, value in row.items() if name not in hidden} for row in rows]


def registry(report: Mapping[str, Any]) -> CollectorRegistry:
    """The report as metrics."""
    made = CollectorRegistry()

    def gauge(name: str, meaning: str, labels: tuple[str, ...] = ()) -> Gauge:
        return Gauge(f"plumbline_reconcile_{name}", meaning, labels, registry=made)

    gauge("ok", "1 if everything adds up.").set(report["ok"])
    gauge("timestamp_seconds", "When this was found.").set_to_current_time()
    gauge("missing_events", "Events counted as persisted less events stored.").set(report["missing"])
    by_partition = {
        "unaccounted": "Offsets that were read and have no outcome.",
        "missing_dead_letters": "Dead letters counted less dead letters stored.",
        "skipped": "Offsets that an operator's decision skipped.",
    }
    for name, meaning in by_partition.items():
        made_gauge = gauge(name, meaning, ("topic", "partition"))
        for row in report["partitions"]:
            made_gauge.labels(row["topic"], str(row["partition"])).set(row[name])
    return made
