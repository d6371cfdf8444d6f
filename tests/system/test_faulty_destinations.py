"""Destinations that misbehave: each message ends as it should, and its trace tells why."""

import json

import pytest
from clients import make_message, send_on, smtp, submit
from lab import wait_until
from scripted import CLOSE, HANG
from thurn import message_id


@pytest.fixture(scope="module")
def server(make_thurn):
    return make_thurn("a")


@pytest.fixture
def send(lab, server):
    """send("d.example") submits a message for someone there; gives its id."""
    count = iter(range(1000))

    def submit_one(domain, user="someone", **options):
        return message_id(submit(lab["client"], server.host, f"for {domain} {next(count)}", f"{user}@{domain}", **options))
    return submit_one


def queued_entry(server, identifier):
    return next((json.dumps(entry) for entry in server.queued() if identifier in json.dumps(entry)), None)


def wait_for_bounce(server, identifier, recipient, limit=30):
    """The report in the sender's mailbox about that recipient."""
    def arrived():
        for message in server.mail("alice@a.example"):
            if message.get_content_type() == "multipart/report" and recipient in message.as_string() and identifier in message.as_string():
                return message
        return None
    return wait_until(arrived, limit, lambda: f"a report about {recipient}; trace:\n{server.trace(identifier)}")


def test_451_once_is_delivered_at_the_next_try(server, send, faulty):
    peer = faulty(RCPT=["451 4.7.1 greylisted, come back", "250 2.1.5 ok"])
    identifier = send("later.example")
    peer.wait_for_messages(1)
    story = server.wait_for_trace(identifier, "451 4.7.1 greylisted", "delivered")
    assert story.index("451 4.7.1") < story.rindex("delivered")


def test_deferred_mail_tells_why_it_waits(lab, make_thurn, send, faulty, server):
    faulty(RCPT="451 4.7.1 greylisted, come back")
    server.configure(queue={"retry": ["1m"]})
    server.reload()
    server.wait_for_log("event=reloaded")
    identifier = send("held.example")
    server.wait_for_trace(identifier, "451 4.7.1 greylisted")
    entry = wait_until(lambda: queued_entry(server, identifier), what="an entry in the queue")
    assert "451 4.7.1 greylisted" in entry and "someone@held.example" in entry
    assert "451 4.7.1 greylisted" in server.cli("queue", "show", identifier).stdout
    server.cli("queue", "delete", identifier)
    server.configure(queue={"retry": ["1s"]})
    server.reload()


def test_550_bounces_with_a_proper_report(server, send, faulty):
    peer = faulty(RCPT="550 5.1.1 no such person here")
    identifier = send("refusing.example")
    report = wait_for_bounce(server, identifier, "someone@refusing.example")
    assert not peer.messages
    # RFC 3464: a text, the status fields, the returned message or its header
    assert report.get_param("report-type") == "delivery-status"
    text, status, returned = report.get_payload()
    assert text.get_content_type() == "text/plain" and "someone@refusing.example" in text.get_content()
    assert status.get_content_type() == "message/delivery-status"
    message_fields, recipient_fields = status.get_payload()
    assert message_fields["Reporting-MTA"].replace(" ", "") == "dns;mx.a.example"
    assert recipient_fields["Final-Recipient"].replace(" ", "").lower() == "rfc822;someone@refusing.example"
    assert recipient_fields["Action"] == "failed" and recipient_fields["Status"] == "5.1.1"
    assert "550 5.1.1 no such person here" in recipient_fields["Diagnostic-Code"]
    assert returned.get_content_type() in ("message/rfc822", "text/rfc822-headers")
    assert report["Return-Path"] == "<>" and report["To"] == "alice@a.example" and report["Auto-Submitted"]
    server.wait_for_trace(identifier, "550 5.1.1 no such person here", "bounced")
    wait_until(lambda: not queued_entry(server, identifier), what="it has left the queue")


def test_550_after_content_bounces(server, send, faulty):
    faulty(content="554 5.6.0 no thanks")
    identifier = send("refusing.example", user="content")
    wait_for_bounce(server, identifier, "content@refusing.example")
    server.wait_for_trace(identifier, "554 5.6.0 no thanks", "bounced")


