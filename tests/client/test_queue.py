"""Scans that wait on disk: bounded, in order, for consent only; whole after any death."""

import json
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from atrium_client import QueueBusy, QueueDamaged, Scan, ScanQueue
from atrium_client.queue import Held

WRITER = """
import sys
from atrium_client import ScanQueue
with ScanQueue(sys.argv[1]) as queue:
    queue.allow(sys.argv[2])
    for i in range(int(sys.argv[3])):
        queue.put({"scan_id": f"{sys.argv[2]}-{i}", "device_id": sys.argv[2], "at": i, "wifi": []})
        print(i, flush=True)
"""


class Clock:
    """The wall clock, set by hand."""

    def __init__(self) -> None:
        self.now_s = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now_s


def scan_of(i: int, device_id: str = "d-1", **more: Any) -> Scan:
    scan: Any = {"scan_id": f"s-{i}", "device_id": device_id, "at": 1_700_000_000_000 + i, "wifi": [], **more}
    return scan  # type: ignore[no-any-return]  # tests send odd fields too


def queue_of(folder: Path, *phones: str, **options: Any) -> ScanQueue:
    queue = ScanQueue(folder, is_durable=False, **options)
    for phone in phones or ("d-1",):
        queue.allow(phone)
    return queue


def ids(queue: ScanQueue) -> list[str]:
    return [held.scan_id for held in queue.peek(1_000_000, 1 << 40)]


def everything_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir()))


def test_scans_come_out_in_order_and_stay_until_removed(tmp_path: Path) -> None:
    with queue_of(tmp_path) as queue:
        assert queue.put(scan_of(0))
        assert queue.put_many([scan_of(1), scan_of(2)]) == 2
        first, second = queue.peek(2, 1 << 40)
        assert [first.scan_id, second.scan_id] == ["s-0", "s-1"]
        assert json.loads(first.body) == scan_of(0)
    with queue_of(tmp_path) as again:
        assert ids(again) == ["s-0", "s-1", "s-2"]
        again.remove([first.seq, second.seq, 999])
        assert ids(again) == ["s-2"]
        again.remove([first.seq])
        assert ids(again) == ["s-2"]


def test_peek_keeps_to_bytes_but_gives_one(tmp_path: Path) -> None:
    with queue_of(tmp_path) as queue:
        queue.put_many(scan_of(i) for i in range(3))
        length = len(queue.peek(1, 1)[0].body)
        assert [held.scan_id for held in queue.peek(3, 2 * (length + 1))] == ["s-0", "s-1"]
        assert [held.scan_id for held in queue.peek(3, 2 * (length + 1) - 1)] == ["s-0"]


def test_a_scan_gets_a_name_and_needs_a_phone(tmp_path: Path) -> None:
    with queue_of(tmp_path) as queue:
        queue.put_many([{"device_id": "d-1", "at": 1}, {"device_id": "d-1", "at": 2}])
        one, two = ids(queue)
        assert one != two
        assert len(one) == 32
        for wrong in (
            {"at": 1},
            {"at": 1, "device_id": None},
            {"at": 1, "device_id": "d" * 129},
            {"at": 1, "device_id": "d-1", "scan_id": "s" * 129},
            {"at": 1, "device_id": "d-1", "gps": {"lat": 1e999}},
        ):
            with pytest.raises(ValueError, match=r"device_id|JSON"):
                queue.put(wrong)  # type: ignore[arg-type]
        assert len(ids(queue)) == 2


def test_nothing_is_kept_without_consent_and_a_wipe_ends_it(tmp_path: Path) -> None:
    with ScanQueue(tmp_path) as queue:
        assert not queue.put(scan_of(0))
        assert queue.counts().scans == 0
        queue.allow("d-1")
        queue.allow("d-2")
        queue.put_many([scan_of(1), scan_of(2, "d-2"), scan_of(3), scan_of(4, "d-3")])
        assert ids(queue) == ["s-1", "s-2", "s-3"]
        queue.wipe("d-1")
        assert ids(queue) == ["s-2"]
        assert not queue.put(scan_of(5))
        queue.wipe()
        assert not queue.put(scan_of(6, "d-2"))
        assert queue.counts().scans == queue.counts().bytes == 0


