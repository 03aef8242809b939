"""`make browser`: Chromium for the page's tests, installed when we are root, else named with the command."""

from deploy.local import packages
from shared import lifecycle
from shared.errors import PlumblineError
from tests.browser import chromium


def main() -> int:
    """Returns when it is there."""
    if chromium.program() is None and not packages.install(chromium.PACKAGE):
        raise PlumblineError(f"the page's tests need Chromium → {packages.command(chromium.PACKAGE)}")
    return 0


if __name__ == "__main__":
    lifecycle.run(main)
