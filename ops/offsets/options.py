"""What the commands of plumbline offsets have in common: which partitions are meant, and why."""

from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

from ops import broker, store
from ops.offsets import store as decisions
from ops.offsets.standing import Standing, standings
from shared.errors import PlumblineError
from shared.settings import TopicSettings, load

Topic = Annotated[str | None, typer.Option(metavar="TOPIC", help="If it isn't TOPIC_READINGS.")]
Partitions = Annotated[
    list[int] | None, typer.Option("--partition", metavar="N", min=0, help="Which partition; repeatable.")
]
All = Annotated[bool, typer.Option("--all", help="Every partition of the topic that needs a decision.")]


def require_reason(reason: str) -> None:
    """Refuses to decide without saying why."""
    if not reason.strip():
        raise typer.BadParameter("say why, for the log", param_hint="--reason")


class Choice:
    """Which partitions the operator means."""

    def __init__(self, topic: str | None, partitions: Sequence[int], *, everyone: bool) -> None:
        if bool(partitions) == everyone:
            raise typer.BadParameter("name partitions with --partition, or all that need a decision with --all")
        self.topic = topic or load(TopicSettings).topic_readings
        self._partitions, self._everyone = set(partitions), everyone

    def among(self, found: Sequence[Standing]) -> list[Standing]:
        """Those of them that are meant.

        Raises:
            PlumblineError: there is no such partition, or none needs a decision.
        """
        of_topic = {each.partition: each for each in found if each.topic == self.topic}
        if unknown := sorted(self._partitions - of_topic.keys()):
            raise PlumblineError(f"there is no {self.topic}{unknown} → plumbline offsets shows what there is")
        chosen = [each for n, each in of_topic.items() if n in self._partitions or self._everyone]
        if self._everyone and not (chosen := [each for each in chosen if each.needs_decision]):
            raise PlumblineError(f"no partition of {self.topic} needs a decision → to move one, name it: --partition")
        return chosen


def look(values: Mapping[str, str]) -> list[Standing]:
    """Every partition, now."""
    with store.snapshot(values) as connection:
        rows = decisions.standings(connection)
    with broker.connect(values) as kafka:
        held = kafka.held({row["topic"] for row in rows} | {kafka.topic})
    return standings(rows, held)