def test_a_wipe_leaves_no_byte_behind(tmp_path: Path) -> None:
    with queue_of(tmp_path, "phone-of-ann", "phone-of-bob") as queue:
        for i in range(200):
            queue.put(scan_of(i, "phone-of-ann", venue_id="secret-of-ann" * 50))
            queue.put(scan_of(i, "phone-of-bob", venue_id="secret-of-bob" * 50))
        assert b"of-ann" in everything_in(tmp_path)
        queue.wipe("phone-of-ann")
        assert b"of-ann" not in everything_in(tmp_path)
        assert b"secret-of-bob" in everything_in(tmp_path)
        queue.wipe()
        assert b"of-bob" not in everything_in(tmp_path)


def test_names_of_networks_do_not_reach_the_disk(tmp_path: Path) -> None:
    heard = [
        {"bssid": "0e:74:9c:a7:b2:e4", "rssi_dbm": -40, "ssid": "HOME-OF-ANN"},
        {"bssid": "0e:74:9c:a7:b2:e5", "rssi_dbm": -50, "ssid": "HOME_nomap"},
        {"bssid": "0e:74:9c:a7:b2:e6", "rssi_dbm": -60, "ssid": None},
    ]
    with queue_of(tmp_path) as queue:
        given = scan_of(0, wifi=heard)
        queue.put(given)
        (held,) = queue.peek(1, 1)
        assert [(h["bssid"], "ssid" in h) for h in json.loads(held.body)["wifi"]] == [
            ("0e:74:9c:a7:b2:e4", False),
            ("0e:74:9c:a7:b2:e6", False),
        ]
        assert len(given["wifi"]) == 3  # the caller's own scan is as it was
        assert b"HOME" not in everything_in(tmp_path)


def test_file_names_say_nothing_and_others_may_not_read(tmp_path: Path) -> None:
    folder = tmp_path / "queue"
    with queue_of(folder, "phone-of-ann") as queue, queue.sending():
        queue.put(scan_of(0, "phone-of-ann"))
        names = {path.name for path in folder.iterdir()}
        fixed = {"scans.sqlite3", "sending.sqlite3"}
        assert names <= fixed | {name + tail for name in fixed for tail in ("-wal", "-shm", "-journal")}
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_the_oldest_go_when_it_is_full_and_are_counted(tmp_path: Path) -> None:
    with queue_of(tmp_path, max_bytes=20_000) as queue:
        for i in range(100):
            queue.put(scan_of(i, venue_id="v" * 900))
        held = queue.peek(1_000, 1 << 40)
        counts = queue.counts()
        assert [one.scan_id for one in held] == [f"s-{i}" for i in range(100 - len(held), 100)]
        assert counts.bytes == sum(len(one.body) for one in held)
        assert 19_000 < counts.bytes <= 20_000
        assert (counts.scans, counts.dropped_full) == (len(held), 100 - len(held))
        assert not queue.put(scan_of(0, venue_id="v" * 20_000))
        assert queue.counts().dropped_full == 100 - len(held) + 1
        assert queue.counts().scans == len(held)


def test_the_files_keep_near_the_bound(tmp_path: Path) -> None:
    most = 1_000_000
    with queue_of(tmp_path, max_bytes=most) as queue:
        for i in range(1_500):
            queue.put(scan_of(i, venue_id="v" * 2_100))  # two fill more than a page: the worst fit
        assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 2 * most + 2 * 1024 * 1024
        queue.remove([held.seq for held in queue.peek(10_000, 1 << 40)])
        assert queue.tidy()
        assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 200_000


def test_what_waited_too_long_or_is_dated_ahead_goes_and_is_counted(tmp_path: Path) -> None:
    clock = Clock()
    with queue_of(tmp_path, max_age_s=100.0, now=clock) as queue:
        queue.put(scan_of(0))
        clock.now_s += 60.0
        queue.put(scan_of(1))
        clock.now_s += 60.0
        assert ids(queue) == ["s-1"]
        assert (queue.counts().scans, queue.counts().dropped_old) == (1, 1)
        clock.now_s -= 1_000.0  # the clock was wrong and is set right
        assert (queue.counts().scans, queue.counts().dropped_old) == (0, 2)


def test_a_death_at_any_moment_loses_nothing_that_was_taken(tmp_path: Path) -> None:
    for kill_after in (1, 40):
        folder = tmp_path / str(kill_after)
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(folder), "d-1", "100000"], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        taken = [int(next(writer.stdout)) for _ in range(kill_after)]
        writer.send_signal(signal.SIGKILL)
        taken += [int(line) for line in writer.stdout if line.endswith("\n")]
        writer.stdout.close()
        writer.wait()
        with ScanQueue(folder) as queue:
            held = ids(queue)
        assert held[: len(taken)] == [f"d-1-{i}" for i in taken]
        assert len(held) <= len(taken) + 1  # one may have been taken and not yet said


