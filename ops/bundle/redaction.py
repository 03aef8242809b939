"""What may not leave this machine, and what stands in its place. Pure but for the key that it is given."""

import base64
import hashlib
import hmac
import json
import re
import shlex
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from urllib.parse import quote

MASK = "**********"
_SECRET_NAME = re.compile(
    r"PASSW|SECRET|TOKEN|CREDENTIAL|API_?KEY|OTLP_HEADERS|_KEY$|^KEY$|DATABASE_URL|PRIVATE", re.IGNORECASE
)
_A_PLACE = re.compile(r"(_FILE|_LOCATION|_URL)$")
_SHORT = 6  # a secret of fewer characters is looked for as a whole word, or it would be found in everything
_PATTERNS = {
    "private keys": re.compile(
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL
    ),
    "tokens": re.compile(r"\beyJ[\w-]+\.[\w-]+(?:\.[\w-]*)?"),
    "authorization": re.compile(r"(?i)\b(?:bearer|basic)\s+[\w.~+/=-]{8,}"),
    "passwords in addresses": re.compile(r"(?<=://)[^\s/:@'\"]*:[^\s/@'\"]+(?=@)"),
}
_NAMED = re.compile(
    r"(?i)(?<![\w-])([\w-]*(?:passw(?:or)?d|secret|token|api[_-]?key)[\w-]*[\"']?\s*[=:]\s*)(\"[^\"]*\"|'[^']*'|[^\s,;&}\]]+)"
)
_LITERAL = re.compile(r"'(?:[^']|'')*'|(?<![\w$.])-?\d+(?:\.\d+)?(?:e[+-]?\d+)?(?![\w.])", re.IGNORECASE)
_STATEMENT = re.compile(r"\b(STATEMENT|DETAIL|CONTEXT|QUERY|HINT):\s")
_WORD = re.compile(r"[^\s\"'=,;:(){}\[\]<>|]+(?::[^\s\"'=,;(){}\[\]<>|]+)*")


def secret_name(name: str) -> bool:
    """Whether a variable of this name holds a secret, and not just the place of one."""
    return name == "DATABASE_URL" or bool(_SECRET_NAME.search(name) and not _A_PLACE.search(name))


def masked(values: Mapping[str, str], secret: Collection[str] = ()) -> dict[str, str]:
    """Settings with a mask for each that is secret, by name or because `secret` names it; an empty one stays."""
    return {
        name: MASK if value and (name in secret or secret_name(name)) else value
        for name, value in sorted(values.items())
    }


def without_literals(statement: str) -> str:
    """SQL, or a line of Postgres' log, without the values in it."""
    return _LITERAL.sub("?", statement)


class Redactor:
    """Takes known secrets, what looks like one, and device ids out of texts, and counts what it took."""

    def __init__(self, secrets: Iterable[str], devices: Collection[str], key: bytes) -> None:
        """`devices`: the ids to hide, none to let them pass. `key`: for pseudonyms that this bundle alone has."""
        self._secrets = [re.compile(_whole(form)) for form in _forms(secrets)]
        self._devices, self._key = frozenset(devices), key
        self.counts: Counter[str] = Counter()

    def text(self, text: str) -> str:
        """The text without secrets; what a service logs has nothing else to hide."""
        for secret in self._secrets:
            text, found = secret.subn(MASK, text)
            self.counts["known secrets"] += found
        for name, pattern in _PATTERNS.items():
            text, found = pattern.subn(MASK, text)
            self.counts[name] += found
        return _NAMED.sub(self._named, text)

    def _named(self, found: re.Match[str]) -> str:
        """What a name calls a secret, without it; the name stays."""
        if found[2].strip("\"'") in ("", MASK):
            return found[0]
        self.counts["values that are named secret"] += 1
        return found[1] + MASK

    def log(self, text: str) -> str:
        """The lines of a log: without secrets, device ids, and values of SQL."""
        lines = [
            without_literals(line) if _STATEMENT.search(line) else _WORD.sub(self._word, line)
            for line in self.text(text).splitlines()
        ]
        return "\n".join(lines) + "\n" if lines else ""

    def _word(self, found: re.Match[str]) -> str:
        word = found[0]
        for candidate in (word, word.rstrip(".:")):
            if candidate in self._devices:
                self.counts["device ids"] += 1
                return self.pseudonym(candidate) + word[len(candidate) :]
        return word

    def pseudonym(self, device: str) -> str:
        """The same for the same device within this bundle; nobody can find the device by trying."""
        return "device-" + hmac.new(self._key, device.encode(), hashlib.sha256).hexdigest()[:10]


def _forms(secrets: Iterable[str]) -> list[str]:
    """Each secret as it may be written: bare, in a URL, in JSON, in a shell, in base64; the longest first."""
    forms: set[str] = set()
    for secret in filter(None, secrets):
        encoded = base64.b64encode(secret.encode()).decode()
        forms |= {secret, quote(secret, safe=""), quote(secret), json.dumps(secret)[1:-1], shlex.quote(secret), encoded}
    return sorted(forms, key=len, reverse=True)


def _whole(form: str) -> str:
    return re.escape(form) if len(form) >= _SHORT else rf"(?<!\w){re.escape(form)}(?!\w)"
