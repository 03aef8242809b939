"""The page's routes and files: what is served is here, whole, unchanged, and loads nothing from elsewhere."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client import CollectorRegistry

import api_service.web
from api_service.app import create_app
from api_service.settings import ApiSettings
from tests.unit.api_service.serving import served

PAGE = Path(api_service.web.__file__).parent / "page"
OWN = sorted(path for path in PAGE.iterdir() if path.suffix in {".html", ".js", ".css", ".svg"})
TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
SVG_NAMESPACE = "http://www.w3.org/2000/svg"


@pytest.fixture(scope="module")
def client(settings: ApiSettings) -> Iterator[httpx.Client]:
    """Of the module `web` alone: it needs no other, no database and no Kafka."""
    with served(create_app(settings.model_copy(update={"api_modules": "web"}), CollectorRegistry())) as client:
        yield client


def test_the_page_has_a_strict_policy_and_nothing_inline(client: httpx.Client) -> None:
    page = client.get("/")
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["cache-control"] == "no-cache"
    assert page.headers["referrer-policy"] == "no-referrer"
    policy = dict(part.strip().split(" ", 1) for part in page.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["base-uri"] == policy["form-action"] == policy["frame-ancestors"] == "'none'"
    assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son[a-z]+=", page.text)


def test_every_file_that_is_named_is_served_and_can_be_kept(client: httpx.Client) -> None:
    named = set(re.findall(r'(?:src|href)="(/web/[^"]+)"', client.get("/").text))
    assert {"/web/app.js", "/web/page.css", "/web/icon.svg", "/web/uPlot.esm.js", "/web/uPlot.min.css"} <= named
    named |= {f"/web/{name}" for path in OWN for name in imports(path)}
    for path in named:
        file = client.get(path)
        assert file.status_code == 200, path
        assert file.headers["content-type"] == TYPES[Path(path).suffix]
        assert file.headers["cache-control"] == "no-cache"
        assert file.headers["x-content-type-options"] == "nosniff"
        again = client.get(path, headers={"If-None-Match": file.headers["etag"]})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", file.headers["etag"])
        assert client.get(path, headers={"If-None-Match": '"another"'}).status_code == 200


def test_the_first_view_waits_for_no_chain_of_imports(client: httpx.Client) -> None:
    """Each module that app.js needs at once is asked for with the page."""
    ahead = set(re.findall(r'rel="modulepreload" href="/web/([^"]+)"', client.get("/").text))
    needed, waiting = set[str](), ["app.js"]
    while waiting:
        for name in imports(PAGE / waiting.pop(), at_once=True) - needed:
            needed.add(name)
            waiting += [name] if (PAGE / name).exists() else []
    assert ahead == needed


def imports(path: Path, *, at_once: bool = False) -> set[str]:
    found = (
        r'^(?:import|export)\b[^;"]*"\./([^"]+)"'
        if at_once
        else r'^(?:import|export)\b[^;"]*"\./([^"]+)"|import\("\./([^"]+)"\)'
    )
    return {name for match in re.finditer(found, path.read_text(), re.MULTILINE) for name in match.groups() if name}


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.name)
def test_own_files_name_no_other_place_and_keep_no_token(path: Path) -> None:
    text = path.read_text().replace(SVG_NAMESPACE, "")
    assert not re.search(r"https?://|['\"(]//", text)
    assert not re.search(r"localStorage|sessionStorage|indexedDB|document\.cookie|innerHTML|eval\(|new Function", text)


@pytest.mark.parametrize(
    "name",
    [
        "nothing.js",
        "index.html",
        "LICENSE",
        "README.md",
        "..%2froutes.py",
        "uplot%2fuPlot.esm.js",
        "%2e%2e",
        "app.js%00",
    ],
)
def test_there_are_no_other_files(client: httpx.Client, name: str) -> None:
    answer = client.get(f"/web/{name}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_uplot_is_what_its_note_says() -> None:
    folder = PAGE / "uplot"
    noted = dict(re.findall(r"^\| (\S+) \| ([0-9a-f]{64}) \|$", (folder / "README.md").read_text(), re.MULTILINE))
    assert set(noted) | {"LICENSE", "README.md"} == {path.name for path in folder.iterdir()}
    for name, digest in noted.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    assert "MIT License" in (folder / "LICENSE").read_text()
    assert f"(v{version(folder)})" in (folder / "uPlot.esm.js").read_text()


def version(folder: Path) -> str:
    found = re.search(r"npm pack uplot@(\d+\.\d+\.\d+)", (folder / "README.md").read_text())
    assert found
    return found[1]
