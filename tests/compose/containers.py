"""One container of the stack, seen and treated from outside."""

import time
from dataclasses import dataclass
from typing import Any

from tests.compose import cli
from tests.pipeline import wait_for

HEALTHY_S = 90.0


@dataclass(frozen=True)
class Life:
    """One run of a container's main process: `started` is unique to it."""

    status: str  # running, exited, paused, …
    health: str  # healthy, unhealthy, starting; empty without a check
    exit_code: int
    started: str
    pid: int  # on the engine's machine

    @property
    def well(self) -> bool:
        """Whether it runs, and is healthy if anybody asks."""
        return self.status == "running" and self.health in {"healthy", ""}


@dataclass(frozen=True)
class Container:
    """Known by its name, which stays until it is made anew."""

    name: str

    def inspect(self) -> dict[str, Any]:
        """All that the engine knows of it."""
        [known] = cli.inspect(self.name)
        return known

    def life(self) -> Life:
        """How it is now."""
        state = self.inspect()["State"]
        health = state.get("Health", {}).get("Status", "")
        return Life(state["Status"], health, state["ExitCode"], state["StartedAt"], state["Pid"])

    def shell(self, script: str) -> tuple[int, str]:
        """Exit status and output of a shell's script in it, by its own user."""
        ended = cli.run(["docker", "exec", self.name, "sh", "-c", script])
        return ended.returncode, ended.stdout + ended.stderr

    def logs(self) -> str:
        """What it has printed."""
        ended = cli.run(["docker", "logs", self.name])
        return ended.stdout + ended.stderr

    def kill(self, with_image: str) -> None:
        """SIGKILL to its main process from the engine's machine, as the kernel would when memory is short.

        After `docker kill` the restart policy would think that somebody wanted it stopped. `with_image`: any that has
        a shell.
        """
        machine = ["--rm", "--pid", "host", "--network", "none", "--user", "0", "--entrypoint", "/bin/sh"]
        cli.docker("run", *machine, with_image, "-c", f"kill -9 {self.life().pid}")

    def stop(self, grace_s: int = 30) -> tuple[int, float]:
        """`docker stop`: its exit status, and after how many seconds."""
        began = time.monotonic()
        cli.docker("stop", "-t", str(grace_s), self.name)
        return self.life().exit_code, time.monotonic() - began

    def well_again(self, after: Life) -> float:
        """Waits until it runs again since then, healthy; the monotonic time of that."""

        def again() -> bool:
            now = self.life()
            return now.well and now.started != after.started

        wait_for(again, f"{self.name} runs again and is healthy", HEALTHY_S)
        return time.monotonic()
