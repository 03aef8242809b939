"""What a service's /metrics say, as numbers."""

import math
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

from deploy.docker import replicas
from shared.errors import Unavailable

TIMEOUT_S = 3.0


@dataclass(frozen=True, slots=True)
class Sample:
    name: str
    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class Samples:
    """One scrape; of several processes of a service those of all."""

    all: tuple[Sample, ...]

    def of(self, name: str, **labels: str) -> Iterator[Sample]:
        """Those of a name that have these labels."""
        return (each for each in self.all if each.name == name and labels.items() <= dict(each.labels).items())

    def total(self, name: str, **labels: str) -> float | None:
        """Their sum; None where there is none."""
        values = [each.value for each in self.of(name, **labels)]
        return sum(values) if values else None

    def largest(self, name: str, **labels: str) -> float | None:
        """The largest of them; None where there is none."""
        return max((each.value for each in self.of(name, **labels)), default=None)

    def buckets(self, histogram: str) -> dict[float, float]:
        """Cumulative counts by upper bound, over all label sets."""
        counts: dict[float, float] = {}
        for sample in self.of(f"{histogram}_bucket"):
            bound = float(sample.labels["le"])
            counts[bound] = counts.get(bound, 0.0) + sample.value
        return counts


def parse(*texts: str) -> Samples:
    """The samples of Prometheus' text format."""
    families = (family for text in texts for family in text_string_to_metric_families(text))
    return Samples(tuple(Sample(each.name, each.labels, each.value) for family in families for each in family.samples))


def read(url: str) -> dict[str, str]:
    """The text of a /metrics page by its address, of each replica that answers.

    Raises:
        Unavailable: none does.
    """
    texts, silent = {}, f"nothing is known as {url}"
    for each in replicas.each(url):
        try:
            texts[each] = _page(each)
        except Unavailable as error:
            silent = str(error)
    if not texts:
        raise Unavailable(f"{silent} → plumbline doctor")
    return texts


def _page(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:  # noqa: S310  a URL of the stack
            text: str = answer.read().decode(errors="replace")
    except (urllib.error.URLError, OSError) as error:
        raise Unavailable(f"{url} doesn't answer ({error})") from None
    return text


def since(before: Mapping[float, float], now: Mapping[float, float]) -> dict[float, float]:
    """What a histogram counted between two scrapes; of a process that started between them, all that it counted."""
    if any(now.get(bound, 0.0) < count for bound, count in before.items()):
        return dict(now)
    return {bound: count - before.get(bound, 0.0) for bound, count in now.items()}


def quantile(share: float, buckets: Mapping[float, float]) -> float | None:
    """As PromQL's histogram_quantile: linear within a bucket, the last finite bound above it; None: nothing counted."""
    bounds = sorted(buckets)
    if not bounds or not buckets[bounds[-1]]:
        return None
    rank = share * buckets[bounds[-1]]
    low, below = 0.0, 0.0
    for bound in bounds:
        if buckets[bound] >= rank:
            if math.isinf(bound):
                return low
            return low + (bound - low) * (rank - below) / max(buckets[bound] - below, 1e-9)
        low, below = bound, buckets[bound]
    return low
