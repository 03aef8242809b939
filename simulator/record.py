"""What is published."""

from typing import Any

Record = dict[str, Any]
"""`key`: bytes or None, `value`: bytes or None: what confluent-kafka's `produce_batch` takes, ready to hand over.

`code`, where it is there: what it must be rejected with.
"""
