"""A disk that fails the nth write or sync, and forgets at each crash what was not synced: what got a 250 is never lost.

All of the server's data lies on it, index and mailboxes too; forgetful_disk.py says what it may forget. THURN_DISK_ROUNDS sets how many rounds each test
has (default 3), THURN_DISK_SEED changes what is forgotten and when.
"""

import collections
import itertools
import os
import random
import re
import time

import pytest
from fuse_disk import DEVICE, FuseDisk
from lab import wait_until
from promises import Traffic
from thurn import Thurn

ROUNDS = int(os.environ.get("THURN_DISK_ROUNDS", "3"))
SEED = int(os.environ.get("THURN_DISK_SEED", "1"))

pytestmark = pytest.mark.skipif(not DEVICE.exists(), reason=f"{DEVICE} is not there: a faulty file system cannot be mounted")

# kind, error, whether it stays so until it is mended
FAULTS = [("write", "EIO", False), ("sync", "EIO", False), ("write", "ENOSPC", True), ("sync", "EIO", True), ("write", "EIO", True)]
PLACES = ["spool/log", "spool/big", "spool/index", "spool", "mail", ""]  # below the data folder


def test_the_disk_forgets_and_fails(tmp_path):
    """The others are worth something only if it does."""
    made = FuseDisk(tmp_path, SEED)
    try:
        synced = [tmp_path / f"synced{number}" for number in range(50)]
        for file in synced:
            file.write_bytes(b"old" * 10000)
        made.sync_all()
        made.fail("sync", 1, "EIO", below="synced", lasting=True)
        for file in synced:
            (tmp_path / f"un{file.name}").write_bytes(b"new")
            with file.open("r+b", buffering=0) as opened:
                opened.write(b"new" * 10000)
                with pytest.raises(OSError, match="Input/output"):
                    os.fsync(opened.fileno())
        assert len(made.heal()) == len(synced)
        for file in synced:
            with file.open("r+b") as opened:
                os.fsync(opened.fileno())  # says success, as on Linux, and yet:
            assert file.read_bytes() == b"new" * 10000
        made.crash()
        assert any(b"old" in file.read_bytes() for file in synced)
        assert len(synced) <= len(list(tmp_path.iterdir())) < 2 * len(synced)
    finally:
        made.close()
    assert not os.path.ismount(tmp_path)


@pytest.fixture
def disk(lab):
    """The disk; `disk.server` runs on it, with its accounts made and synced."""
    random.seed(SEED)
    server = Thurn(lab["a"], "a.example", lab["dns"], relay={"networks": [f"{lab['client'].ip}/32"]}, limits={"connections_per_ip": 1000})
    server.data.mkdir()
    made = FuseDisk(server.data, SEED)
    made.server = server
    try:
        server.start()
        server.add_account("bob@a.example")
        made.sync_all()
        yield made
    finally:
        if server.process is not None and server.alive():
            server.kill()
        made.close()


def crash(disk):
    """The power fails; start() brings it back. Gives what was at stake."""
    if disk.server.alive():
        disk.server.kill()
    return disk.crash()


def start(disk):
    """Whether the server could start."""
    try:
        disk.server.start()
    except AssertionError:
        if disk.server.alive():
            raise
    return disk.server.alive()


def count(struck):
    """How often each kind of fault struck, as text."""
    kinds = collections.Counter(" ".join(fault.split()[:2]) for fault in struck)
    return ", ".join(f"{number} × {kind}" for kind, number in sorted(kinds.items())) or "nothing"


def starts(server):
    """How often the spool was opened, and its index built again, as text."""
    opened = re.findall(r"event=spool\.opened .*index=(\w+)", server.log_text())
    return f"{len(opened)} starts, {opened.count('rebuilt')} of them rebuilt the index"


def finish(disk, traffic):
    """A last crash, a last start; then all that was promised must arrive."""
    crash(disk)
    disk.server.start()
    return traffic.account()


def test_nothing_promised_is_lost_when_the_disk_forgets(lab, disk, faulty, capsys):
    at_stake = collections.Counter()
    with Traffic(lab["client"], disk.server, faulty) as traffic:
        for _ in range(ROUNDS):
            time.sleep(random.uniform(0.2, 1.0))
            assert disk.server.alive(), "the server ended by itself"
            at_stake.update(crash(disk))
            disk.server.start()
        time.sleep(0.5)
    account = finish(disk, traffic)
    with capsys.disabled():
        print(f"\nforgetful disk: {ROUNDS} rounds, {at_stake['pages']} pages and {at_stake['names']} names unsynced at the crashes, "
              f"{starts(disk.server)}, {account}")
    assert len(account.promised) > 5 * ROUNDS, traffic.refusals()
    assert not account.lost and not account.broken


