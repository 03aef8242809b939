"""One Dockerfile for either builder, and a context without anything else."""

import re
import subprocess
from fnmatch import fnmatch
from pathlib import PurePosixPath

from deploy.docker import secrets
from deploy.local.home import CHECKOUT
from tests.unit.deploy.docker.composed import OURS, SERVICES

TEXT = (CHECKOUT / "deploy" / "docker" / "Dockerfile").read_text()
IGNORED = (CHECKOUT / ".dockerignore").read_text().splitlines()


def instructions() -> list[tuple[str, str]]:
    """Each with its arguments, continued lines joined."""
    lines = [line for line in TEXT.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    whole = "\n".join(lines).replace("\\\n", " ").splitlines()
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in whole]


def sent(file: str) -> bool:
    """Whether the engine gets the file: the last pattern that matches it, or a folder above it, decides."""
    path = PurePosixPath(file)
    candidates = [str(path), *(str(parent) for parent in path.parents)][:-1]
    answer = True
    for line in IGNORED:
        pattern = line.strip()
        if pattern and not pattern.startswith("#"):
            wanted = pattern.removeprefix("!").removeprefix("**/")
            anywhere = "**/" in pattern
            if any(_matches(each, wanted, anywhere=anywhere) for each in candidates):
                answer = pattern.startswith("!")
    return answer


def _matches(path: str, pattern: str, *, anywhere: bool) -> bool:
    """A `*` ends at a slash, as the engine reads it."""
    if anywhere:
        return fnmatch(PurePosixPath(path).name, pattern)
    return path.count("/") == pattern.count("/") and fnmatch(path, pattern)


def listed(*arguments: str) -> list[str]:
    done = subprocess.run(["git", "ls-files", "-z", *arguments], cwd=CHECKOUT, capture_output=True, check=True)
    return [name for name in done.stdout.decode().split("\0") if name]


def test_each_folder_that_is_copied_has_something_in_a_fresh_clone() -> None:
    """The classic builder refuses to copy a folder of which nothing is sent."""
    folders = [
        arguments.split()[0] for name, arguments in instructions() if name == "COPY" and "--from" not in arguments
    ]
    assert "deploy/docker/certificates/" in folders
    for folder in folders:
        assert any(sent(name) for name in listed(folder)), folder


def test_patterns_are_read_as_the_engine_does() -> None:
    assert sent("shared/db.py")
    assert sent("deploy/local/kafka/pom.xml")
    assert sent("requirements/api.txt")
    assert not sent("README.md")
    assert not sent("deploy/docker/Dockerfile")
    assert not sent("requirements/deeper/api.txt")
    assert not sent("shared/__pycache__/db.cpython-313.pyc")
    assert not sent("shared/migrations/__pycache__/a.pyc")


def test_the_context_is_code_and_locked_requirements_only() -> None:
    inside = [file for file in listed() if sent(file)]
    assert len(inside) > 100
    for file in inside:
        top = file.split("/")[0]
        assert top in {"requirements", "deploy", "shared", "ops", "simulator"} or top.endswith("_service"), file
        assert "/tests/" not in file


def test_nothing_that_git_ignores_gets_into_the_context_but_an_authority_s_certificate() -> None:
    """What isn't in the repository is of this machine: secrets, data, caches."""
    strangers = listed("--others", "--ignored", "--exclude-standard", "--directory")
    found = [file for file in strangers if sent(file.rstrip("/"))]
    assert [file for file in found if not file.startswith("deploy/docker/certificates/")] == []
    for file in (".env", ".local/stack.env", ".git/config", ".venv/bin/python", "deploy/docker/certificates/own.key"):
        assert not sent(file)


def test_what_the_dockerfile_copies_is_sent() -> None:
    inside = [file for file in listed() if sent(file)]
    sources = [words.split()[-2] for name, words in instructions() if name == "COPY" and "--from" not in words]
    for source in sources:
        prefix = "" if source == "." else source
        assert any(file.startswith(prefix) for file in inside) or source == "deploy/docker/certificates/", source


def test_all_code_of_the_packages_is_sent() -> None:
    packages = ("shared/", "ops/", "simulator/", "ingestion_service/", "aggregation_service/", "api_service/")
    code = [file for file in listed() if file.endswith((".py", ".sql"))]
    assert [file for file in code if file.startswith(packages) and not sent(file)] == []
    top = ("deploy/", "deploy/local/", "deploy/docker/")
    assert [file for file in code if f"{PurePosixPath(file).parent}/" in top and not sent(file)] == []


def test_the_classic_builder_understands_it() -> None:
    assert not re.match(r"#\s*(syntax|escape|check)\s*=", TEXT)
    assert "<<" not in TEXT
    known = {"ARG", "FROM", "COPY", "RUN", "ENV", "WORKDIR", "USER", "HEALTHCHECK", "ENTRYPOINT"}
    for name, words in instructions():
        assert name in known
        flags = {flag.partition("=")[0] for flag in words.split() if flag.startswith("--")}
        if name == "COPY":
            assert flags <= {"--from", "--chown"}
        if name in {"RUN", "FROM"}:
            assert not words.startswith("--")
    assert not re.search(r"\b(TARGET|BUILD)(PLATFORM|ARCH|OS|VARIANT)\b", TEXT)


def test_the_last_stage_runs_as_a_number_that_isn_t_root_s() -> None:
    users = [words for name, words in instructions() if name == "USER"]
    [uid] = [words.partition("=")[2] for name, words in instructions() if name == "ARG" and words.startswith("UID=")]
    assert users == ["${UID}:${UID}"]
    assert int(uid) > 0
    given = {name: SERVICES[name]["build"]["args"].get("UID", uid) for name in OURS if "build" in SERVICES[name]}
    assert given == {name: "10000" if name in {"ops", "secrets"} else uid for name in given}
    owner = re.search(r"install -d -o (\d+) -g \1 (\S+)", TEXT)
    assert owner is not None
    assert owner.groups() == ("10000", "/run/plumbline")


def test_signals_are_python_s_and_its_health_is_asked() -> None:
    last = dict(instructions())
    assert 'exec python -m \\"$MODULE\\"' in last["ENTRYPOINT"]
    assert last["HEALTHCHECK"].endswith('CMD ["python", "-IS", "/opt/plumbline/app/shared/ready.py"]')


def test_each_image_is_of_a_module_with_requirements_of_its_own() -> None:
    for name in OURS:
        if build := SERVICES[name].get("build"):
            module = build["args"]["MODULE"]
            assert (CHECKOUT / module / "__main__.py").exists()
            assert (CHECKOUT / "requirements" / f"{module.removesuffix('_service')}.txt").exists()
            assert build["context"] == "."
            assert build["dockerfile"] == "deploy/docker/Dockerfile"


def test_groups_are_those_that_secrets_are_given_to() -> None:
    groups = {name: service.get("group_add") for name, service in SERVICES.items()}
    readers = {
        "ingestion": secrets.INGESTION,
        "aggregation": secrets.AGGREGATION,
        "api": secrets.API,
        "postgres": secrets.POSTGRES,
        "grafana": secrets.GRAFANA,
    }
    every = [str(group) for group in sorted(readers.values())]
    assert {name: group for name, group in groups.items() if group} == {
        **{name: [str(group)] for name, group in readers.items()},
        "secrets": every,
        "ops": every,
    }
