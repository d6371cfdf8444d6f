"""Dovecot reads the Maildirs thurn writes, over IMAP and POP3."""

import imaplib
import pathlib
import poplib
import pwd

import pytest
from clients import make_message, send_on, smtp
from peers import Dovecot


@pytest.fixture(scope="module")
def server(make_thurn):
    # Dovecot does not read root's mail; so this server drops its privileges, and root's command line works beside it.
    return make_thurn("a", user="mail", allow_root=False)


@pytest.fixture(scope="module")
def dovecot(lab, server):
    with smtp(lab["client"], server.host) as client:
        send_on(client, make_message("for IMAP", "Line one.\r\n.dot\r\nGrüße\r\n"), "someone@b.example", ["alice@a.example"])
        send_on(client, make_message("for POP3"), "someone@b.example", ["bob@a.example"])
    server.wait_for_mail("alice@a.example", "for IMAP")
    server.wait_for_mail("bob@a.example", "for POP3")
    made = Dovecot(server.host, server, {"alice@a.example": "imap", "bob@a.example": "pop"}).start()
    yield made
    made.stop()


def test_imap(lab, server, dovecot):
    with lab["client"].inside():
        mailbox = imaplib.IMAP4(server.host.ip, timeout=20)
    with mailbox:
        mailbox.login("alice@a.example", "imap")
        assert mailbox.select("INBOX")[1] == [b"1"]
        _, found = mailbox.search(None, "SUBJECT", '"for IMAP"')
        _, parts = mailbox.fetch(found[0].split()[0], "(RFC822 RFC822.SIZE)")
        size, octets = parts[0]
        assert f"RFC822.SIZE {len(octets)}".encode() in size  # the name's S= and what Dovecot counts do not contradict
        assert octets.startswith(b"Return-Path: <someone@b.example>\r\n") and b"\r\n.dot\r\n" in octets
        mailbox.store("1", "+FLAGS", "\\Deleted")
        assert mailbox.expunge()[1] == [b"1"]


def test_new_mail_arrives_while_imap_is_open(lab, server, dovecot):
    with lab["client"].inside():
        mailbox = imaplib.IMAP4(server.host.ip, timeout=20)
    with mailbox:
        mailbox.login("alice@a.example", "imap")
        before = int(mailbox.select("INBOX")[1][0])
        with smtp(lab["client"], server.host) as client:
            send_on(client, make_message("while open"), "someone@b.example", ["alice@a.example"])
        server.wait_for_empty_queue()
        assert int(mailbox.select("INBOX")[1][0]) == before + 1


def test_pop3(lab, server, dovecot):
    with lab["client"].inside():
        mailbox = poplib.POP3(server.host.ip, timeout=20)
    mailbox.user("bob@a.example")
    mailbox.pass_("pop")
    assert mailbox.stat()[0] == 1
    _, lines, _ = mailbox.retr(1)
    assert b"Subject: for POP3" in lines and b"Delivered-To: bob@a.example" in lines
    mailbox.quit()


def test_server_runs_as_the_user_named(server):
    status = pathlib.Path(f"/proc/{server.pid}/status").read_text()
    uid = pwd.getpwnam("mail").pw_uid
    assert f"Uid:\t{uid}\t{uid}\t{uid}\t{uid}" in status
    assert server.maildir("alice@a.example").stat().st_uid == uid
