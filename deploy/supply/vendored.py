"""JavaScript of others that is in this repository, unchanged, and so in the images that hold its folder."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Vendored:
    """A package of npm; `folder` has its licence's text and what was taken."""

    name: str
    version: str
    licence: str
    folder: str
    says_its_version: str  # this file of the folder

    @property
    def package(self) -> str:
        """The Python package that holds it."""
        return self.folder.partition("/")[0]


VENDORED = (
    Vendored("swagger-ui-dist", "5.35.0", "Apache-2.0", "api_service/static/swagger-ui", "swagger-ui-bundle.js"),
    Vendored("uplot", "1.6.32", "MIT", "api_service/web/page/uplot", "uPlot.esm.js"),
)