def test_mixed_recipients_each_end_their_own_way(lab, server, faulty):
    peer = faulty(RCPT=lambda command: "550 5.1.1 unknown" if "bad" in command else "250 2.1.5 ok")
    identifier = message_id(submit(lab["client"], server.host, "mixed", ["good@mixed.example", "bad@mixed.example"]))
    peer.wait_for_messages(1)
    assert len(peer.messages[0].recipients) == 1
    report = wait_for_bounce(server, identifier, "bad@mixed.example")
    assert "Final-Recipient: rfc822; good@" not in report.as_string()
    wait_until(lambda: not queued_entry(server, identifier), what="it has left the queue")


def test_connection_closed_in_the_middle_is_retried(server, send, faulty):
    peer = faulty(DATA=[CLOSE, "354 go on"])
    identifier = send("closing.example")
    peer.wait_for_messages(1)
    server.wait_for_trace(identifier, "deferred", "delivered")


def test_connection_closed_behind_the_dot_is_retried(server, send, faulty):
    peer = faulty(content=[CLOSE, "250 2.0.0 taken"])
    identifier = send("closing.example")
    peer.wait_for_messages(1)
    server.wait_for_trace(identifier, "deferred", "delivered")


def test_hang_behind_the_dot_times_out_and_is_retried(make_thurn, server, send, faulty):
    peer = faulty(content=[HANG, "250 2.0.0 taken"])
    server.configure(outbound={"ending_timeout": "2s"})
    server.reload()
    identifier = send("hanging.example")
    peer.wait_for_messages(1, limit=40)
    server.wait_for_trace(identifier, "deferred", "delivered")


def test_refused_greeting_is_deferred_not_bounced(server, send, faulty):
    faulty(greeting="554 5.3.2 not today")
    identifier = send("greeting.example")
    server.wait_for_trace(identifier, "554 5.3.2 not today", "deferred")
    assert queued_entry(server, identifier)
    server.cli("queue", "delete", identifier)


def test_dead_first_mx_is_passed_over(server, send, faulty):
    peer = faulty()
    identifier = send("deadfirst.example")
    peer.wait_for_messages(1)
    story = server.wait_for_trace(identifier, "live.deadfirst.example", "delivered")
    assert "dead.deadfirst.example" in story


def test_domain_without_mx_is_reached_by_its_address(server, send, faulty):
    peer = faulty()
    send("addressonly.example")
    peer.wait_for_messages(1)


def test_down_is_deferred_and_delivered_once_up(lab, server, send, faulty):
    identifier = send("up.example")  # nobody listens there yet
    server.wait_for_trace(identifier, "deferred")
    entry = wait_until(lambda: queued_entry(server, identifier), what="an entry in the queue")
    assert "refused" in entry.lower()
    peer = faulty()
    server.cli("queue", "retry", identifier)
    peer.wait_for_messages(1)
    server.wait_for_trace(identifier, "delivered")


def test_null_mx_bounces_at_once(server, send):
    identifier = send("nullmx.example")
    report = wait_for_bounce(server, identifier, "someone@nullmx.example")
    assert "5.1.10" in report.as_string()  # RFC 7505 §4.1
    server.wait_for_trace(identifier, "5.1.10", "bounced")


def test_domain_that_does_not_exist_bounces(server, send):
    identifier = send("nowhere.example")
    report = wait_for_bounce(server, identifier, "someone@nowhere.example")
    assert "5.1.2" in report.as_string()
    server.wait_for_trace(identifier, "bounced")


def test_mx_that_is_ourselves_is_no_loop(server, send):
    identifier = send("loop.example")
    report = wait_for_bounce(server, identifier, "someone@loop.example")
    assert "5.4.6" in report.as_string()


def test_mail_from_the_null_path_never_bounces(lab, server, faulty):
    faulty(RCPT="550 5.1.1 no such person here")
    with smtp(lab["client"], server.host, 587, "starttls", "alice@a.example") as client:
        code, _ = client.docmd("MAIL", "FROM:<>")
        if code != 250:  # logins must name themselves: then the null path cannot be sent outwards at all
            return
        client.rset()
        identifier = message_id(send_on(client, make_message("null"), "", ["someone@refusing.example"]))
    server.wait_for_trace(identifier, "550 5.1.1")
    wait_until(lambda: not queued_entry(server, identifier), what="it has left the queue")
    assert not [message for user in ("alice", "bob", "postmaster") for message in server.mail(f"{user}@a.example") if identifier in message.as_string()]


def test_helo_where_ehlo_is_refused(server, send, faulty):
    peer = faulty(EHLO="502 5.5.1 what?")
    identifier = send("flaky.example")
    peer.wait_for_messages(1)
    assert any(command.startswith("HELO ") for command in peer.commands)
    server.wait_for_trace(identifier, "delivered")
