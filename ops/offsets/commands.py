"""The commands of plumbline offsets."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC
from typing import Annotated, Any

import typer

from deploy.local import environment, home
from ops import store
from ops.console import DryRun, Json, Why, Yes, print_json, print_rows, tell
from ops.offsets import store as decisions
from ops.offsets.options import All, Choice, Partitions, Topic, look, require_reason
from ops.offsets.retire import retire
from ops.offsets.standing import MEANING, Plan, Standing, plan
from ops.operators import who

offsets = typer.Typer(help="Show where each partition stands, and decide how one that stands still goes on.")


def register(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(offsets, name="offsets")


@offsets.callback(invoke_without_command=True, epilog="Example: plumbline offsets --json")
def show(context: typer.Context, as_json: Json = False) -> None:
    """Show where each partition stands, and decide how one that stands still goes on.

    Without a command: stored offset, Kafka's watermarks, lag, topic id (stored → actual where they differ), owner
    with its epoch, and state of each partition; exit status 1 if one needs a decision.
    """
    if context.invoked_subcommand is not None:
        return
    found = look(environment.require(home.default()))
    if as_json:
        print_json([{**asdict(each), "needs_decision": each.needs_decision} for each in found])
    else:
        print_rows([_shown(each) for each in found], as_json=False)
        for line in advice(found):
            tell(line)
    if any(each.needs_decision for each in found):
        raise typer.Exit(1)


@offsets.command(
    epilog='Example: plumbline offsets skip --partition 3 --to earliest --reason "retention was too short"'
)
def skip(
    to: Annotated[str, typer.Option(metavar="OFFSET", help="Where to go on: earliest, latest or an offset.")],
    reason: Why,
    partition: Partitions = None,
    topic: Topic = None,
    everyone: All = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Go on further ahead: what lies between is not read. Ingestion picks it up by itself."""
    _decide("skip", to, Choice(topic, partition or [], everyone=everyone), reason, (yes, dry_run, as_json))


@offsets.command(epilog='Example: plumbline offsets restart --all --reason "the topic was made again"')
def restart(
    reason: Why,
    partition: Partitions = None,
    start: Annotated[
        str, typer.Option("--from", metavar="OFFSET", help="Where: earliest, latest or an offset.")
    ] = "earliest",
    topic: Topic = None,
    everyone: All = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Begin again; what is read a second time is known as duplicates. Ingestion picks it up by itself."""
    _decide("restart", start, Choice(topic, partition or [], everyone=everyone), reason, (yes, dry_run, as_json))


offsets.command(epilog='Example: plumbline offsets retire --partition 5 --reason "made again with fewer"')(retire)


@offsets.command("log", epilog="Example: plumbline offsets log --limit 5")
def show_log(
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many at most, newest first.")] = 50,
    as_json: Json = False,
) -> None:
    """List the decisions that were made, with the chapter that each closed."""
    with store.snapshot(environment.require(home.default())) as connection:
        rows = decisions.decisions(connection, limit)
    print_rows(rows if as_json else [_logged(row) for row in rows], as_json)


def advice(found: Sequence[Standing]) -> list[str]:
    """What to do about the partitions that need a decision."""
    lines = []
    for each in (each for each in found if each.needs_decision):
        ways = "plumbline offsets restart|skip, see --help"
        gone = "make the topic again (`python -m shared.topics`), or plumbline offsets retire"
        fix = gone if each.high is None else ways
        meaning = next(text for reason, text in MEANING.items() if reason.value == each.state)
        lines.append(f"{each.name}: {each.state}: {meaning} → {fix}")
    return lines


def _decide(action: str, to: str, choice: Choice, reason: str, how: tuple[bool, bool, bool]) -> None:
    yes, dry_run, as_json = how
    require_reason(reason)
    values = environment.require(home.default())
    plans = [plan(action, each, to) for each in choice.among(look(values))]
    if not as_json:
        for each in plans:
            print(each.sentence())
    if not dry_run and not yes:
        typer.confirm(f"{action} {len(plans)} partition(s)? (--yes doesn't ask)", abort=True, err=as_json)
    made = [] if dry_run else _carry_out(values, plans, reason)
    if as_json:
        print_json([{**_planned(each), "decision": number} for each, number in _numbered(plans, made)])
    elif made:
        tell(f"done, as decision {', '.join(map(str, made))}; ingestion goes on within seconds (plumbline offsets log)")


def _carry_out(values: Mapping[str, str], plans: Sequence[Plan], reason: str) -> list[int]:
    with store.writing(values) as connection:
        return [decisions.decide(connection, each, who(), reason) for each in plans]


def _numbered(plans: Sequence[Plan], made: Sequence[int]) -> list[tuple[Plan, int | None]]:
    return [(each, made[i] if made else None) for i, each in enumerate(plans)]


def _planned(each: Plan) -> dict[str, Any]:
    now = each.standing
    where = {"topic": now.topic, "partition": now.partition, "state": now.state, "action": each.action}
    return {**where, "old_offset": now.offset, "new_offset": each.offset, "new_topic_id": each.topic_id}


def _shown(each: Standing) -> dict[str, Any]:
    """For a terminal's width: topics and owners are told apart by the first characters of their ids."""
    stored, actual = (topic_id and topic_id[:8] for topic_id in (each.topic_id, each.actual_topic_id))
    row = asdict(each) | {
        "topic_id": actual if stored in (None, actual) else f"{stored} → {actual or 'none'}",
        "owner": "nobody" if each.owner is None else f"{each.owner[:8]} ({each.owner_epoch})",
    }
    hidden = ("chapter", "actual_topic_id", "owner_epoch")
    return {name.replace("_", " "): value for name, value in row.items() if name not in hidden}


def _logged(row: Mapping[str, Any]) -> dict[str, Any]:
    topic = f"{row['topic']}[{row['partition']}]"
    other = "" if row["topic_id"] == row["new_topic_id"] else " of a new topic"
    on = "nowhere" if row["new_offset"] is None else f"{row['new_offset']}{other}"
    return {
        "id": row["id"],
        "at": f"{row['at'].astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "who": row["who"],
        "action": row["action"],
        "partition": topic,
        "state": row["state"],
        "closed chapter": f"{row['first_offset']} to {row['next_offset']}",
        "events": row["events_total"],
        "goes on at": on,
        "reason": row["reason"],
    }
