"""`/`: the analysts' page, files that come with this package; all that it shows it asks of the query module."""

import hashlib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from fastapi import APIRouter, Request, Response

from api_service import pages
from api_service.problems import Problem

_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}


class File:
    """A file of the page, and the tag of its content; read again when it has changed."""

    def __init__(self, path: Path, media_type: str) -> None:
        self._path, self._media_type = path, media_type
        self._read = (0, b"", "")

    def answer(self, request: Request, headers: Mapping[str, str] = {}) -> Response:
        """200, or 304 where the client has it already: it is asked for each time, as it may come with a new release."""
        _, content, tag = self._current()
        common = {"ETag": tag, "Cache-Control": "no-cache", **headers}
        if tag in request.headers.get("if-none-match", ""):
            return Response(None, 304, common)
        return Response(content, 200, common, self._media_type)

    def _current(self) -> tuple[int, bytes, str]:
        changed = self._path.stat().st_mtime_ns
        if changed != self._read[0]:
            content = self._path.read_bytes()
            self._read = changed, content, f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        return self._read


def router() -> APIRouter:
    """The page; without a token, as it holds no data."""
    routes = APIRouter(include_in_schema=False)
    folder = Path(str(resources.files("api_service.web"))) / "page"
    index = File(folder / "index.html", "text/html; charset=utf-8")
    files = {
        path.name: File(path, _TYPES[path.suffix])
        for path in (*folder.iterdir(), *(folder / "uplot").iterdir())
        if path.suffix in _TYPES
    }

    @routes.get("/")
    async def page(request: Request) -> Response:
        return index.answer(request, pages.HEADERS)

    @routes.get("/web/{name}")
    async def file(name: str, request: Request) -> Response:
        if name not in files:
            raise Problem(404, "There is no such file.")
        return files[name].answer(request)

    return routes
