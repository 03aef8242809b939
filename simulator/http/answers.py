"""What an answer of `POST /ingest` means for the events that were sent."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from simulator.http.backoff import retry_after_s


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; `url` is the endpoint's, for messages."""

    url: str
    status: int
    retry_after: str | None = None
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Settled:
    """Final for each event: accepted, or rejected with a code."""

    accepted: int
    rejected: Counter[str]


@dataclass(frozen=True, slots=True)
class Again:
    """Send it again: at once to another endpoint, or later. `throttled`: later, and to nobody else.

    `unknown`: the events may have been taken all the same.
    """

    reason: str
    retry_after_s: float | None = None
    throttled: bool = False
    unknown: bool = True


@dataclass(frozen=True, slots=True)
class TooLarge:
    """Send it in parts."""


@dataclass(frozen=True, slots=True)
class Unauthorized:
    """Send it with another token."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Sending again is no use, nor is sending anything else; the message says what to do."""

    message: str


Outcome = Settled | Again | TooLarge | Unauthorized | Refused


class _Rejected(msgspec.Struct):
    code: str = "unknown"


class _Document(msgspec.Struct):
    """A 202, or problem details."""

    accepted: int = 0
    rejected: list[_Rejected] = msgspec.field(default_factory=list)
    code: str | None = None


def judge(answer: Answer, events: int, now: float) -> Outcome:
    """What to do about a request with so many events; `now` in seconds since 1970."""
    status = answer.status
    if status == 202:
        return _accepted(answer.body, events)
    if status in {400, 422} or (status == 403 and events == 1):
        # A single event for a device that the token doesn't reach is 403 as well; its code tells.
        refused = _rejected(answer, events)
        if refused is not None:
            return refused
    if status == 413:
        return TooLarge() if events > 1 else Settled(0, Counter({"too_large": 1}))
    if status == 401:
        return Unauthorized()
    if status in {408, 429} or status >= 500:
        after = retry_after_s(answer.retry_after, now)
        return Again(f"HTTP {status}", after, throttled=status == 429, unknown=status != 429)
    return Refused(_message(answer))


def _accepted(body: bytes, events: int) -> Outcome:
    document = _decoded(body)
    if document is None or document.accepted + len(document.rejected) != events:
        return Again("an answer that doesn't add up")
    return Settled(document.accepted, _codes(document.rejected))


def _rejected(answer: Answer, events: int) -> Settled | None:
    document = _decoded(answer.body) or _Document()
    if answer.status == 403:
        return Settled(0, Counter({document.code: 1})) if document.code == "forbidden_device" else None
    if len(document.rejected) == events:
        return Settled(0, _codes(document.rejected))
    return Settled(0, Counter({document.code or f"http_{answer.status}": events}))


def _codes(rejected: Sequence[_Rejected]) -> Counter[str]:
    return Counter(each.code for each in rejected)


def _decoded(body: bytes) -> _Document | None:
    try:
        return msgspec.json.decode(body, type=_Document)
    except msgspec.MsgspecError:
        return None


def _message(answer: Answer) -> str:
    url, status = answer.url, answer.status
    if status == 403:
        return f"{url} refuses the token (403) → it needs the scope write:readings (AUTH_TOKEN, AUTH_CLIENT_ID)"
    if status == 415:
        return f"{url} doesn't take NDJSON, or gzip (415) → leave out --http-gzip, or name a Plumbline API"
    if status in {404, 405}:
        return f"{url} has no POST /ingest ({status}) → give an API's address to --http, one with the module gateway"
    if 300 <= status < 400:
        return f"{url} redirects to another address ({status}) → give that one to --http"
    return f"{url} answers with HTTP {status} → give an API's address to --http"
