"""thurn and other mail servers send to each other by MX, under STARTTLS."""

import base64
import json
import re

import pytest
from clients import make_message, send_on, smtp, submit
from thurn import PASSWORD, message_id


@pytest.fixture(scope="module")
def a(make_thurn):
    return make_thurn("a")


@pytest.fixture(scope="module")
def b(make_thurn):
    return make_thurn("b")


def received(message):
    return " ".join(" ".join(message.get_all("Received")).split())


def test_thurn_to_thurn(lab, a, b):
    identifier = message_id(submit(lab["client"], a.host, "a to b", "bob@b.example"))
    message = b.wait_for_mail("bob@b.example", "a to b")
    first, second = [" ".join(line.split()) for line in message.get_all("Received")]
    assert "from mx.a.example" in first and "by mx.b.example" in first and "with ESMTPS " in first
    assert "with ESMTPSA" in second and identifier in second
    story = a.wait_for_trace(identifier, "mx.b.example", "TLSv1.3", "delivered")
    assert lab["b"].ip in story or lab["b"].ip6 in story
    assert b.trace(message_id(first)).count("delivered") >= 1


def test_thurn_to_thurn_many_at_once(lab, a, b):
    with smtp(lab["client"], a.host, 587, "starttls", "alice@a.example") as client:
        for number in range(50):
            send_on(client, make_message(f"many {number}"), "alice@a.example", ["alice@b.example", "bob@b.example"])
    a.wait_for_empty_queue()
    b.wait_for_empty_queue()
    for user in ("alice", "bob"):
        subjects = [message["Subject"] for message in b.mail(f"{user}@b.example")]
        assert sorted(subject for subject in subjects if subject.startswith("many")) == sorted(f"many {number}" for number in range(50))


def test_thurn_to_postfix(lab, a, postfix):
    identifier = message_id(submit(lab["client"], a.host, "a to postfix", "someone@p.example"))
    message = postfix.wait_for_mail("a to postfix")
    assert message["Return-Path"] == "<alice@a.example>"
    assert "TLSv1.3" in received(message) and "from mx.a.example" in received(message)
    a.wait_for_trace(identifier, "mx.p.example", "TLSv1.3", "queued as", "delivered")


def test_postfix_to_thurn(lab, a, postfix):
    with smtp(lab["client"], lab["postfix"]) as client:
        send_on(client, make_message("postfix to a"), "someone@p.example", ["bob@a.example"])
    message = a.wait_for_mail("bob@a.example", "postfix to a", limit=30)
    assert "from mx.p.example" in received(message) and "with ESMTPS " in received(message)


def test_thurn_to_exim(lab, a, exim):
    identifier = message_id(submit(lab["client"], a.host, "a to exim", "someone@e.example"))
    message = exim.wait_for_mail("a to exim")
    assert "with esmtps" in received(message)
    a.wait_for_trace(identifier, "mx.e.example", "TLSv1.", "delivered")


def test_exim_to_thurn(lab, a, exim):
    with smtp(lab["client"], lab["exim"]) as client:
        send_on(client, make_message("exim to a"), "someone@e.example", ["bob@a.example"])
    message = a.wait_for_mail("bob@a.example", "exim to a", limit=30)
    assert "from mx.e.example" in received(message) and "with ESMTPS " in received(message)


def test_bounce_by_postfix_comes_home(lab, a, postfix):
    """Postfix refuses a recipient of a domain it does not relay for us... it does for the lab, so it is an unknown domain that bounces."""
    with smtp(lab["client"], lab["postfix"]) as client:
        send_on(client, make_message("will bounce"), "alice@a.example", ["someone@nowhere.example"])
    report = a.wait_for_mail("alice@a.example", "Undelivered Mail Returned to Sender", limit=30)
    assert report.get_content_type() == "multipart/report" and report["Return-Path"] == "<>"


WRONG_SECRET = "a-secret-that-is-wrong"


