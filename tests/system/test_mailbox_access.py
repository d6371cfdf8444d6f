"""Dovecot reads the Maildirs thurn writes, over IMAP and POP3."""

import email.message
import imaplib
import io
import pathlib
import poplib
import pwd
import smtplib
import zipfile

import pytest
from clients import make_message, send_on, smtp
from peers import Dovecot


@pytest.fixture(scope="module")
def server(make_thurn):
    # Dovecot does not read root's mail; so this server drops its privileges, and root's command line works beside it.
    return make_thurn("a", user="mail", allow_root=False, rule=[{"name": "in-archives", "stage": "content", "when": 'archive.executable != ""', "action": "reject", "text": "no programs: {archive.executable}"}])


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


def test_archives_are_looked_into_without_root(lab, server):
    def message(subject, name):
        octets = io.BytesIO()
        with zipfile.ZipFile(octets, "w") as archive:
            archive.writestr(name, b"nothing to see here")
        made = email.message.EmailMessage()
        made["From"], made["To"], made["Subject"] = "someone@b.example", "alice@a.example", subject
        made.add_attachment(octets.getvalue(), maintype="application", subtype="zip", filename="a.zip")
        return made

    with smtp(lab["client"], server.host) as client:
        send_on(client, message("harmless archive", "letter.txt"), "someone@b.example", ["alice@a.example"])
        with pytest.raises(smtplib.SMTPResponseException) as refused:
            send_on(client, message("program in an archive", "setup.exe"), "someone@b.example", ["alice@a.example"])
    assert refused.value.smtp_error.startswith(b"5.7.1 no programs: a.zip/setup.exe (.exe) ")
    server.wait_for_mail("alice@a.example", "harmless archive")
    server.wait_for_log('event=archives_read .*reason="1 files in 1 archives')
    assert "event=archives_not_read" not in server.log_text()
