"""The stack's HTTP API, as the operator's commands ask it."""

import json
import os
import shlex
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from deploy.docker.published import published
from shared.errors import PlumblineError, Unavailable

TIMEOUT_S = 10.0


def get(values: Mapping[str, str], token: str, path: str, **parameters: str) -> dict[str, Any]:
    """The JSON answer of a GET.

    Raises:
        Unavailable: the API doesn't answer.
        PlumblineError: it answered with a problem.
    """
    url = address(values, path, parameters)
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})  # noqa: S310  our own URL
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310
            content: dict[str, Any] = json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            raise PlumblineError(f"{url} answered {error.code}: {error.read(2000).decode(errors='replace')}") from None
    except OSError as error:
        raise Unavailable(f"{url} doesn't answer ({error}) → plumbline up --only api") from None
    return content


def address(values: Mapping[str, str], path: str, parameters: Mapping[str, str]) -> str:
    """The URL of a path with these parameters."""
    return f"{values['API_URL']}{path}?{urlencode(parameters)}" if parameters else f"{values['API_URL']}{path}"


def curl(values: Mapping[str, str], token: str, path: str, **parameters: str) -> str:
    """The command that asks the same in a shell of the host."""
    header = shlex.quote(f"Authorization: Bearer {token}")
    return f"curl -s -H {header} {shlex.quote(address(published(values, os.environ), path, parameters))}"
