"""plumbline offsets retire: a partition that Kafka has no more is closed for good, once all that it left is told."""

import time
from collections.abc import Sequence
from typing import Annotated

import typer

from deploy.local import environment, home
from ops import store
from ops.console import DryRun, Json, Why, Yes, print_json, tell
from ops.offsets import options
from ops.offsets import store as decisions
from ops.offsets.standing import Standing, heir, require_gone
from ops.operators import who
from ops.store import Connection
from shared.errors import PlumblineError

PATIENCE_S = 15.0  # a service looks every second for what there is to publish
_LOOK_EVERY_S = 0.2


def retire(
    reason: Why,
    partition: Annotated[
        list[int], typer.Option("--partition", metavar="N", min=0, help="Which partition; repeatable.")
    ],
    topic: options.Topic = None,
    leave: Annotated[
        bool, typer.Option("--leave-unpublished", help="Even if acks or dead letters of it aren't published.")
    ] = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Close a partition that Kafka has no more, for good: a topic was made again with fewer, or was given up.

    Its counters are kept, and plumbline reconcile goes on adding them up. Acks and dead letters that it left are
    handed over to a service that runs, which publishes them first.
    """
    options.require_reason(reason)
    values = environment.require(home.default())
    found = options.look(values)
    chosen = options.Choice(topic, partition, everyone=False).among(found)
    for each in chosen:
        require_gone(each)
        if not as_json:
            print(f"{each.name}: its chapter closes at {each.offset}, and none follows")
    if not dry_run and not yes:
        typer.confirm(f"retire {len(chosen)} partition(s)? (--yes doesn't ask)", abort=True, err=as_json)
    with store.writing(values) as connection:
        if not dry_run and not leave:
            _have_it_told(connection, chosen, heir(found))
        left = [decisions.untold(connection, each) for each in chosen]
        made = [None if dry_run else decisions.retire(connection, each, who(), reason) for each in chosen]
    rows = [
        {"topic": each.topic, "partition": each.partition, "action": "retire", "decision": number}
        | {"unpublished_acks": acks, "unpublished_dead_letters": letters}
        for each, number, (acks, letters) in zip(chosen, made, left, strict=True)
    ]
    if as_json:
        print_json(rows)
        return
    for each, (acks, letters) in zip(chosen, left, strict=True):
        if acks or letters:
            print(f"{each.name}: {_words(acks, letters)} not published")
    if not dry_run:
        tell(f"done, as decision {', '.join(map(str, made))} (plumbline offsets log)")


def _have_it_told(connection: Connection, chosen: Sequence[Standing], to: str | None) -> None:
    """Returns once all that these left is published.

    Raises:
        PlumblineError: nobody publishes it.
    """
    for each in chosen:
        if any(decisions.untold(connection, each)) and to is not None:
            decisions.hand_over(connection, each, to)
    deadline = time.monotonic() + PATIENCE_S
    for each in chosen:
        while any(left := decisions.untold(connection, each)):
            if time.monotonic() > deadline:
                raise PlumblineError(
                    f"{each.name}: {_words(*left)} not published, and no service does it → start ingestion and run "
                    "this again, or --leave-unpublished"
                )
            time.sleep(_LOOK_EVERY_S)


def _words(acks: int, letters: int) -> str:
    return f"{acks:,} success acks and {letters:,} dead letters (or their error acks) are"
