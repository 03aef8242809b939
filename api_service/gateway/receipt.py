"""Receipts: where Kafka put the events of a request, signed, in the client's hands instead of a table of ours."""

import base64
import binascii
import hashlib
import hmac
import zlib
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import msgspec

from api_service.problems import Problem

_MOST_CHARACTERS = 1 << 20
_MAC_BYTES = 16
_COMPRESS_FROM = 200  # bytes
_PLAIN, _COMPRESSED = b"\0", b"\1"


@dataclass(frozen=True, slots=True)
class Accepted:
    """The events of one request that Kafka has; the three columns are parallel, `index` is the place in the request."""

    topic_id: str
    index: Sequence[int]
    partition: Sequence[int]
    offset: Sequence[int]


class _Packed(msgspec.Struct, frozen=True, array_like=True):
    """`index`: runs. `partition`: uint16, one an event. `offset`: runs by partition, in the order of their first event.

    Runs are (distance from the last one's end, length), one after the other.
    """

    topic_id: str
    index: list[int]
    partition: bytes
    offset: list[list[int]]


class Receipts:
    """Made and read with one key, by any gateway that has it."""

    def __init__(self, secret: bytes) -> None:
        self._key = hashlib.blake2b(secret, person=b"receipts").digest()

    def make(self, subject: str, accepted: Accepted) -> str:
        """The receipt of what this subject sent."""
        packed = msgspec.msgpack.encode(_pack(accepted))
        body = _PLAIN + packed if len(packed) < _COMPRESS_FROM else _COMPRESSED + zlib.compress(packed)
        return base64.urlsafe_b64encode(self._mac(subject, body) + body).rstrip(b"=").decode()

    def read(self, text: str, subject: str) -> Accepted:
        """What the receipt says.

        Raises:
            Problem: 404, it is none that was made for this subject with this key.
        """
        try:
            signed = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except (ValueError, binascii.Error):
            signed = b""
        mac, body = signed[:_MAC_BYTES], signed[_MAC_BYTES:]
        right = len(text) <= _MOST_CHARACTERS and hmac.compare_digest(mac, self._mac(subject, body))
        # A text has one form only: the last character's spare bits are zero.
        if not right or base64.urlsafe_b64encode(signed).rstrip(b"=").decode() != text:
            raise Problem(404, "There is no such receipt, or it is another's.", code="not_found")
        packed = zlib.decompress(body[1:]) if body[:1] == _COMPRESSED else body[1:]
        return _unpack(msgspec.msgpack.decode(packed, type=_Packed))

    def _mac(self, subject: str, body: bytes) -> bytes:
        whose = hashlib.blake2b(subject.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        return hashlib.blake2b(whose + body, digest_size=_MAC_BYTES, key=self._key).digest()


def _pack(accepted: Accepted) -> _Packed:
    by_partition: dict[int, list[int]] = {}
    for partition, offset in zip(accepted.partition, accepted.offset, strict=True):
        by_partition.setdefault(partition, []).append(offset)
    partitions = array("H", accepted.partition).tobytes()
    return _Packed(
        accepted.topic_id, _runs(accepted.index), partitions, [_runs(each) for each in by_partition.values()]
    )


def _unpack(packed: _Packed) -> Accepted:
    partitions = array("H", packed.partition).tolist()
    source = dict(zip(dict.fromkeys(partitions), map(_numbers, packed.offset), strict=True))
    offsets = [next(source[partition]) for partition in partitions]
    return Accepted(packed.topic_id, list(_numbers(packed.index)), partitions, offsets)


def _runs(numbers: Sequence[int]) -> list[int]:
    made: list[int] = []
    end = 0
    for number in numbers:
        if made and number == end:
            made[-1] += 1
        else:
            made += (number - end, 1)
        end = number + 1
    return made


def _numbers(runs: list[int]) -> Iterator[int]:
    def spread() -> Iterator[range]:
        end = 0
        for distance, length in zip(runs[::2], runs[1::2], strict=True):
            start, end = end + distance, end + distance + length
            yield range(start, end)

    return chain.from_iterable(spread())
