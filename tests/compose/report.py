"""What a run of tests/compose measured: printed at its end, as JSON lines, or as a document."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True)
class Figure:
    """One measured number."""

    what: str
    value: float
    unit: str


@dataclass(frozen=True)
class Blow:
    """A fault's outcome: a row of the kill table.

    `accepted`, `lost` and `doubled` in events; `healthy_s` and `flows_s` from the blow, or from its end when it lasts:
    until the container is healthy, and until an event that was accepted since then is where it belongs. `answers`:
    how the API answered a client meanwhile.
    """

    container: str
    how: str
    sender: str
    accepted: int
    lost: int
    doubled: int
    healthy_s: float
    flows_s: float
    answers: dict[str, int]
    slowest_s: float
    problems: tuple[str, ...] = ()

    def survived(self) -> None:
        """Fails the test unless all is well."""
        assert self.accepted > 0, "nothing was sent: this tests nothing"
        assert (self.lost, self.doubled, self.problems) == (0, 0, ())


@dataclass
class Report:
    """Of one run."""

    versions: str = ""
    figures: list[Figure] = field(default_factory=list)
    blows: list[Blow] = field(default_factory=list)

    def figure(self, what: str, value: float, unit: str) -> None:
        """Takes a number."""
        self.figures.append(Figure(what, round(value, 1), unit))

    def tables(self) -> dict[str, list[tuple[str, ...]]]:
        """By title: a header and rows of text each. Without those that have nothing to say."""
        figures: list[tuple[str, ...]] = [("", "measured")]
        figures += ((each.what, f"{each.value:,g} {each.unit}") for each in self.figures)
        blows = [_BLOW, *map(_blow, self.blows)]
        clients = [_CLIENT, *map(_client, self.blows)]
        titles: dict[str, list[tuple[str, ...]]] = {
            "figures": figures,
            "killed, restarted, paused": blows,
            "what a client of the API saw": clients,
        }
        return {title: table for title, table in titles.items() if len(table) > 1}

    def lines(self) -> Iterable[str]:
        """As JSON."""
        yield json.dumps({"versions": self.versions})
        yield from (json.dumps(asdict(figure)) for figure in self.figures)
        yield from (json.dumps(asdict(blow)) for blow in self.blows)


_BLOW = ("container", "how", "sender", "accepted", "lost", "doubled", "healthy again s", "flows again s")
_CLIENT = ("container", "how", "202", "503", "refused", "other", "slowest s")
_NAMED = ("202", "503", "refused")


def _blow(blow: Blow) -> tuple[str, ...]:
    counts = (f"{count:,}" for count in (blow.accepted, blow.lost, blow.doubled))
    return (blow.container, blow.how, blow.sender, *counts, f"{blow.healthy_s:.1f}", f"{blow.flows_s:.1f}")


def _client(blow: Blow) -> tuple[str, ...]:
    other = ", ".join(f"{count} × {answer}" for answer, count in sorted(blow.answers.items()) if answer not in _NAMED)
    named = (str(blow.answers.get(answer, 0)) for answer in _NAMED)
    return (blow.container, blow.how, *named, other or "0", f"{blow.slowest_s:.1f}")


def aligned(table: Sequence[tuple[str, ...]]) -> list[str]:
    """Lines for a terminal."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]


def document(report: Report, day: str) -> str:
    """As Markdown."""
    parts = [_HEAD.format(day=day, versions=report.versions)]
    for title, table in report.tables().items():
        head, *rows = ("| " + " | ".join(row) + " |" for row in table)
        parts.append("\n".join((f"## {title[0].upper()}{title[1:]}", "", head, "|---" * len(table[0]) + "|", *rows)))
    return "\n\n".join(parts) + "\n"


_HEAD = """# Containers: the last run of `make test-compose`

Written by `make test-compose DOC=docs/containers-run.md` on {day} ({versions}), on a machine of two cores
that all containers, the sender and the tests share.

A container is killed by SIGKILL to its main process from outside, and comes back by its restart policy; or it is
restarted, stopped and started with `up`, or paused for 20 s, as an operator does. Meanwhile a simulator sends, which
keeps account of what was confirmed to it, and a client posts an event every 50 ms. *Lost*: accepted
events that aren't stored, or aren't in statistics. *Doubled*: more rows than events. Seconds are from the blow, after
a pause from its end: until the container is healthy (the engine looks every 2 to 5 s), and until an event that was
accepted since then is stored (for `aggregation`: until a late event is in a closed bucket's statistics). *Refused*: a
connection refused or reset; such a client sends again. After each blow `ops reconcile` and `ops verify` end with 0."""
