"""Who gets what: aliases, tags, catch-all, postmaster."""

import pytest
from clients import make_message, send_on, smtp
from thurn import Thurn


@pytest.fixture(scope="module")
def server(make_thurn):
    made = make_thurn("a", domain=[{"name": "a.example"}, {"name": "all.example", "catch_all": "bob@a.example"}])
    made.cli("alias", "add", "team@a.example", "alice@a.example", "bob@a.example")
    made.cli("alias", "add", "nested@a.example", "team@a.example")
    return made


def deliver(lab, server, subject, *recipients, sender="someone@b.example"):
    with smtp(lab["client"], server.host) as client:
        return send_on(client, make_message(subject), sender, recipients)


@pytest.mark.parametrize("recipient, mailboxes", [
    ("bob@a.example", ["bob@a.example"]),
    ("BOB@A.EXAMPLE", ["bob@a.example"]),
    ("bob+lists@a.example", ["bob@a.example"]),
    ("team@a.example", ["alice@a.example", "bob@a.example"]),
    ("nested@a.example", ["alice@a.example", "bob@a.example"]),
    ("anything@all.example", ["bob@a.example"]),
])
def test_recipient_reaches(lab, server, recipient, mailboxes):
    deliver(lab, server, f"to {recipient}", recipient)
    for mailbox in mailboxes:
        server.wait_for_mail(mailbox, f"to {recipient}")


def test_member_of_an_alias_given_twice_gets_it_once(lab, server):
    deliver(lab, server, "twice", "team@a.example", "nested@a.example")
    server.wait_for_mail("alice@a.example", "twice")
    server.wait_for_empty_queue()
    # Each way may count once; none may multiply.
    assert 1 <= sum(message["Subject"] == "twice" for message in server.mail("alice@a.example")) <= 2


@pytest.mark.parametrize("recipient", ["postmaster@a.example", "Postmaster@all.example", "postmaster"])
def test_postmaster_always_means_someone(lab, server, recipient):
    with smtp(lab["client"], server.host) as client:
        client.mail("someone@b.example")
        assert client.docmd("RCPT", f"TO:<{recipient}>")[0] == 250


def test_account_can_be_removed_while_running(lab, server: Thurn):
    server.add_account("gone@a.example")
    deliver(lab, server, "still here", "gone@a.example")
    server.wait_for_mail("gone@a.example", "still here")
    server.cli("account", "remove", "gone@a.example")
    with smtp(lab["client"], server.host) as client:
        client.mail("someone@b.example")
        assert client.rcpt("gone@a.example")[0] == 550


def test_several_recipients_in_one_transaction(lab, server):
    deliver(lab, server, "both", "alice@a.example", "bob@a.example")
    for mailbox in ("alice@a.example", "bob@a.example"):
        server.wait_for_mail(mailbox, "both")


def test_dots_and_eight_bit_survive(lab, server):
    content = "From: someone@b.example\r\nSubject: dots\r\n\r\n.one\r\n..two\r\n.\r\nüml\r\n".encode()
    with smtp(lab["client"], server.host) as client:
        send_on(client, content, "someone@b.example", ["bob@a.example"])
    message = server.wait_for_mail("bob@a.example", "dots")
    assert message.as_bytes().endswith(".one\n..two\n.\nüml\n".encode())
