"""Destinations that misbehave: each message ends as it should, and its trace tells why."""

import datetime
import json
import time

import pytest
from clients import make_message, send_on, smtp, submit
from lab import wait_until
from scripted import CLOSE, HANG
from thurn import message_id


@pytest.fixture(scope="module")
def server(lab, make_thurn):
    return make_thurn("a", relay={"networks": [f"{lab['client'].ip}/32"]})


@pytest.fixture
def send(lab, server):
    """send("d.example") submits a message for someone there; gives its id."""
    count = iter(range(1000))

    def submit_one(domain, user="someone", **options):
        return message_id(submit(lab["client"], server.host, f"for {domain} {next(count)}", f"{user}@{domain}", **options))
    return submit_one


def reload(server):
    logged = len(server.log_text())
    server.reload()
    server.wait_for_log("event=reloaded", after=logged)


def queued_entry(server, identifier):
    return next((json.dumps(entry) for entry in server.queued() if identifier in json.dumps(entry)), None)


def wait_for_attempts(server, identifier, *told):
    """Waits until the trace tells these attempts, in this order: pairs of host and reason, of which one attempt must hold both. Gives the outcomes
    of the recipients, in order."""
    events = []

    def all_told():
        events[:] = server.json("trace", identifier)
        attempts = iter([event for event in events if event["event"] == "attempted"])
        return all(any(attempt["host"].startswith(host) and reason in " ".join([attempt["result"], *attempt["replies"]]) for attempt in attempts)
                   for host, reason in told)
    wait_until(all_told, 20, lambda: f"trace of {identifier} tells {told}; it is:\n{server.trace(identifier)}", step=0.2)
    return [(event["recipient"], event["outcome"], event["status"]) for event in events if event["event"] == "settled"]


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
    outcomes = wait_for_attempts(server, identifier, ("mx.later.example", "451 4.7.1 greylisted"), ("mx.later.example", "delivered"))
    assert outcomes == [("someone@later.example", "deferred", "451 4.7.1 greylisted, come back"), ("someone@later.example", "delivered", "250 2.0.0 taken")]


def test_deferred_mail_tells_why_it_waits(lab, make_thurn, send, faulty, server):
    faulty(RCPT="451 4.7.1 greylisted, come back")
    server.configure(queue={"retry": ["1m"]})
    reload(server)
    identifier = send("held.example")
    server.wait_for_trace(identifier, "451 4.7.1 greylisted")
    entry = wait_until(lambda: queued_entry(server, identifier), what="an entry in the queue")
    assert "451 4.7.1 greylisted" in entry and "someone@held.example" in entry
    assert "451 4.7.1 greylisted" in server.cli("queue", "show", identifier).stdout
    server.cli("queue", "delete", identifier)
    server.configure(queue={"retry": ["1s"]})
    reload(server)


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
    assert wait_for_attempts(server, identifier, ("mx.refusing.example", "550 5.1.1 no such person here")) == [
        ("someone@refusing.example", "bounced", "550 5.1.1 no such person here")]
    wait_until(lambda: not queued_entry(server, identifier), what="it has left the queue")


def test_550_after_content_bounces(server, send, faulty):
    faulty(content="554 5.6.0 no thanks")
    identifier = send("refusing.example", user="content")
    wait_for_bounce(server, identifier, "content@refusing.example")
    assert wait_for_attempts(server, identifier, ("mx.refusing.example", "554 5.6.0 no thanks")) == [
        ("content@refusing.example", "bounced", "554 5.6.0 no thanks")]


def test_mixed_recipients_each_end_their_own_way(lab, server, faulty):
    peer = faulty(RCPT=lambda command: "550 5.1.1 unknown" if "bad" in command else "250 2.1.5 ok")
    identifier = message_id(submit(lab["client"], server.host, "mixed", ["good@mixed.example", "bad@mixed.example"]))
    peer.wait_for_messages(1)
    assert len(peer.messages[0].recipients) == 1
    report = wait_for_bounce(server, identifier, "bad@mixed.example")
    assert "Final-Recipient: rfc822; good@" not in report.as_string()
    wait_until(lambda: not queued_entry(server, identifier), what="it has left the queue")


@pytest.mark.parametrize("answers, reason", [({"DATA": [CLOSE, "354 go on"]}, "closed the connection in the envelope"),
                                             ({"content": [CLOSE, "250 2.0.0 taken"]}, "closed the connection after the final dot")])
def test_connection_closed_is_retried(server, send, faulty, answers, reason):
    peer = faulty(**answers)
    identifier = send("closing.example")
    peer.wait_for_messages(1)
    first, second = wait_for_attempts(server, identifier, ("mx.closing.example", reason), ("mx.closing.example", "delivered"))
    assert first[1] == "deferred" and first[2].startswith(f"451 4.4.2 mx.closing.example [{peer.host.ip}]:25 {reason}")
    assert second[1:] == ("delivered", "250 2.0.0 taken")


def test_hang_behind_the_dot_times_out_and_is_retried(server, send, faulty):
    peer = faulty(content=[HANG, "250 2.0.0 taken"])
    server.configure(outbound={"ending_timeout": "2s"})
    reload(server)
    identifier = send("hanging.example")
    peer.wait_for_messages(1, limit=40)
    first, second = wait_for_attempts(server, identifier, ("mx.hanging.example", "was silent after the final dot"), ("mx.hanging.example", "delivered"))
    assert first[1] == "deferred" and first[2].startswith(f"451 4.4.2 mx.hanging.example [{peer.host.ip}]:25 was silent after the final dot")
    assert second[1:] == ("delivered", "250 2.0.0 taken")


