"""Threads that share work, each with a connection of its own."""

import contextvars
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TypeVar

import psycopg

from aggregation_service.store import Store

Task = TypeVar("Task")

_ATTEMPTS = 5
_ALIVE_S = 5.0


class Team:
    """As many workers as there are stores: numpy and libpq let go of the interpreter, where the time goes.

    `holder` is the connection that has the turn. It is idle meanwhile, and shows from time to time that we live.
    """

    def __init__(self, holder: Store, stores: Sequence[Store]) -> None:
        self._holder = holder
        self._stores = stores

    @property
    def size(self) -> int:
        """How many workers there are."""
        return len(self._stores)

    def work(
        self, tasks: Iterator[Task], do: Callable[[Store, Task], None], stop: threading.Event, seconds: float
    ) -> bool:
        """Does tasks, whoever is free the next one, until none is left: True. False: time is up, or `stop` is set.

        Tasks that were begun are finished; those that remain are still in `tasks`.

        Raises:
            Exception: the first that a worker met; the others have finished their tasks.
        """
        done, failed = threading.Event(), threading.Event()
        deadline = time.monotonic() + seconds
        order = threading.Lock()

        def loop(store: Store) -> None:
            try:
                while not (done.is_set() or failed.is_set() or stop.is_set()):
                    with order:
                        task = next(tasks, None)
                    if task is None:
                        done.set()
                        return
                    _do(do, store, task)
                    if time.monotonic() >= deadline:
                        return
            except BaseException:
                failed.set()
                raise

        with ThreadPoolExecutor(len(self._stores), "worker") as pool:
            try:
                self._wait([pool.submit(contextvars.copy_context().run, loop, store) for store in self._stores])
            except BaseException:
                failed.set()
                raise
        return done.is_set()

    def _wait(self, outcomes: Sequence[Future[None]]) -> None:
        while wait(outcomes, _ALIVE_S).not_done:
            self._holder.show_life()
        for outcome in outcomes:
            outcome.result()

    def cancel(self) -> None:
        """Ends the statements that run, from another thread."""
        for store in (*self._stores, self._holder):
            store.cancel()

    def close(self) -> None:
        """Closes the connections; gives up the turn."""
        for store in (*self._stores, self._holder):
            store.close()


def _do(do: Callable[[Store, Task], None], store: Store, task: Task) -> None:
    """A transaction that another process was in the way of (a backfill) is tried again."""
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            do(store, task)
        except (psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected):
            if attempt == _ATTEMPTS:
                raise
        else:
            return
