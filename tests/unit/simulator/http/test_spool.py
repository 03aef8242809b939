"""The spool: what was put and isn't done is there, in memory as on disk, and on disk for the next process too."""

import sqlite3
import threading
from pathlib import Path

import pytest

from shared.errors import PlumblineError
from simulator.http.batches import Parcel
from simulator.http.spool_store import FILE, Spool

MANY = 10**9


def parcel(lane: int, text: bytes, events: int = 1, planned: int = 0) -> Parcel:
    return Parcel(lane, events, text, {"bad_metric": planned} if planned else {})


def bodies(spool: Spool, lane: int, most: int = 500) -> list[bytes]:
    return [parcel.body for _, parcel in spool.take(lane, most)]


@pytest.fixture(params=["memory", "disk"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    return None if request.param == "memory" else tmp_path / "spool"


def test_a_lane_gives_its_oldest_parcels_until_they_are_done(folder: Path | None) -> None:
    spool = Spool(folder, MANY, 2)
    parcels = [parcel(0, b"a"), parcel(1, b"b", 5, planned=2), parcel(0, b"c", 3), parcel(0, b"d", 4)]
    assert spool.put(parcels, 0)
    assert (spool.events, spool.pending(0), spool.pending(1)) == (13, 8, 5)
    assert [p for _, p in spool.take(1, 500)] == [parcels[1]]
    assert bodies(spool, 0, most=4) == [b"a", b"c"]
    assert bodies(spool, 0, most=1) == [b"a"]  # one at least
    assert spool.age_s() >= 0
    spool.done(spool.take(0, 4))
    assert bodies(spool, 0) == [b"d"]
    spool.done(spool.take(0, 500))
    spool.done(spool.take(1, 500))
    assert (spool.events, spool.bytes, spool.empty(0), spool.age_s()) == (0, 0, True, 0.0)
    spool.close()


def test_a_full_spool_takes_nothing_until_something_is_done(folder: Path | None) -> None:
    spool = Spool(folder, 1_000, 1)
    assert spool.put([parcel(0, b"x" * 600)], 0)
    assert not spool.put([parcel(0, b"y" * 600)], 0.01)
    threading.Timer(0.1, lambda: spool.done(spool.take(0, 1))).start()
    assert spool.put([parcel(0, b"y" * 600)], 10)
    assert bodies(spool, 0) == [b"y" * 600]
    spool.close()


def test_what_is_larger_than_the_spool_fits_an_empty_one() -> None:
    spool = Spool(None, 1_000, 1)
    assert spool.put([parcel(0, b"x" * 5_000)], 0)
    assert not spool.put([parcel(0, b"y")], 0)
    spool.close()


def test_what_an_earlier_process_left_comes_first(tmp_path: Path) -> None:
    earlier = Spool(tmp_path, MANY, 4)
    earlier.put([parcel(3, b"old 3", 2), parcel(0, b"old 0"), parcel(1, b"old 1")], 0)
    earlier.done(earlier.take(0, 1))
    earlier.close()

    spool = Spool(tmp_path, MANY, 2)  # lane 3 of four is lane 1 of two
    assert spool.recovered == 3
    spool.put([parcel(0, b"new 0"), parcel(1, b"new 1")], 0)
    assert (spool.pending(0), spool.pending(1)) == (0, 3)
    assert (spool.empty(0), spool.events) == (False, 5)
    assert bodies(spool, 1) == [b"old 3", b"old 1"]
    spool.done(spool.take(1, 2))
    assert spool.pending(0) == 0
    spool.done(spool.take(1, 500))
    assert (spool.pending(0), bodies(spool, 0), bodies(spool, 1)) == (1, [b"new 0"], [b"new 1"])
    spool.close()


def test_two_processes_can_t_have_the_same_spool(tmp_path: Path) -> None:
    spool = Spool(tmp_path, MANY, 1)
    with pytest.raises(PlumblineError, match="locked → end the simulator that uses it"):
        Spool(tmp_path, MANY, 1)
    spool.close()


def test_a_file_that_is_no_spool_is_one_message(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"something else entirely" * 100)
    with pytest.raises(PlumblineError, match="move the file away"):
        Spool(tmp_path, MANY, 1)


def test_a_folder_that_can_t_be_made_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PlumblineError, match="name a folder to write in"):
        Spool(tmp_path / "file" / "spool", MANY, 1)


def test_a_disk_that_is_full_is_one_message_and_what_was_there_stays(tmp_path: Path) -> None:
    spool = Spool(tmp_path, MANY, 1)
    spool.put([parcel(0, b"a")], 0)
    (pages,) = spool._db.execute("PRAGMA page_count").fetchone()
    spool._db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(PlumblineError, match="full → free space there"):
        spool.put([parcel(0, b"b" * 100_000)], 0)
    assert (spool.events, bodies(spool, 0)) == (1, [b"a"])
    spool.close()
    with sqlite3.connect(tmp_path / FILE) as db:
        assert db.execute("SELECT count(*) FROM parcels").fetchone() == (1,)
    db.close()
