"""The Docker engine that the tests' containers run on: whether it answers, and has the images."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import docker
from docker.errors import APIError, DockerException, ImageNotFound
from testcontainers.core.config import testcontainers_config as config
from testcontainers.core.docker_client import DockerClient, get_docker_host

from shared.errors import PlumblineError

SOCKET = "unix:///var/run/docker.sock"
LABEL = "plumbline.tests"  # what containers and volumes of tests are known by, whatever became of their session


@contextmanager
def connected() -> Iterator[docker.DockerClient]:
    """A client of the engine.

    Raises:
        PlumblineError: none answers.
    """
    try:
        client = DockerClient().client
    except DockerException as error:
        raise PlumblineError(
            f"no Docker engine answers at {get_docker_host() or SOCKET} ({_cause(error)}) → start one, or name one of"
            " this machine in DOCKER_HOST; `make test` runs the same tests without any"
        ) from None
    try:
        yield client
    finally:
        client.close()


def _cause(error: BaseException) -> str:
    """What the operating system said, below the layers that say it again."""
    at: BaseException | None = error
    while at is not None:
        if isinstance(at, OSError) and at.strerror:
            return at.strerror
        at = at.__cause__ or at.__context__
    return str(error)


def need(client: docker.DockerClient, images: Iterable[str]) -> None:
    """Pulls the images that aren't here yet.

    Raises:
        PlumblineError: some can't be had; it names all of them.
    """
    missing = {image: why for image in images if (why := _pull(client, image))}
    if missing:
        reasons = "; ".join(sorted(set(missing.values())))
        raise PlumblineError(
            f"the Docker engine has no image {', '.join(missing)}, and can't pull it ({reasons}) →"
            " `docker pull` where a registry is reached and `docker load` it here"
        )


def _pull(client: docker.DockerClient, image: str) -> str:
    """Why there is no such image; nothing if there is."""
    name = config.hub_image_name_prefix + image
    try:
        client.images.get(name)
    except ImageNotFound:
        try:
            client.images.pull(name)
        except APIError as error:
            return str(error.explanation)
    return ""


def without_ryuk(client: docker.DockerClient) -> bool:
    """Whether nobody removes the containers of a session that was killed: a session itself removes its own.

    testcontainers would start its Ryuk for that, and fail where that image can't be had.
    """
    config.ryuk_disabled = config.ryuk_disabled or _pull(client, config.ryuk_image) != ""
    return config.ryuk_disabled


def shown(client: docker.DockerClient, image: str, script: str) -> str:
    """What a script prints in a container of this image."""
    container = client.containers.run(
        config.hub_image_name_prefix + image,
        [script],
        entrypoint=["sh", "-c"],
        network_mode="none",
        labels={LABEL: "version"},
        detach=True,
    )
    try:
        container.wait(timeout=60)
        printed: bytes = container.logs()
        return printed.decode()
    finally:
        container.remove(v=True, force=True)
