"""The images that are built here, and what each holds."""

import os
from argparse import ArgumentParser, ArgumentTypeError

# Of Python, each with a lock; and the API's front, which is a package of Debian on the same base.
SERVICES = ("ingestion", "aggregation", "api", "simulator", "ops")
FRONT, FRONT_HAS = "front", "haproxy"
ALL = (*SERVICES, FRONT)
# The extra of an image that was built with it as EXTRA (docs/tracing.md), and the distribution that tells.
OPTIONAL, OPTIONAL_HAS = "otel", "opentelemetry-sdk"

_PACKAGES = {
    "ingestion": "ingestion_service",
    "aggregation": "aggregation_service",
    "api": "api_service",
    "simulator": "simulator",
    "ops": "ops",
}


def package(service: str) -> str:
    """The Python package that runs as the service: the Dockerfile's MODULE."""
    return _PACKAGES[service]


def packages(service: str) -> frozenset[str]:
    """The Python packages of this repository that the Dockerfile puts into a service's image."""
    others = {"deploy", *_PACKAGES.values()} if service == "ops" else set()
    return frozenset({"shared", package(service), *others})


def image(service: str, tag: str) -> str:
    """The name under which docker-compose.yml builds it."""
    return f"plumbline-{service}:{tag}"


def arguments(parser: ArgumentParser) -> None:
    """Which images a command is about: `services` and `tag`."""
    known = ", ".join(ALL)
    parser.add_argument("services", nargs="*", type=_service, metavar="SERVICE", help=f"of {known}; default: all")
    tag = os.environ.get("PLUMBLINE_TAG") or "dev"
    parser.add_argument("--tag", default=tag, help="of the images (default: PLUMBLINE_TAG, or dev)")


def _service(name: str) -> str:
    if name not in ALL:
        raise ArgumentTypeError(f"no such service → one of {', '.join(ALL)}")
    return name
