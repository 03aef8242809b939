"""`/`: the analysts' page, files that come with this package; all that it shows it asks of the query module."""

from importlib import resources

from fastapi import APIRouter, Response

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def router() -> APIRouter:
    """The page; without a token, as it holds no data."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/")
    async def page() -> Response:
        headers = {"Cache-Control": "no-cache", "Content-Security-Policy": POLICY, "Referrer-Policy": "no-referrer"}
        return Response(_file("index.html"), 200, headers, "text/html; charset=utf-8")

    return routes


def _file(name: str) -> bytes:
    return (resources.files("api_service.web") / "page" / name).read_bytes()
