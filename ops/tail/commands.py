"""The command plumbline tail."""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Annotated

import typer

from deploy.local import environment, home
from ops.console import Json, json_text
from ops.dlq.letters import device as device_of
from ops.tail import lines
from ops.tail.budget import Budget
from ops.tail.lines import Line
from ops.tail.reader import Reader, reading
from ops.trace.way import Record
from shared.events import Decoder
from shared.settings import EventSettings, TopicSettings, load

TERMINAL_RATE = 20
HELD_S = 10.0
NOTE_S = 1.0
LAST_MOST = 100_000

Lines = Callable[[Sequence[Record]], list[Line]]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: plumbline tail --device 'boiler-*' --last 5")(tail)


def tail(
    device: Annotated[
        str | None, typer.Option(metavar="ID", help="Of this device only; * stands for any characters.")
    ] = None,
    topic: Annotated[str | None, typer.Option(metavar="TOPIC", help="If it isn't TOPIC_READINGS.")] = None,
    dead_letters: Annotated[bool, typer.Option("--dead-letters", help="What can't be taken, and why.")] = False,
    from_beginning: Annotated[bool, typer.Option("--from-beginning", help="All that Kafka has, then on.")] = False,
    last: Annotated[
        int | None, typer.Option(metavar="N", min=1, max=LAST_MOST, help="First the last N that there are.")
    ] = None,
    count: Annotated[int | None, typer.Option(metavar="N", min=1, help="End after N lines.")] = None,
    seconds: Annotated[float | None, typer.Option("--for", metavar="SECONDS", min=0, help="End after so long.")] = None,
    rate: Annotated[
        int | None, typer.Option(metavar="N", min=0, help="Lines a second at most, 0: all; 20 on a terminal, else all.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what flows right now, an event a line, until Ctrl-C: time, device, metrics, partition:offset, lag.

    The lag is from the event's own time to when Kafka got it. What can't be decoded is shown by its code. Nothing is
    committed and no group joined: services don't notice. `plumbline trace PARTITION:OFFSET` shows an event's way.
    With --json, a document a line. With --last and --device, N records of each partition are looked through.
    """
    values, settings = environment.require(home.default()), load(TopicSettings)
    chosen = topic or (settings.topic_dead_letters if dead_letters else settings.topic_readings)
    budget = Budget(TERMINAL_RATE if rate is None and sys.stdout.isatty() else rate or 0, time.monotonic())
    run = _Tail(_lines(chosen, settings), lines.matcher(device), budget, count, as_json)
    with reading(values, chosen) as reader:
        try:
            run.follow(reader, None if from_beginning else last or 0, last, seconds)
        except KeyboardInterrupt:
            pass
        finally:
            run.note()


def _lines(topic: str, settings: TopicSettings) -> Lines:
    """How the records of a topic are read."""
    if topic == settings.topic_dead_letters:
        return lines.dead_letters
    if topic.startswith(f"{settings.topic_acks_prefix}."):
        return lines.texts
    decoder = Decoder(load(EventSettings).limits())
    return lambda records: lines.events(records, decoder, time.time_ns() // 1_000)


class _Tail:
    """Shows what is wanted and may be shown, and counts the rest."""

    def __init__(
        self, read: Lines, wanted: Callable[[str | None], bool], budget: Budget, count: int | None, as_json: bool
    ) -> None:
        self._read, self._wanted, self._budget = read, wanted, budget
        self._left, self._as_json = count, as_json
        self._note_at = time.monotonic() + NOTE_S

    def follow(self, reader: Reader, back: int | None, last: int | None, seconds: float | None) -> None:
        """Until the count or the time is over."""
        end = time.monotonic() + seconds if seconds is not None else float("inf")
        reader.begin(back)
        if last is not None:
            self._show(self._meant(reader.held(HELD_S))[-last:])
        while self._left != 0 and time.monotonic() < end:
            self._show(self._meant(reader.some()))
            if time.monotonic() >= self._note_at:
                self.note()

    def _meant(self, records: Sequence[Record]) -> list[Record]:
        return [each for each in records if self._wanted(device_of(each.key, each.value))]

    def _show(self, records: Sequence[Record]) -> None:
        if self._left is not None:
            records = records[: self._left]
        shown = records[: self._budget.take(len(records), time.monotonic())]
        for line in self._read(shown) if shown else ():
            print(json_text(asdict(line), indent=None) if self._as_json else lines.sentence(line))
        sys.stdout.flush()
        if self._left is not None:
            self._left -= len(shown)

    def note(self) -> None:
        """Says how many were left out since the last time."""
        self._note_at = time.monotonic() + NOTE_S
        if left_out := self._budget.told():
            sys.stderr.write(f"… {left_out:,} more were left out (--device chooses, --rate 0 shows all)\n")
