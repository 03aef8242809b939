"""The embedded broker's storage."""

import uuid
from pathlib import Path

import pytest

from deploy.local import java, kafka

pytestmark = pytest.mark.embedded("how the embedded broker formats its storage")

HYPHEN = uuid.UUID(bytes=b"\xfb" + b"\x01" * 15)


def test_a_cluster_id_may_begin_with_a_hyphen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uuid, "uuid4", lambda: HYPHEN)
    config = tmp_path / "kafka.properties"
    config.write_text(kafka.properties(tmp_path / "data", 19_092, 19_093))
    kafka._format([str(java.runtime()), *kafka.SHORT_LIVED, "-cp", f"{java.jars()}/*"], config)
    assert "cluster.id=-wEB" in (tmp_path / "data" / "meta.properties").read_text()
