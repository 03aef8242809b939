"""Where the host of a stack in containers finds what it publishes: docker-compose.yml hands its own variables on."""

from collections.abc import Mapping

from shared import deployment

_EVERYWHERE = ("0.0.0.0", "::", "")  # noqa: S104  read, not bound


def published(values: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """The values with the addresses that people use: those inside the network are no good to a browser.

    PLUMBLINE_PUBLIC_URL, where it is set, is the API's behind another proxy. What isn't published has no
    address. Beside the embedded stack every address is good as it is.
    """
    if environ.get(deployment.VARIABLE) != deployment.COMPOSE:
        return dict(values)
    api = environ.get("PLUMBLINE_PUBLIC_URL", "").rstrip("/") or _url(environ, "FRONT_PORT", "8000")
    own = {
        "API_URL": api,
        "FRONT_URL": api,
        "PROMETHEUS_URL": _url(environ, "PROMETHEUS_PORT", "9090"),
        "GRAFANA_URL": _url(environ, "GRAFANA_PORT", "3000"),
    }
    inside = {name for name in values if name.endswith("_URL")}
    return {name: value for name, value in values.items() if name not in inside} | own


def _url(environ: Mapping[str, str], variable: str, default: str) -> str:
    host = environ.get("PUBLISH_ADDRESS", "127.0.0.1")
    return f"http://{'localhost' if host in _EVERYWHERE else host}:{environ.get(variable) or default}"
