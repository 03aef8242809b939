"""Threads that share work, each with a connection of its own."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from aggregation_service.store import Store

Task = TypeVar("Task")


class Team:
    """As many workers as there are stores: numpy and libpq let go of the interpreter, where the time goes."""

    def __init__(self, stores: Sequence[Store]) -> None:
        self._stores = stores

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
                    do(store, task)
                    if time.monotonic() >= deadline:
                        return
            except BaseException:
                failed.set()
                raise

        with ThreadPoolExecutor(len(self._stores), "worker") as pool:
            for outcome in [pool.submit(loop, store) for store in self._stores]:
                outcome.result()
        return done.is_set()

    def cancel(self) -> None:
        """Ends the statements that run, from another thread."""
        for store in self._stores:
            store.cancel()

    def close(self) -> None:
        """Closes the connections."""
        for store in self._stores:
            store.close()
