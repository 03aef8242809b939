"""The command plumbline verify."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import numpy as np
import typer

from deploy.local import environment, home
from ops import store
from ops.console import Json, print_json, tell
from ops.moments import micros, moment, rfc3339
from ops.progress import progress
from ops.verify import check, frame
from ops.verify.findings import Findings, counted

SHOWN = 20
DEFAULT_DAYS = 7
_TIME = "RFC 3339, epoch seconds, or a time ago: -2h."


def register(app: typer.Typer) -> None:
    """Add the command."""
    epilog = "Example: plumbline verify --sample 1000; plumbline verify --from -2d --to -1d"
    app.command(epilog=epilog)(verify)


@dataclass(frozen=True)
class Asked:
    """What to look at; times are µs since 1970, None: no bound. `sample` None: everything."""

    sample: int | None = None
    seed: int | None = None
    days: int | None = None
    start: int | None = None
    end: int | None = None


def verify(
    sample: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="So many buckets of a device, at random, instead of all."),
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Draw the sample that this number stands for.")] = None,
    days: Annotated[
        int | None,
        typer.Option(min=1, help=f"The newest days with events (without --sample and --from: {DEFAULT_DAYS})."),
    ] = None,
    since: Annotated[str | None, typer.Option("--from", metavar="TIME", help=f"Buckets from there on: {_TIME}")] = None,
    until: Annotated[str | None, typer.Option("--to", metavar="TIME", help="Buckets that begin before.")] = None,
    as_json: Json = False,
) -> None:
    """Recompute stored statistics from raw events and compare; exit status 1 if one differs.

    Looked at are the buckets that are closed and stored and have raw events, and of those the ones with nothing late
    outstanding: all of some days, or a sample over all history and all levels. Its cost doesn't depend on how much is
    stored. A fault in 0.3 % of a level's buckets is found by --sample 3000 with 95 % likelihood. Rows across devices
    are compared with the devices' rows. Sees one moment, changes nothing: everything may run meanwhile.
    """
    now = datetime.now(UTC)
    start, end = (None if text is None else micros(moment(text, now)) for text in (since, until))
    if seed is not None and sample is None:
        raise typer.BadParameter("it repeats a sample: give --sample too", param_hint="--seed")
    if all(option is None for option in (sample, start, end, days)):
        days = DEFAULT_DAYS
    report = run(environment.require(home.default()), Asked(sample, seed, days, start, end))
    if as_json:
        print_json(report)
    else:
        _show(report)
    if not report["ok"]:
        raise typer.Exit(1)


def run(values: Mapping[str, str], asked: Asked) -> dict[str, Any]:
    """The report: `ok`, rows `compared`, `fleet` and `skipped` by level, `differences`, the command to `mend` them.

    Of a sample also its `seed` and how many `groups` of (level, device, bucket) it had.
    """
    with store.snapshot(values) as connection:
        known = frame.frame(connection, asked.start, asked.end, asked.days)
        findings = Findings(known.devices, known.metrics)
        if asked.sample is None:
            with progress("verify", len(known.days) * len(known.devices), "readings") as advance:
                check.whole(connection, known, findings, advance)
            return findings.report()
        seed = secrets.randbelow(2**32) if asked.seed is None else asked.seed
        with progress("verify", asked.sample, "buckets") as advance:
            groups = check.sample(connection, known, asked.sample, np.random.default_rng(seed), findings, advance)
    return {"seed": seed, "asked": asked.sample, "groups": groups, **findings.report()}


def _show(report: Mapping[str, Any]) -> None:
    if "seed" in report:
        few = f" of {report['asked']:,}: the draws met no more" if report["groups"] < report["asked"] else ""
        print(f"a sample of {report['groups']:,} buckets of a device{few} (--seed {report['seed']} repeats it)")
    print(f"rows compared with raw events: {counted(report['compared']) or 'none, as none is closed and stored'}")
    if report["fleet"]:
        print(f"rows across devices compared with the devices' rows: {counted(report['fleet'])}")
    if report["skipped"]:
        print(f"skipped, as late events wait to be counted in: {counted(report['skipped'])}")
    found = report["differences"]
    for difference in found[:SHOWN]:
        where = f"{difference['level']} {difference['device_id'] or 'all devices'} {difference['metric']}"
        print(f"problem: {where} {rfc3339(difference['start'])}: {difference['problem']}")
    if len(found) > SHOWN:
        print(f"… and {len(found) - SHOWN:,} more: --json")
    print(f"{len(found):,} differences" if found else "all as recomputed")
    if report["mend"]:
        tell(f"→ {report['mend']}")
