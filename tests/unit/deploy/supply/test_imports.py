"""Each service runs with what its own lock installs, and nothing else."""

import json
import subprocess
import sys
from importlib import metadata

import pytest
from packaging.utils import canonicalize_name

from deploy.supply import images, locks

# Imports every module of a package where the top-level modules that are told don't exist.
IMPORT_ALL = """
import importlib, json, pkgutil, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in absent:
            raise ModuleNotFoundError(f"{name} isn't in the lock")

package, absent = sys.argv[1], set(json.loads(sys.stdin.read()))
sys.meta_path.insert(0, Absent())
for module in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
importlib.import_module(f"{package}.__main__")
"""


@pytest.mark.parametrize("service", images.SERVICES)
def test_a_service_imports_only_what_its_lock_installs(service: str) -> None:
    locked = {each.name for each in locks.installed(service)} | {"plumbline"}
    providers = metadata.packages_distributions()
    absent = [top for top, names in providers.items() if not {canonicalize_name(name) for name in names} & locked]
    assert "pytest" in absent
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, images.package(service)],
        input=json.dumps(absent), capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
