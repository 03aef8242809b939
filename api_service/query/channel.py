"""A question that some listen to: asked again and again, once for all of them, and each told what has changed."""

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import replace

import msgspec

from api_service.auth.claims import Principal
from api_service.endless import event
from api_service.problems import FieldError, invalid
from api_service.query import negotiation, question
from api_service.query.answer import Answer, head
from api_service.query.asking import Statistics
from api_service.query.changes import Changes, Heard
from api_service.query.listener import Listener
from api_service.query.question import Question
from api_service.query.times import SECOND, Time
from shared.statistics.buckets import Bucket

MOST_ROWS = 5_000
# How far back a first event may go for one who has heard of an earlier time.
_MOST_MISSED = 1_000


class Channel:
    """One question, as whole buckets (`bucket` is its own), under what one token may see."""

    def __init__(self, asked: Question, bucket: Bucket, who: Principal, statistics: Statistics) -> None:
        self._asked, self._bucket, self._who, self._statistics = asked, bucket, who, statistics
        self._name = secrets.token_hex(4)
        self._changes = Changes()
        self._answer: Answer | None = None
        self._turn = asyncio.Lock()
        self.listeners: set[Listener] = set()
        self.users = 0  # who listens, or is about to

    @property
    def size(self) -> int:
        """Rows that it keeps, to compare."""
        return len(self._changes)

    async def begin(self, listener: Listener, known: Heard | None, now: int) -> None:
        """Lets it listen; its first event has what it doesn't know. `now` in µs.

        Raises:
            Problem: the question can't be answered, or has too many rows.
            psycopg.Error: the database ended it.
        """
        async with self._turn:
            if known is not None and known.asker == self._name and self._answer is not None:
                listener.offer(self._event(self._answer, self._changes.since(known.number), complete=False))
            elif known is not None:
                missed = await self._ask(self._reach(known.as_of, now), now)
                listener.offer(self._event(missed, missed.rows, complete=True))
            else:
                answer = self._answer or await self._look(now)
                listener.offer(self._event(answer, answer.rows, complete=True))
            self.listeners.add(listener)

    async def look(self, now: int) -> None:
        """Asks again and tells those who listen what has changed. Raises as `begin` does."""
        async with self._turn:
            await self._look(now)

    def tell(self, told: bytes) -> None:
        """Something that isn't rows, to all."""
        for listener in self.listeners:
            listener.offer(told)

    def pulse(self) -> bytes:
        """An event without rows: as of when what was sent before still holds. Empty before the first look."""
        return b"" if self._answer is None else self._event(self._answer, (), complete=False)

    async def _look(self, now: int) -> Answer:
        answer = await self._ask(self._start(now), now)
        changed = self._changes.take(answer.rows)
        self._answer = answer
        if changed and self.listeners:
            self.tell(self._event(answer, changed, complete=False))
        return answer

    async def _ask(self, start: int, now: int) -> Answer:
        """Of whole buckets, from the one that `start` is in."""
        asked = self._asked
        first = int(question.resolve(replace(asked, start=Time(start, relative=False)), now, MOST_ROWS).edges[0])
        asked = replace(asked, start=Time(first, relative=False))
        answer = await self._statistics.first(asked, self._who, negotiation.JSON)
        if answer.next_cursor is not None:
            detail = (
                f"a stream has {MOST_ROWS} rows at most: take fewer devices or metrics, a later from or a wider bucket"
            )
            raise invalid(FieldError("query", detail))
        return answer

    def _start(self, now: int) -> int:
        """The bucket before the current one is always there: what comes just in time for it is told."""
        current = now - self._bucket.seconds * SECOND
        return current if self._asked.start is None else min(current, self._asked.start.at(now))

    def _reach(self, as_of: int, now: int) -> int:
        """Where a first event begins for one who knows all until `as_of`."""
        own = self._start(now)
        return min(own, max(as_of, now - _MOST_MISSED * self._bucket.seconds * SECOND))

    def _event(self, answer: Answer, rows: Sequence[bytes], *, complete: bool) -> bytes:
        data = {**head(answer), "complete": complete, "rows": msgspec.Raw(b"[" + b",".join(rows) + b"]")}
        heard = Heard(self._name, self._changes.number, answer.as_of)
        return event("stats", msgspec.json.encode(data), str(heard))
