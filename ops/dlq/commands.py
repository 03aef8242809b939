"""The commands of plumbline dlq."""

import base64
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Annotated, Any

import typer

from deploy.local import environment, home
from ops import store
from ops.console import DryRun, Json, Why, Yes, print_json, print_rows, progress
from ops.dlq import options
from ops.dlq import store as letters
from ops.dlq.letters import printable, readable, state
from ops.dlq.options import Again, Code, Everything, OfDevice, Offset, Partition, Since, State, Topic, Until
from ops.dlq.replay import AT_ONCE, Replayer
from ops.dlq.store import Filter, Mark
from ops.moments import rfc3339
from ops.operators import who
from shared import kafka
from shared.errors import PlumblineError
from shared.settings import KafkaSettings, load
from shared.topics import DEAD_LETTER_BYTES

SHOWN_CHARACTERS = 1_000

dlq = typer.Typer(no_args_is_help=True, help="Look at dead letters, send them again, or give them up.")


def register(app: typer.Typer) -> None:
    """Add the group."""
    app.add_typer(dlq, name="dlq")


@dlq.command("list", epilog="Example: plumbline dlq list --code bad_timestamp --since -2h --state open")
def show_list(
    code: Code = None,
    device: OfDevice = None,
    since: Since = None,
    until: Until = None,
    topic: Topic = None,
    partition: Partition = None,
    offset: Offset = None,
    state_: State = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many at most, newest first.")] = 50,
    page: Annotated[int, typer.Option(min=1, help="Which page of so many.")] = 1,
    as_json: Json = False,
) -> None:
    """List dead letters, newest first.

    Times, states and positions are looked up. --device looks at the key of each that is left, and into the bytes
    of those without a key: on a large table give --since too.
    """
    wanted = options.wanted((code, device, since, until, topic, partition, offset, state_), datetime.now(UTC))
    with store.snapshot(environment.require(home.default())) as connection:
        rows = letters.scan(connection, wanted, whole=False, newest_first=True)
        shown = list(islice(rows, (page - 1) * limit, page * limit + 1))
    print_rows([_listed(row, as_json) for row in shown[:limit]], as_json)
    if len(shown) > limit and not as_json:
        print(f"there are more → --page {page + 1}, or --limit")


@dlq.command("show", epilog="Example: plumbline dlq show telemetry.readings 3 1042 --full")
def show_one(
    topic: str,
    partition: int,
    offset: int,
    topic_id: Annotated[str | None, typer.Option(metavar="ID", help="Of a topic that was made again.")] = None,
    digest: Annotated[
        str | None, typer.Option(metavar="HEX", help="Of its bytes, or how that begins: if Kafka lost records.")
    ] = None,
    full: Annotated[bool, typer.Option("--full", help=f"All of it, not the first {SHOWN_CHARACTERS}.")] = False,
    as_json: Json = False,
) -> None:
    """Show one dead letter with its key, headers, original bytes, and what was decided about it."""
    wanted = Filter(topic=topic, partition=partition, offset=offset, topic_id=topic_id, digest=digest)
    with store.snapshot(environment.require(home.default())) as connection:
        found = list(letters.scan(connection, wanted, whole=True, newest_first=True))
        if not found:
            raise PlumblineError(f"no dead letter of {topic}[{partition}] at offset {offset} → plumbline dlq list")
        shown = _shown(found[0]) | {"decisions": letters.decisions(connection, found[0])}
    if as_json:
        print_json(shown)
        return
    for name, value in {**shown, "decisions": "\n              ".join(map(_decision, shown["decisions"]))}.items():
        text = printable(rfc3339(value) if isinstance(value, datetime) else "" if value is None else str(value))
        cut = len(text) > SHOWN_CHARACTERS and not full
        print(f"{name:13} " + (f"{text[:SHOWN_CHARACTERS]}… ({len(text):,} characters: --full)" if cut else text))
    for other in found[1:]:
        print(_another(other, found[0]))