def test_refused_greeting_is_deferred_not_bounced(server, send, faulty):
    faulty(greeting="554 5.3.2 not today")
    identifier = send("greeting.example")
    _, outcome, status = wait_for_attempts(server, identifier, ("mx.greeting.example", "554 5.3.2 not today"))[0]
    assert outcome == "deferred" and "refused the session: 554 5.3.2 not today" in status
    assert queued_entry(server, identifier)
    server.cli("queue", "delete", identifier)


def test_dead_first_mx_is_passed_over(server, send, faulty):
    peer = faulty()
    identifier = send("deadfirst.example")
    peer.wait_for_messages(1)
    assert wait_for_attempts(server, identifier, ("dead.deadfirst.example", "refused"), ("live.deadfirst.example", "delivered")) == [
        ("someone@deadfirst.example", "delivered", "250 2.0.0 taken")]


@pytest.mark.parametrize("domain, host", [("addressonly.example", "addressonly.example"), ("alias.example", "mx.canonical.example"), ("aliasmx.example", "")])
def test_domain_is_reached(server, send, faulty, domain, host):
    """By its own address where there is no MX; by the MX of what it is an alias for; by an MX that is an alias itself (RFC 5321 §5.1)."""
    peer = faulty()
    identifier = send(domain)
    peer.wait_for_messages(1)
    assert wait_for_attempts(server, identifier, (host, "delivered")) == [(f"someone@{domain}", "delivered", "250 2.0.0 taken")]
    assert peer.messages[0].recipients == [f"RCPT TO:<someone@{domain}>"]


def test_down_is_deferred_and_delivered_once_up(lab, server, send, faulty):
    identifier = send("up.example")  # nobody listens there yet
    wait_for_attempts(server, identifier, ("mx.up.example", "refused"))
    entry = wait_until(lambda: queued_entry(server, identifier), what="an entry in the queue")
    assert "refused" in entry.lower()
    peer = faulty()
    server.cli("queue", "retry", identifier)
    peer.wait_for_messages(1)
    outcomes = wait_for_attempts(server, identifier, ("mx.up.example", "delivered"))
    assert outcomes[0][1] == "deferred" and "451 4.4.1 " in outcomes[0][2] and "refused" in outcomes[0][2] and outcomes[-1][1] == "delivered"


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


def reports(server, about):
    """The reports about a message, in all mailboxes."""
    return [message for user in ("alice", "bob", "postmaster") for message in server.mail(f"{user}@a.example")
            if message.get_content_type() == "multipart/report" and about in message.as_string()]


def test_mail_from_the_null_path_never_bounces(lab, server, faulty):
    faulty(RCPT="550 5.1.1 no such person here")
    with smtp(lab["client"], server.host) as client:
        null, named = [message_id(send_on(client, make_message("null path"), sender, ["someone@refusing.example"])) for sender in ("", "alice@a.example")]
    wait_for_attempts(server, null, ("mx.refusing.example", "550 5.1.1"))
    server.wait_for_trace(null, "bounced: 550 5.1.1", "no bounce: it came from the null path")
    wait_for_bounce(server, named, "someone@refusing.example")  # from here the same would have come for the other
    wait_until(lambda: not queued_entry(server, null) and not queued_entry(server, named), what="both have left the queue")
    assert not reports(server, null) and "bounce sent" not in server.trace(null)
    assert server.mail("bob@a.example") == server.mail("postmaster@a.example") == []


def test_delay_is_told_once_and_never_to_the_null_path(lab, server, faulty):
    """The second attempt takes so long that the moment of the notice passes while it is under way."""
    server.configure(queue={"delay_notice": "2s"})
    reload(server)
    waits = iter([0, 2])
    peer = faulty(RCPT=lambda command: time.sleep(next(waits, 0) if "slow.example" in command else 0) or "451 4.7.1 later")
    with smtp(lab["client"], server.host) as client:
        named = message_id(send_on(client, make_message("delayed"), "alice@a.example", ["someone@slow.example"]))
        null = message_id(send_on(client, make_message("null path"), "", ["someone@held.example"]))
    report = wait_until(lambda: reports(server, named), what="a report")[0]
    assert report.get_param("report-type") == "delivery-status" and report["Return-Path"] == "<>"
    message_fields, recipient_fields = report.get_payload()[1].get_payload()
    assert recipient_fields["Action"] == "delayed" and recipient_fields["Status"] == "4.7.1" and message_fields["Arrival-Date"]
    assert recipient_fields["Final-Recipient"] == "rfc822; someone@slow.example" and recipient_fields["Will-Retry-Until"]
    assert "451 4.7.1 later" in recipient_fields["Diagnostic-Code"] and "mx.slow.example" in recipient_fields["Remote-MTA"]

    def attempts_behind_the_notice(identifier):
        events = server.json("trace", identifier)
        begin, *moments = [datetime.datetime.fromisoformat(event["at"]) for event in events if event["event"] in ("accepted", "settled")]
        return sum(moment - begin > datetime.timedelta(seconds=2) for moment in moments)
    wait_until(lambda: min(attempts_behind_the_notice(named), attempts_behind_the_notice(null)) >= 2, 20, "attempts behind the notice", step=0.3)
    assert queued_entry(server, named) and queued_entry(server, null)
    assert len(reports(server, named)) == 1 and server.trace(named).count("delay notice sent") == 1
    assert not reports(server, null) and "delay notice" not in server.trace(null)
    peer.set(RCPT="250 2.1.5 ok")
    peer.wait_for_messages(2)
    server.configure(queue={"delay_notice": "4h"})
    reload(server)


def test_helo_where_ehlo_is_refused(server, send, faulty):
    peer = faulty(EHLO="502 5.5.1 what?")
    identifier = send("flaky.example")
    peer.wait_for_messages(1)
    assert any(command.startswith("HELO ") for command in peer.commands)
    server.wait_for_trace(identifier, "delivered")
