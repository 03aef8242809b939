"""What the commands of plumbline dlq have in common: which dead letters are meant, and how they are mended."""

import unicodedata
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import typer

from ops.dlq.letters import Fix
from ops.dlq.store import Filter
from ops.moments import duration, moment
from shared.events.codes import Refused
from shared.events.strict import normalise_device


class States(StrEnum):
    OPEN = "open"
    REPLAYED = "replayed"
    DISCARDED = "discarded"
    UNPUBLISHED = "unpublished"


_TIME = "RFC 3339, epoch seconds, or a time ago: -2h."
Code = Annotated[list[str] | None, typer.Option(metavar="CODE", help="malformed, bad_metric, …; repeatable.")]
OfDevice = Annotated[
    str | None, typer.Option("--device", metavar="ID", help="By the record's key, else as its bytes say.")
]
Since = Annotated[str | None, typer.Option(metavar="TIME", help=f"Buried at or after: {_TIME}")]
Until = Annotated[str | None, typer.Option(metavar="TIME", help=f"Buried before: {_TIME}")]
Topic = Annotated[str | None, typer.Option(metavar="TOPIC", help="Where it was read.")]
Partition = Annotated[int | None, typer.Option(metavar="N", min=0, help="Where it was read.")]
Offset = Annotated[int | None, typer.Option(metavar="N", min=0, help="Where it was read.")]
State = Annotated[States | None, typer.Option("--state", help="unpublished: not on its topic yet.")]
Everything = Annotated[bool, typer.Option("--all", help="All, where nothing narrows it down.")]
Again = Annotated[bool, typer.Option("--again", help="Also what was replayed or discarded already.")]


def wanted(given: tuple[Any, ...], now: datetime) -> Filter:
    """The filter of (code, device, since, until, topic, partition, offset, state), as they were typed.

    Raises:
        PlumblineError: a time can't be read.
    """
    code, device, since, until, topic, partition, offset, state = given
    return Filter(
        codes=code or (),
        device=None if device is None else unicodedata.normalize("NFC", device),
        since=None if since is None else moment(since, now),
        until=None if until is None else moment(until, now),
        topic=topic,
        partition=partition,
        offset=offset,
        state=None if state is None else States(state).value,
    )


def require_choice(chosen: Filter, everything: bool) -> None:
    """Refuses to act on all dead letters by oversight."""
    condition = Filter(state=chosen.state)
    if (chosen == condition) != everything:
        raise typer.BadParameter("narrow it down (--code, --device, --since, …), or take all of them with --all")


def fix(shift: str | None, device: str | None) -> Fix:
    """What to mend.

    Raises:
        PlumblineError: the duration can't be read.
    """
    try:
        return Fix(None if shift is None else duration(shift), None if device is None else normalise_device(device))
    except Refused as refused:
        raise typer.BadParameter(str(refused), param_hint="--set-device") from None
