"""Recipients of relayed domains: their next hop is asked before they are taken."""

import re

import pytest
from clients import converse, make_message, send_on, smtp, submit
from scripted import HANG


def answer_by_name(command):
    if "known" in command or "there" in command:
        return "250 2.1.5 recipient ok"
    return "451 4.3.0 later" if "perhaps" in command else "550 5.1.1 nobody of that name"


@pytest.fixture(scope="module")
def server(make_thurn):
    return make_thurn("a", relay={"networks": [], "domains": ["up.example", "down.example", "p.example"], "verify_recipients": True}, policy={"time_limit": "2s"})


def recipient_reply(lab, server, recipient):
    with converse(lab["client"], server.host) as talk:
        talk.say("EHLO client.lab")
        talk.say("MAIL FROM:<someone@w.example>")
        return talk.say(f"RCPT TO:<{recipient}>")


def test_recipients_are_taken_as_their_next_hop_would(lab, server, faulty):
    peer = faulty(RCPT=answer_by_name)
    for _ in range(2):
        assert recipient_reply(lab, server, "known@up.example").startswith("250 ")
        assert re.match(r"550 5\.1\.1 no such mailbox at the server", recipient_reply(lab, server, "nobody@up.example"))
    assert [command for command in peer.commands if command.startswith("RCPT")] == ["RCPT TO:<known@up.example>", "RCPT TO:<nobody@up.example>"], "asked once each"
    assert not peer.messages and "DATA" not in peer.commands
    assert recipient_reply(lab, server, "perhaps@up.example").startswith("250 "), "no answer is no refusal"
    server.wait_for_log(r"event=refused .*subject=nobody@up\.example .*rule=unknown-recipient")


def test_what_is_taken_gets_there(lab, server, faulty):
    peer = faulty(RCPT=answer_by_name)
    with smtp(lab["client"], server.host) as client:
        send_on(client, make_message("asked for first", sender="someone@w.example"), "someone@w.example", ["there@up.example"])
    server.wait_for_empty_queue()
    assert [message.recipients for message in peer.messages] == [["RCPT TO:<there@up.example>"]]


def test_users_are_told_at_once_too(lab, server, faulty):
    faulty(RCPT=answer_by_name)
    with smtp(lab["client"], server.host, 587, "starttls", "alice@a.example") as client:
        client.mail("alice@a.example")
        code, reply = client.rcpt("typo@up.example")
        assert (code, reply[:5]) == (550, b"5.1.1")


@pytest.mark.parametrize("way", ["silent", "not there", "unknown sender"])
def test_mail_is_taken_while_nobody_can_be_asked(lab, server, faulty, way):
    recipient = f"{way.split()[0]}@up.example"
    if way == "silent":
        faulty(greeting=HANG)
    elif way == "unknown sender":
        faulty(MAIL="550 5.7.1 no mail from you")
    else:
        recipient = "someone@down.example"
    assert recipient_reply(lab, server, recipient).startswith("250 ")


def test_postfix_is_asked(lab, server, postfix):
    assert recipient_reply(lab, server, "postmaster@p.example").startswith("250 ")
    assert "RCPT from" not in postfix.log_text(), "it was asked without a fault"
    submit(lab["client"], server.host, "to postfix", "postmaster@p.example")
    server.wait_for_empty_queue()
    postfix.wait_for_mail("to postfix")


def test_a_rule_can_have_strangers_wait_instead(lab, server, faulty):
    faulty(RCPT=answer_by_name)
    server.configure(rule=[{"name": "unverified-recipient", "stage": "rcpt", "when": 'client.stranger and recipient.kind = "relayed" and recipient.exists unavailable', "action": "defer"}])
    heard = len(server.log_text())
    server.reload()
    server.wait_for_log("event=reloaded", after=heard)
    assert recipient_reply(lab, server, "perhaps2@up.example").startswith("450 4.7.1 ")
    assert recipient_reply(lab, server, "nobody2@up.example").startswith("550 5.1.1 ")
