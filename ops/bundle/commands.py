"""The command plumbline support-bundle."""

import io
import os
import secrets as random
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from deploy.local import environment, home
from ops import store
from ops.bundle import secrets
from ops.bundle import store as database
from ops.bundle.redaction import Redactor
from ops.bundle.sources import read, sources
from ops.console import Json, json_text, print_json, progress
from shared import deployment
from shared.errors import PlumblineError

DEVICES_MOST = 500_000
STDOUT = Path("-")
LOGS = "logs/"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("support-bundle", epilog="Example: plumbline support-bundle --output /tmp/help.tar.gz")(support_bundle)


def support_bundle(
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where to; default: plumbline-support-TIME.tar.gz here. -: standard output."),
    ] = None,
    with_device_ids: Annotated[
        bool, typer.Option("--with-device-ids", help="Leave device ids in logs as they are; else pseudonyms.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Pack what others need to help: status, findings, versions, settings, metrics, logs, offsets, sizes, rules.

    Secrets are masked: those that are known to the stack wherever they stand, and what looks like a token, a key or
    a password. Device ids in logs become pseudonyms; what devices sent isn't in it. manifest.json says what is inside,
    what is missing and why, and how much was taken out. Look into it before you send it: addresses, paths and names
    of roles and topics are as they are.
    """
    now = datetime.now(UTC)
    name = f"plumbline-support-{now:%Y%m%dT%H%M%SZ}"
    file = _chosen(output, name, as_json)
    say = progress(as_json or file == STDOUT)
    where = home.default()
    redactor = Redactor(secrets.known(where), () if with_device_ids else _devices(where), random.token_bytes(32))
    with _archive(file) as archive:
        manifest = _fill(archive, name, where, redactor, with_device_ids=with_device_ids)
        _add(archive, f"{name}/manifest.json", json_text(manifest), now)
    if as_json:
        print_json({"file": str(file), **manifest})
        return
    size = "" if file == STDOUT else f", {file.stat().st_size / 1024:,.0f} KiB"
    say(f"{file}: {len(manifest['files'])} files{size}")
    for path, why in manifest["missing"].items():
        say(f"  not in it: {path}: {why if path == LOGS else why.partition(' → ')[0]}")
    taken = ", ".join(f"{count:,} {what}" for what, count in manifest["redacted"].items()) or "nothing had to be"
    say(f"taken out: {taken}. Look into it before you send it.")


def _chosen(output: Path | None, name: str, as_json: bool) -> Path:
    """Where to. A container's own files go with it, so there it must be said."""
    if output is None and deployment.composed():
        raise PlumblineError(
            "a file in this container would be gone with it "
            "→ docker compose run --rm -T ops support-bundle --output - > plumbline-support.tar.gz"
        )
    if output == STDOUT and (as_json or sys.stdout.isatty()):
        raise typer.BadParameter("standard output is for a file or a pipe, without --json", param_hint="--output")
    return output if output == STDOUT else (output or Path(f"{name}.tar.gz")).expanduser()


def _fill(archive: tarfile.TarFile, name: str, where: Path, redactor: Redactor, *, with_device_ids: bool) -> Any:
    """Put every file in; returns the manifest."""
    now = datetime.now(UTC)
    files, missing = {}, {}
    for source in sources(where):
        text, wrong = read(source, redactor)
        if text is None:
            missing[source.path] = wrong
        else:
            files[source.path] = len(text.encode())
            _add(archive, f"{name}/{source.path}", text, now)
    if deployment.composed():
        missing[LOGS] = "the engine has them, unmasked → docker compose logs --no-color --timestamps > logs.txt"
    return {
        "made_at": now,
        "files": files,
        "missing": missing,
        "redacted": {what: count for what, count in redactor.counts.items() if count},
        "device_ids": "as they are" if with_device_ids else "pseudonyms, the same ones within this bundle only",
        "never_collected": ["events", "dead letters' bytes", "private keys", "clients' secrets and their hashes"],
    }


def _devices(where: Path) -> list[str]:
    """The ids to hide; without a database none are known."""
    try:
        with store.snapshot(environment.require(where)) as connection:
            return database.devices(connection, DEVICES_MOST)
    except PlumblineError:
        return []


@contextmanager
def _archive(file: Path) -> Iterator[tarfile.TarFile]:
    """A new archive that its owner alone can read, none is left if it fails; or one on standard output."""
    if file == STDOUT:
        with tarfile.open(fileobj=sys.stdout.buffer, mode="w|gz") as archive:
            yield archive
        return
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise PlumblineError(f"{file} is there already → name another --output") from None
    try:
        with os.fdopen(descriptor, "wb") as target, tarfile.open(fileobj=target, mode="w:gz") as archive:
            yield archive
    except BaseException:
        file.unlink(missing_ok=True)
        raise


def _add(archive: tarfile.TarFile, path: str, text: str, at: datetime) -> None:
    content = text.encode()
    entry = tarfile.TarInfo(path)
    entry.size, entry.mtime, entry.mode = len(content), int(at.timestamp()), 0o600
    archive.addfile(entry, io.BytesIO(content))