@pytest.mark.parametrize("damage", ["cut", "flip", "garbage"])
def test_a_torn_last_record_is_dropped_and_the_rest_stands(tmp_path: Path, damage: str) -> None:
    whole, torn = tmp_path / "whole", tmp_path / "torn"
    with queue_of(whole) as queue:
        for i in range(20):
            queue.put(scan_of(i))
        shutil.copytree(whole, torn)  # as a death leaves it: the last records stand in the log alone
    log = torn / "scans.sqlite3-wal"
    bytes_ = log.read_bytes()
    assert b"s-19" in bytes_
    if damage == "cut":
        log.write_bytes(bytes_[:-100])
    elif damage == "garbage":
        log.write_bytes(bytes_[:-2_000] + os.urandom(2_000))
    else:
        at = bytes_.rindex(b"s-19")
        log.write_bytes(bytes_[:at] + b"S" + bytes_[at + 1 :])
    with ScanQueue(torn) as queue:
        assert ids(queue) == [f"s-{i}" for i in range(19)]
        queue.put(scan_of(20))
        assert ids(queue)[-1] == "s-20"


def test_a_record_that_rots_is_dropped_and_counted(tmp_path: Path) -> None:
    with queue_of(tmp_path) as queue:
        queue.put_many(scan_of(i) for i in range(3))
    file = tmp_path / "scans.sqlite3"
    file.write_bytes(file.read_bytes().replace(b'"s-1"', b'"s-7"'))
    with ScanQueue(tmp_path) as queue:
        assert ids(queue) == ["s-0", "s-2"]
        assert (queue.counts().scans, queue.counts().dropped_damaged) == (2, 1)


def test_a_file_that_is_no_queue_is_named_so_and_can_be_discarded(tmp_path: Path) -> None:
    with queue_of(tmp_path) as queue:
        queue.put_many(scan_of(i) for i in range(500))
    file = tmp_path / "scans.sqlite3"
    for wrong in (b"no database at all" * 100, file.read_bytes()[:5_000]):
        file.write_bytes(wrong)
        with pytest.raises(QueueDamaged), ScanQueue(tmp_path) as broken:
            ids(broken)
    ScanQueue.discard(tmp_path)
    assert list(tmp_path.iterdir()) == []
    with queue_of(tmp_path) as queue:
        assert queue.put(scan_of(0))


def test_a_queue_of_a_newer_client_is_left_alone(tmp_path: Path) -> None:
    queue_of(tmp_path).close()
    db = sqlite3.connect(tmp_path / "scans.sqlite3")
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(Exception, match="newer client"):
        ScanQueue(tmp_path)


def test_many_processes_write_one_queue(tmp_path: Path) -> None:
    phones = [f"p{n}" for n in range(4)]
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), phone, "50"], stdout=subprocess.DEVNULL)
        for phone in phones
    ]
    taken: list[Held] = []
    with ScanQueue(tmp_path) as queue:
        while any(writer.poll() is None for writer in writers) or queue.counts().scans:
            part = queue.peek(7, 1 << 40)
            queue.remove([held.seq for held in part])
            taken += part
    assert [writer.returncode for writer in writers] == [0] * 4
    for phone in phones:
        assert [held.scan_id for held in taken if held.scan_id.startswith(phone)] == [f"{phone}-{i}" for i in range(50)]
    assert len(taken) == 200


def test_one_sends_at_a_time_and_a_dead_sender_does_not_block(tmp_path: Path) -> None:
    hold = "import sys, time; from atrium_client import ScanQueue\nwith ScanQueue(sys.argv[1]).sending():\n"
    hold += "    print('held', flush=True)\n    time.sleep(60)"
    other = subprocess.Popen([sys.executable, "-c", hold, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    assert next(other.stdout) == "held\n"
    with queue_of(tmp_path) as queue, queue_of(tmp_path) as second:
        with pytest.raises(QueueBusy), queue.sending():
            pass
        other.send_signal(signal.SIGKILL)
        other.wait()
        other.stdout.close()
        with queue.sending(), pytest.raises(QueueBusy), second.sending():
            pass
        with second.sending():
            assert second.put(scan_of(0))
