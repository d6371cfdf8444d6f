"""A disk that runs full: clients are told to come back, what was accepted goes on being delivered, and mail is taken again when there is room."""

import os
import smtplib

import pytest
from clients import converse, make_message, send_on, smtp
from lab import run, wait_until
from thurn import Thurn, message_id

MIB = 1 << 20


@pytest.fixture(scope="module")
def server(lab):
    """Its data lie on a disk of 192 MiB, of which 64 MiB are a segment of the log and 32 MiB are its reserve."""
    made = Thurn(lab["a"], "a.example", lab["dns"], relay={"networks": [f"{lab['client'].ip}/32"]}, limits={"disk_reserve": "32MiB"},
                 queue={"retry": ["1s"]})
    made.data.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=192m,mode=755", "thurn-test", made.data)
    try:
        made.start()
        made.add_account("bob@a.example")
        yield made
    finally:
        if made.process is not None and made.alive():
            made.stop()
        run("umount", made.data)


@pytest.fixture
def ballast(server):
    """ballast(octets) leaves so much room on the disk."""
    file = server.data / "ballast"

    def leave(octets):
        file.unlink(missing_ok=True)
        disk = os.statvfs(server.data)
        spare = disk.f_bavail * disk.f_frsize - octets
        if spare > 0:  # the index may need room for a copy of itself just then
            with file.open("wb") as opened:
                os.posix_fallocate(opened.fileno(), 0, spare)
    yield leave
    file.unlink(missing_ok=True)


def offer(lab, server):
    """The reply to MAIL."""
    with smtp(lab["client"], server.host) as client:
        code, text = client.mail("someone@b.example")
        return f"{code} {text.decode()}"


def send_some(lab, server, recipient):
    """A message of 240 KiB, which lies in the log; gives its id."""
    with smtp(lab["client"], server.host) as client:
        return message_id(send_on(client, make_message("accepted", ("x" * 70 + "\n") * 3400), "someone@b.example", [recipient]))


def test_below_the_reserve_mail_is_refused_while_delivery_goes_on(lab, server, ballast, faulty):
    """Free room is looked at each mebibyte written and, while there is none, at each record: so much is sent first, and one recipient goes on being tried."""
    peer = faulty(RCPT="451 4.7.1 later")
    with converse(lab["client"], server.host) as begun:
        for line, code in (("EHLO client.lab", "250"), ("MAIL FROM:<someone@b.example>", "250"), ("RCPT TO:<bob@a.example>", "250"), ("DATA", "354")):
            assert begun.say(line).startswith(code)
        accepted = [send_some(lab, server, "someone@held.example"), send_some(lab, server, "someone@later.example")]
        ballast(24 * MIB)
        with pytest.raises(smtplib.SMTPResponseException, match="452"):
            while len(accepted) < 30:
                accepted.append(send_some(lab, server, "someone@later.example"))
        server.wait_for_log("event=spool.no_room")
        assert begun.say("Subject: begun before\r\n\r\nHello.\r\n.").startswith("452 4.3.1")
        assert begun.say("MAIL FROM:<someone@b.example>").startswith("452 4.3.1")
    assert offer(lab, server).startswith("452 4.3.1")
    told = server.cli("check", check=False)
    assert told.returncode == 1 and "error    spool: only" in told.stdout and "new mail is refused" in told.stdout

    peer.set(RCPT=lambda command: "451 4.7.1 later" if "held" in command else "250 2.1.5 ok")
    peer.wait_for_messages(len(accepted) - 1)
    for identifier in accepted[1:]:
        server.wait_for_trace(identifier, "someone@later.example delivered")
    assert offer(lab, server).startswith("452 4.3.1"), "there was no room all the while"

    ballast(60 * MIB)
    wait_until(lambda: offer(lab, server).startswith("250"), 20, "mail is accepted again", step=0.2)
    with smtp(lab["client"], server.host) as client:
        send_on(client, make_message("room again"), "someone@b.example", ["bob@a.example"])
    server.wait_for_mail("bob@a.example", "room again")
    assert [message["Subject"] for message in server.mail("bob@a.example")] == ["room again"], "what was refused did not arrive"
    peer.set(RCPT="250 2.1.5 ok")
    server.wait_for_empty_queue()
    assert len(peer.messages) == len(accepted)


def test_disk_that_fills_up_during_a_message_refuses_it(lab, server, ballast, faulty):
    """With nothing left at all; a message that waits is not lost by it."""
    peer = faulty(RCPT="451 4.7.1 later")
    with smtp(lab["client"], server.host) as client:
        waiting = message_id(send_on(client, make_message("waiting"), "someone@b.example", ["someone@held.example"]))
        server.wait_for_trace(waiting, "451 4.7.1 later")
        ballast(36 * MIB)
        client.mail("someone@b.example")
        client.rcpt("bob@a.example")
        code, reply = client.data(b"Subject: too large\r\n\r\n" + (b"x" * 998 + b"\r\n") * (40 * MIB // 1000))
        assert (code, reply[:5]) == (452, b"4.3.1")
    ballast(60 * MIB)
    peer.set(RCPT="250 2.1.5 ok")
    peer.wait_for_messages(1, limit=30)
    server.wait_for_empty_queue()
    wait_until(lambda: offer(lab, server).startswith("250"), 20, "mail is accepted again", step=0.2)
    assert not [message for message in server.mail("bob@a.example") if message["Subject"] == "too large"]
