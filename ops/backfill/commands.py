"""The command plumbline backfill."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from deploy.local import environment, home
from ops.backfill import work
from ops.backfill.work import Asked
from ops.console import Json, Yes, print_json, print_rows
from shared.statistics.buckets import bucket_name

LISTED = 50
_TIME = "RFC 3339, epoch seconds, or a time ago: -2h."


def register(app: typer.Typer) -> None:
    """Add the command."""
    epilog = "Example: plumbline backfill --from 2026-11-01T00:00:00Z --to 2026-11-02T00:00:00Z --level 1h"
    app.command(epilog=epilog)(backfill)


def backfill(
    since: Annotated[str, typer.Option("--from", metavar="TIME", help=f"Buckets from there on: {_TIME}")] = "",
    until: Annotated[str, typer.Option("--to", metavar="TIME", help="Buckets that begin before.")] = "",
    level: Annotated[str | None, typer.Option(metavar="LEVEL", help="1m, 1h, …: this one alone.")] = None,
    device: Annotated[list[str] | None, typer.Option(metavar="ID", help="This device alone; repeatable.")] = None,
    fleet: Annotated[
        bool, typer.Option("--fleet", help="Rows across devices too where no device's row was wrong.")
    ] = False,
    show: Annotated[
        bool, typer.Option("--list", help=f"Show the {LISTED} last ones, and what isn't finished.")
    ] = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Make stored statistics of a range again from raw events, and store what differs.

    The range is widened to whole buckets; only stored ones are touched, and how many readings came late stays known.
    A row whose raw events are gone is kept. Everything may run meanwhile: rows that late events wait for are left to
    the aggregation service. May be ended at any time: the same command goes on where it stopped.
    """
    values = environment.require(home.default())
    if show:
        rows = work.listed(values, LISTED)
        print_rows([_plain(row) if as_json else _listed(row) for row in rows], as_json)
        return
    if not (since and until):
        raise typer.BadParameter("say from when to when, such as --from -2d --to -1d", param_hint="--from, --to")

    def agreed(sentence: str) -> None:
        if not yes:
            typer.confirm(f"{sentence}? (--yes doesn't ask)", abort=True, err=True)
        elif not as_json:
            print(sentence)

    row = work.run(values, Asked(since, until, level, tuple(device or ()), fleet), agreed)
    if as_json:
        print_json(_plain(row))
    else:
        print(_summary(row))


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, "levels": [bucket_name(width) for width in row["levels"]]}


def _listed(row: Mapping[str, Any]) -> dict[str, Any]:
    """For a terminal's width."""
    numbers = {name: row[name] for name in ("readings", "compared", "changed", "waiting", "kept")}
    return {
        "id": row["id"],
        "from": f"{row['from']:%Y-%m-%dT%H:%MZ}",
        "to": f"{row['to']:%Y-%m-%dT%H:%MZ}",
        "levels": " ".join(map(bucket_name, row["levels"])),
        "devices": " ".join(row["devices"]) or "all",
        **numbers,
        "who": row["who"],
        "started": f"{row['started_at']:%Y-%m-%dT%H:%MZ}",
        "state": "finished" if row["finished_at"] else f"goes on at {row['goes_on_at']:%Y-%m-%d}",
    }


def _summary(row: Mapping[str, Any]) -> str:
    made, read, changed = (f"{row[name]:,}" for name in ("compared", "readings", "changed"))
    lines = [f"{made} rows made again from {read} readings: {changed} differed and were stored"]
    if row["waiting"]:
        lines.append(f"{row['waiting']:,} rows are left to the aggregation service, as late events wait there")
    if row["kept"]:
        lines.append(f"{row['kept']:,} rows are kept as they are: their raw events are gone")
    return "\n".join(lines)