def test_nothing_promised_is_lost_when_the_disk_fails(lab, disk, faulty, capsys):
    """Then nothing more happens, and the same process must take mail again, or have stopped; or the power fails before the disk is mended; or the
    server alone is killed: then it reads what never reached the disk, and the next crash takes that away."""
    struck, stopped = [], 0
    with Traffic(lab["client"], disk.server, faulty) as traffic:
        for number, (kind, error, lasting) in zip(range(ROUNDS), itertools.cycle(FAULTS)):
            disk.fail(kind, random.randint(1, 30), error, below="spool/log" if number < len(FAULTS) else random.choice(PLACES), lasting=lasting)
            time.sleep(random.uniform(0.4, 1.0))
            stopped += not disk.server.alive()
            if number % 3 == 1:
                crash(disk)
            elif number % 3 == 2 and disk.server.alive():
                disk.server.kill()
            struck += disk.heal()
            if not disk.server.alive():
                disk.server.start()
            before = len(traffic.promised())
            wait_until(lambda: len(traffic.promised()) > before + 3, 20, lambda: f"mail is taken again after {kind} {error}; {traffic.refusals()}")
    account = finish(disk, traffic)
    with capsys.disabled():
        print(f"\nfailing disk: {ROUNDS} rounds, {count(struck)} failed, the server stopped {stopped} times, {starts(disk.server)}, {account}")
    assert struck, "no fault struck"
    assert not account.lost and not account.broken
    assert all(reply.startswith("4") for reply in traffic.refusals()), traffic.refusals()


def test_the_index_fails_and_works_again_while_mail_goes_on(lab, disk, faulty):
    """No error on it ends the server, and none needs a new start: checkpoints succeed again when the disk does."""
    server, process = disk.server, disk.server.process.pid
    events = collections.Counter()

    def wait_for_next(event):
        events[event] += 1
        wait_until(lambda: server.log_text().count(f"event={event}") >= events[event] or not server.alive(), 20, event)
        assert server.alive(), server.log_text()[-2000:]

    def written_since_it_was_replaced():
        try:
            return any(file.stat().st_size > 0 for file in (server.data / "spool/index").glob("*/*.log"))
        except FileNotFoundError:
            return False  # the old one was just being removed

    def strike(kind, error, lasting=False):
        disk.fail(kind, 1, error, below="spool/index", lasting=lasting)
        wait_for_next("spool.upkeep_failed")
        assert f"{kind} {error}" in count(disk.heal())
        time.sleep(0.3)  # an upkeep under way may fail once more
        events["spool.upkeep_failed"] = server.log_text().count("event=spool.upkeep_failed")

    with Traffic(lab["client"], server, faulty) as traffic:
        strike("write", "EIO")                    # the index
        strike("write", "ENOSPC", lasting=True)   # the copy that is to replace it
        strike("sync", "EIO")                     # the next copy
        wait_for_next("index.replaced")
        wait_until(written_since_it_was_replaced, 5, "a checkpoint")
        strike("write", "ENOSPC", lasting=True)   # the index again
        before = len(traffic.promised())
        wait_until(lambda: len(traffic.promised()) > before + 20, 10, "mail goes on")
    assert server.alive() and server.process.pid == process
    assert server.log_text().count("event=spool.upkeep_failed") == events["spool.upkeep_failed"]
    assert not traffic.refusals()
    account = finish(disk, traffic)
    assert account.promised and not account.lost and not account.broken


def test_nothing_promised_is_lost_when_the_disk_fails_while_starting(lab, disk, faulty, capsys):
    """After a crash, before the recovery is through; then the power fails again."""
    struck, given_up = [], 0
    with Traffic(lab["client"], disk.server, faulty) as traffic:
        for _, (kind, error, lasting) in zip(range(ROUNDS), itertools.cycle(FAULTS)):
            time.sleep(random.uniform(0.2, 0.6))
            crash(disk)
            disk.fail(kind, random.randint(1, 15), error, below="spool", lasting=lasting)
            given_up += not start(disk)
            crash(disk)
            struck += disk.heal()
            disk.server.start()
    account = finish(disk, traffic)
    with capsys.disabled():
        print(f"\nfailing starts: {ROUNDS} rounds, {count(struck)} failed, {given_up} starts given up, {starts(disk.server)}, {account}")
    assert struck, "no fault struck"
    assert not account.lost and not account.broken
