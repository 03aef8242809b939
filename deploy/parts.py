"""The parts of a stack and what is amiss with them, beside this process or in containers."""

from dataclasses import replace
from pathlib import Path

from deploy.docker import doctor as containers_doctor
from deploy.docker import status as containers
from deploy.local import doctor, environment, status
from deploy.local.doctor import Finding
from deploy.local.status import Part
from shared import deployment


def parts(home: Path) -> list[Part]:
    """Every part, asked whether it answers, in the order of its start."""
    if deployment.composed():
        return containers.parts(environment.require(home))
    return status.parts(home)


def findings(home: Path) -> list[Finding]:
    """What was looked at, each with the command that mends it."""
    if not deployment.composed():
        return doctor.examine(home)
    found = containers_doctor.examine(home, environment.require(home))
    return [replace(each, detail=deployment.typed(each.detail), mend=deployment.typed(each.mend)) for each in found]
