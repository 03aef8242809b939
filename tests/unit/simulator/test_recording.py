"""Recordings in three formats give the same events; what can't be read is said in one line."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shared.errors import PlumblineError
from simulator.recording import Mapped, read

ALAMOSA = Path(__file__).parents[3] / "simulator" / "recordings" / "alamosa.csv"
T0 = 1_757_437_200_000_000

CSV = """\
when,who,a,b,note
2025-09-09T17:00:00Z,x,1,0.5,fine
2025-09-09T17:00:01.5Z,y,2,,
,x,3,0.5,no time
2025-09-09T17:00:03Z,x,,nan,no reading
"""
NDJSON = """\
{"when": "2025-09-09T17:00:00Z", "who": "x", "a": 1, "b": 0.5, "note": "fine"}
{"when": "2025-09-09T17:00:01.5Z", "who": "y", "a": 2, "b": null}
{"when": null, "who": "x", "a": 3, "b": 0.5}
{"when": "2025-09-09T17:00:03Z", "who": "x"}
"""
MAPPED = Mapped("when", device_column="who")


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def parquet(folder: Path) -> Path:
    table = pa.table(
        {
            "when": pa.array([T0, T0 + 1_500_000, None, T0 + 3_000_000], pa.timestamp("us", "UTC")),
            "who": ["x", "y", "x", "x"],
            "a": pa.array([1, 2, 3, None], pa.int32()),
            "b": pa.array([0.5, None, 0.5, float("inf")], pa.float32()),
        }
    )
    pq.write_table(table, folder / "r.parquet")
    return folder / "r.parquet"


@pytest.mark.parametrize("kind", ["csv", "ndjson", "parquet"])
def test_the_formats_agree(kind: str, tmp_path: Path) -> None:
    path = {
        "csv": lambda: written(tmp_path, "r.csv", CSV),
        "ndjson": lambda: written(tmp_path, "r.ndjson", NDJSON),
        "parquet": lambda: parquet(tmp_path),
    }[kind]()
    recording = read(path, MAPPED)
    assert list(recording.devices) == ["x", "y"]
    assert recording.time_us.tolist() == [T0, T0 + 1_500_000]
    assert recording.metrics == {"a": [1.0, 2.0], "b": [0.5, None]}
    assert recording.skipped == 2


@pytest.mark.parametrize(
    ("times", "zone"),
    [
        (["1757437200", "1757437201.5"], "UTC"),
        (["1757437200000", "1757437201500"], "UTC"),
        (["2025-09-09 17:00:00", "2025-09-09 17:00:01.5"], "UTC"),
        (["2025-09-09T19:00:00", "2025-09-09T19:00:01.5"], "Europe/Berlin"),
        (["2025-09-09T19:00:00+02:00", "2025-09-09T17:00:01.5Z"], "Europe/Berlin"),
    ],
)
def test_times_in_every_usual_form(times: list[str], zone: str, tmp_path: Path) -> None:
    path = written(tmp_path, "r.csv", "t,v\n" + "".join(f"{time},1\n" for time in times))
    assert read(path, Mapped("t", device="d", time_zone=zone)).time_us.tolist() == [T0, T0 + 1_500_000]


def test_columns_take_other_names_and_numbers_can_be_ids(tmp_path: Path) -> None:
    path = written(tmp_path, "r.csv", "t,sensor,Temp (C)\n1757437200,7,21.5\n")
    recording = read(path, Mapped("t", device_column="sensor", metrics={"Temp (C)": "temperature"}))
    assert list(recording.devices) == ["7"]
    assert recording.metrics == {"temperature": [21.5]}


@pytest.mark.parametrize(
    ("name", "text", "mapped", "message"),
    [
        ("r.csv", CSV, Mapped("time", device="d"), "no column 'time' → the file has when, who, a, b, note"),
        ("r.csv", CSV, Mapped("who", device="d"), "'who' does not hold times"),
        ("r.csv", CSV, Mapped("when", device="d", metrics={"note": "note"}), "'note' of string does not hold numbers"),
        ("r.csv", "t,x y\n1,2\n", Mapped("t", device="d"), "--metric 'x y=NAME'"),
        ("r.csv", "t,x\n1,\n", Mapped("t", device="d"), "--metric COLUMN=NAME"),
        ("r.csv", "", Mapped("t", device="d"), "mend the file"),
        ("r.csv", "t,x\n1,2,3\n", Mapped("t", device="d"), "mend the file"),
        ("r.txt", CSV, MAPPED, "unknown kind of file"),
        ("r.parquet", CSV, MAPPED, "mend the file"),
        ("r.ndjson", "{", MAPPED, "mend the file"),
    ],
)
def test_what_cannot_be_read_is_said_in_one_line(
    name: str, text: str, mapped: Mapped, message: str, tmp_path: Path
) -> None:
    with pytest.raises(PlumblineError) as raised:
        read(written(tmp_path, name, text), mapped)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(PlumblineError, match="name a readable file"):
        read(tmp_path / "none.csv", MAPPED)


def test_the_shipped_recording_is_what_its_readme_says() -> None:
    recording = read(ALAMOSA, Mapped("time", device_column="station"))
    assert set(recording.devices) == {"alamosa"}
    assert np.diff(recording.time_us).tolist() == [60_000_000] * 1439
    ranges = {name: (min(map(float, values)), max(map(float, values))) for name, values in recording.metrics.items()}  # type: ignore[arg-type]
    assert ranges == {
        "temperature": (-22.9, -3.1),
        "humidity": (35.0, 79.9),
        "wind_speed": (0.0, 4.3),
        "pressure": (773.4, 779.3),
        "solar_irradiance": (-4.4, 580.3),
    }
    assert recording.skipped == 0