@dlq.command(epilog="Example: plumbline dlq replay --code timestamp_in_future --since -1d --set-timestamp-shift -1h")
def replay(
    code: Code = None,
    device: OfDevice = None,
    since: Since = None,
    until: Until = None,
    topic: Topic = None,
    partition: Partition = None,
    offset: Offset = None,
    everything: Everything = False,
    again: Again = False,
    shift: Annotated[
        str | None, typer.Option("--set-timestamp-shift", metavar="±DURATION", help="Move the time: -1h, +90s.")
    ] = None,
    to_device: Annotated[str | None, typer.Option("--set-device", metavar="ID", help="Of another device.")] = None,
    max_attempts: Annotated[int, typer.Option(min=1, max=1_000, help="Refuse what had so many.")] = 5,
    reason: Why = "",
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Publish dead letters again to the topic that they came from, and mark those that Kafka has.

    Bytes, key and headers are the original ones, with headers plumbline.replay.of and .attempt. Ones that were
    replayed or discarded are left out, unless --again. May be stopped and run again: a second copy of a replay is
    known as a duplicate. What is refused again is a further dead letter: --until leaves those out. Exit status 1 if
    one couldn't be replayed.
    """
    values = environment.require(home.default())
    state_ = None if again else "open"
    wanted = options.wanted((code, device, since, until, topic, partition, offset, state_), datetime.now(UTC))
    options.require_choice(wanted, everything)
    fix = options.fix(shift, to_device)
    say = progress(as_json)
    with store.writing(values) as writing, store.snapshot(values) as connection:
        letters.lock(writing)
        decision = Mark("replay", who(), reason, str(fix))
        replayer = Replayer(writing, _producer(values), decision, fix, max_attempts)
        chosen = letters.scan(connection, wanted, whole=True)
        if dry_run:
            would = 0
            while some := list(islice(chosen, AT_ONCE)):
                would += len(replayer.prepared(some))
        else:
            would = replayer.run(chosen, say).replayed
    _report("would replay" if dry_run else "replayed", would, replayer.outcome.refused, as_json)


@dlq.command(epilog='Example: plumbline dlq discard --code malformed --until -30d --reason "noise of a test bench"')
def discard(
    reason: Why,
    code: Code = None,
    device: OfDevice = None,
    since: Since = None,
    until: Until = None,
    topic: Topic = None,
    partition: Partition = None,
    offset: Offset = None,
    everything: Everything = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Mark open dead letters as given up. Nothing is deleted."""
    values = environment.require(home.default())
    wanted = options.wanted((code, device, since, until, topic, partition, offset, "open"), datetime.now(UTC))
    options.require_choice(wanted, everything)
    if not reason.strip():
        raise typer.BadParameter("say why, for the log", param_hint="--reason")
    with store.writing(values) as writing, store.snapshot(values) as connection:
        letters.lock(writing)
        chosen = [
            {name: row[name] for name in letters.IDENTITY} for row in letters.scan(connection, wanted, whole=False)
        ]
        if not dry_run and chosen:
            if not yes:
                typer.confirm(f"discard {len(chosen):,} dead letters? (--yes doesn't ask)", abort=True, err=as_json)
            letters.mark(writing, chosen, Mark("discard", who(), reason))
    _report("would discard" if dry_run else "discarded", len(chosen), Counter(), as_json)


def _producer(values: Mapping[str, str]) -> Any:
    own = {"kafka_bootstrap_servers": values["KAFKA_BOOTSTRAP_SERVERS"], "kafka_security_protocol": "PLAINTEXT"}
    settings = load(KafkaSettings).model_copy(update=own)
    return kafka.producer(settings, linger_ms=5, message_max_bytes=DEAD_LETTER_BYTES)


def _report(done: str, number: int, refused: Counter[str], as_json: bool) -> None:
    if as_json:
        print_json({done.replace(" ", "_"): number, "refused": dict(refused)})
    else:
        print(f"{done} {number:,} dead letters" if number or refused else "no dead letter matches")
        for reason, count in refused.most_common():
            print(f"refused {count:,}: {reason}")
    if refused:
        raise typer.Exit(1)


def _another(other: Mapping[str, Any], shown: Mapping[str, Any]) -> str:
    if other["topic_id"] != shown["topic_id"]:
        return f"there is another of this position, of the topic's former self → --topic-id {other['topic_id']}"
    return f"there is another of this position, of a record that Kafka lost → --digest {other['digest'].hex()[:16]}"


def _listed(row: Mapping[str, Any], as_json: bool) -> dict[str, Any]:
    device = None if row["device"] is None else row["device"] if as_json else printable(row["device"])[:40]
    shown = {name: row[name] for name in ("topic", "partition", "offset", "code")}
    shown |= {
        "device": device,
        "at": f"{row['at'].astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "state": state(row),
        "bytes": row["bytes"],
    }
    if as_json:
        shown |= {name: row[name] for name in ("at", "topic_id", "published_at", "replayed_at", "discarded_at")}
        shown |= {"digest": row["digest"].hex()}
    return shown | {"detail": row["detail"]}


def _decision(row: Mapping[str, Any]) -> str:
    attempt = "" if row["attempt"] is None else f" (attempt {row['attempt']}{', ' + row['fix'] if row['fix'] else ''})"
    return f"{rfc3339(row['at'])} {row['who']}: {row['action']}{attempt} {row['reason']}".rstrip()


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    names = ("topic", "topic_id", "partition", "offset", "code", "detail", "at")
    shown = {name: row[name] for name in names} | {"state": state(row), "digest": row["digest"].hex()}
    shown |= {name: row[name] for name in ("published_at", "replayed_at", "discarded_at", "device", "bytes")}
    headers = [[name, None if text is None else readable(base64.b64decode(text))] for name, text in row["headers"]]
    return shown | {"key": readable(row["key"]), "headers": headers, "value": readable(row["value"])}
