"""The images that are built here, and what each holds."""

SERVICES = ("ingestion", "aggregation", "api", "simulator", "ops")
# The extra whose lock is in no image: traces, for who installs them (docs/tracing.md).
OPTIONAL = "otel"

_SERVICE_PACKAGES = {
    "ingestion": "ingestion_service",
    "aggregation": "aggregation_service",
    "api": "api_service",
    "simulator": "simulator",
}


def packages(service: str) -> frozenset[str]:
    """The Python packages of this repository that the Dockerfile puts into a service's image."""
    if service == "ops":
        return frozenset({"ops", "deploy", "shared", *_SERVICE_PACKAGES.values()})
    return frozenset({"shared", _SERVICE_PACKAGES[service]})


def image(service: str, tag: str) -> str:
    """The name under which docker-compose.yml builds it."""
    return f"plumbline-{service}:{tag}"