@pytest.fixture(scope="module")
def smarthost_user(lab, make_thurn):
    """a.example sends by the submission ports of b.example, under logins that are right and wrong."""
    b = make_thurn("b", submission={"senders": "any"}, domain=[{"name": "b.example"}, {"name": "starttls.example", "catch_all": "bob@b.example"},
                                                                 {"name": "implicit.example", "catch_all": "bob@b.example"}])
    secrets = {}
    for name, password in (("right", PASSWORD), ("wrong", WRONG_SECRET)):
        secrets[name] = lab.folder / f"{name}.auth"
        secrets[name].write_text(f"alice@b.example:{password}\n")
        secrets[name].chmod(0o600)
    routes = [("starttls.example", "smtp://b.lab:587", "right"), ("implicit.example", "smtps://b.lab:465", "right"), ("wrong.example", "smtp://b.lab:587", "wrong")]
    a = make_thurn("a", route=[{"recipient_domain": domain, "next_hop": hop, "tls": "encrypt", "auth": f"file:{secrets[name]}"} for domain, hop, name in routes],
                   log={"level": "debug"})
    return a, b


@pytest.mark.parametrize("domain, port, listener", [("starttls.example", 587, "submission"), ("implicit.example", 465, "submissions")])
def test_smarthost_with_a_login(lab, smarthost_user, faulty, domain, port, listener):
    a, b = smarthost_user
    identifier = message_id(submit(lab["client"], a.host, f"by {listener}", f"someone@{domain}"))
    a.wait_for_trace(identifier, "someone@" + domain + " delivered")
    attempt = next(event for event in a.json("trace", identifier) if event["event"] == "attempted")
    assert attempt["host"].startswith("b.lab [") and attempt["host"].endswith(f":{port}") and "TLSv1.3" in attempt["tls"]
    accepted = b.json("trace", message_id(attempt["replies"][-1]))[0]
    assert b.wait_for_mail("bob@b.example", f"by {listener}")["Return-Path"] == "<alice@a.example>"
    assert (accepted["listener"], accepted["login"], accepted["sender"]) == (listener, "alice@b.example", "alice@a.example")
    assert re.search(rf"event=auth .*listener={listener} mechanism=SCRAM-SHA-256-PLUS login=alice@b\.example result=ok", b.log_text()), "the strongest that both have"
    assert PASSWORD not in a.log_text() + a.trace(identifier) + b.log_text()


def test_smarthost_that_refuses_the_login_lets_mail_wait(lab, smarthost_user):
    """It is the administrator who must mend it: nothing bounces, and the reason is told without the secret."""
    a, b = smarthost_user
    identifier = message_id(submit(lab["client"], a.host, "wrong login", "someone@wrong.example"))
    story = a.wait_for_trace(identifier, "b.lab [", "someone@wrong.example deferred", "535 5.7.8")
    queue = a.cli("queue", "show", identifier).stdout
    assert "535 5.7.8" in queue and "bounced" not in story and not a.mail("alice@a.example") and not b.mail("bob@b.example")[2:]
    assert "event=auth" in b.log_text() and 'result=refused' in b.log_text()
    encoded = base64.b64encode(f"\0alice@b.example\0{WRONG_SECRET}".encode()).decode()
    for text in (story, queue, a.log_text(), b.log_text(), json.dumps(a.json("trace", identifier))):
        assert WRONG_SECRET not in text and encoded not in text
    a.cli("queue", "delete", identifier)


def test_smarthost_route(lab, make_thurn, postfix):
    server = make_thurn("a", route=[{"recipient_domain": "*.routed.example", "next_hop": "smtp://mx.p.example:25", "tls": "encrypt"}], relay={"networks": ["10.77.0.2/32"]})
    with smtp(lab["client"], server.host) as client:
        # Postfix refuses nothing from the lab; what it cannot deliver bounces. The route is told by the trace.
        identifier = message_id(send_on(client, make_message("by smarthost"), "alice@a.example", ["someone@x.routed.example"]))
    server.wait_for_trace(identifier, "mx.p.example", "TLSv1.3", "delivered")
