"""What mail programs ask for beyond the plain message: delivery reports, chunks, addresses in UTF-8, later sending."""

import email.policy
import smtplib
import time

import pytest
from clients import make_message, smtp
from lab import wait_until
from thurn import message_id

CONTENT = b"From: alice@a.example\r\nTo: x@y.example\r\nSubject: reported\r\n\r\nHello.\r\n"


@pytest.fixture(scope="module")
def a(make_thurn):
    return make_thurn("a")


@pytest.fixture(scope="module")
def b(make_thurn):
    return make_thurn("b")


def send(lab, server, recipients, mail_options=(), content=CONTENT, sender="alice@a.example"):
    """Submits with parameters of MAIL and, for each recipient, of RCPT; gives the id."""
    with smtp(lab["client"], server.host, 587, "starttls", "alice@a.example") as client:
        assert client.docmd("MAIL", " ".join([f"FROM:<{sender}>", *mail_options]))[0] == 250
        for recipient, options in recipients:
            code, text = client.docmd("RCPT", " ".join([f"TO:<{recipient}>", *options]))
            assert code == 250, text
        code, text = client.data(content)
        assert code == 250, text
        return message_id(text)


def fields(part):
    """The blocks of a message/delivery-status part."""
    return [{name.lower(): " ".join(str(value).split()) for name, value in block.items()} for block in part.get_payload()]


class Reports:
    """What came back to alice, by the id of the message it is about."""

    def __init__(self, server):
        self.server = server

    def about(self, identifier):
        return [message for message in self.server.mail("alice@a.example")
                if message.get_content_type() == "multipart/report" and identifier in message.as_string(policy=email.policy.compat32)]

    def one(self, identifier):
        return wait_until(lambda: self.about(identifier), 20, f"a report about {identifier}")[0]


@pytest.fixture(scope="module")
def reports(a):
    return Reports(a)


# Delivery reports

def test_success_is_told_who_asks(lab, a, reports):
    identifier = send(lab, a, [("bob@a.example", ["NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;Bob+2Bx@first.example"])], ["RET=HDRS", "ENVID=QQ+2B1"])
    report = reports.one(identifier)
    status = list(report.iter_parts())[1]
    message, recipient = fields(status)
    assert message["original-envelope-id"] == "QQ+1"
    assert recipient["original-recipient"] == "rfc822; Bob+x@first.example"
    assert recipient["final-recipient"] == "rfc822; bob@a.example"
    assert recipient["action"] == "delivered" and recipient["status"].startswith("2.")
    assert report["Subject"] == "Your message was delivered"
    assert report["Return-Path"] == "<>"


def test_nobody_is_told_who_did_not_ask(lab, a, reports):
    quiet = send(lab, a, [("bob@a.example", [])])
    loud = send(lab, a, [("bob@a.example", ["NOTIFY=SUCCESS"])])
    reports.one(loud)
    assert not reports.about(quiet)


def test_never_means_never(lab, a, reports, faulty):
    peer = faulty(RCPT="550 5.1.1 no such user")
    identifier = send(lab, a, [("x@refusing.example", ["NOTIFY=NEVER"])])
    a.wait_for_trace(identifier, "bounced", "no bounce", "NOTIFY")
    told = send(lab, a, [("x@refusing.example", ["NOTIFY=FAILURE"])])
    reports.one(told)
    assert not reports.about(identifier)
    assert not peer.messages


def test_bounce_returns_the_whole_message_when_asked_for(lab, a, reports, faulty):
    faulty(RCPT="550 5.1.1 no such user")
    whole = send(lab, a, [("x@refusing.example", [])], ["RET=FULL"])
    header = send(lab, a, [("x@refusing.example", [])], ["RET=HDRS"])
    third = list(reports.one(whole).iter_parts())[2]
    assert third.get_content_type() == "message/rfc822"
    assert third.get_payload()[0].get_content() == "Hello.\n"
    third = list(reports.one(header).iter_parts())[2]
    assert third.get_content_type() == "text/rfc822-headers" and "Subject: reported" in third.get_payload()


def test_relayed_is_told_where_the_next_host_cannot_report(lab, a, reports, faulty):
    peer = faulty()
    identifier = send(lab, a, [("x@up.example", ["NOTIFY=SUCCESS"])])
    recipient = fields(list(reports.one(identifier).iter_parts())[1])[1]
    assert recipient["action"] == "relayed" and recipient["remote-mta"].startswith("dns; mx.up.example")
    assert peer.messages and not any("NOTIFY" in command for command in peer.commands)


def test_wishes_travel_with_the_message(lab, a, b):
    identifier = send(lab, a, [("bob@b.example", ["NOTIFY=SUCCESS", "ORCPT=rfc822;bob@b.example"])], ["ENVID=travels"])
    b.wait_for_mail("bob@b.example", "reported")
    told = wait_until(lambda: [message for message in a.mail("alice@a.example") if "travels" in str(message)], 20, "b's report")[0]
    message, recipient = fields(list(told.iter_parts())[1])
    assert message["original-envelope-id"] == "travels" and message["reporting-mta"] == "dns; mx.b.example"
    assert recipient["action"] == "delivered" and recipient["final-recipient"] == "rfc822; bob@b.example"
    assert "report sent" not in a.trace(identifier)


def test_postfix_reports_what_we_ask_it_to(lab, a, postfix):
    send(lab, a, [("someone@p.example", ["NOTIFY=SUCCESS"])], ["ENVID=by-postfix"])
    told = wait_until(lambda: [message for message in a.mail("alice@a.example") if "by-postfix" in str(message)], 30, "Postfix's report")[0]
    assert "mx.p.example" in str(told) and "Action: delivered" in str(told)


def test_wishes_outlive_a_restart(lab, a, reports, faulty):
    identifier = send(lab, a, [("x@later.example", ["NOTIFY=FAILURE", "ORCPT=rfc822;kept@x.example"])], ["ENVID=kept"])
    a.kill()
    a.start()
    faulty(RCPT="550 5.1.1 no such user")
    message, recipient = fields(list(reports.one(identifier).iter_parts())[1])
    assert message["original-envelope-id"] == "kept" and recipient["original-recipient"] == "rfc822; kept@x.example"


# Chunks

def test_chunks_make_one_message(lab, a):
    with smtp(lab["client"], a.host) as client:
        assert client.has_extn("chunking")
        client.mail("x@elsewhere.example")
        client.rcpt("bob@a.example")
        for chunk, last in ((b"From: x@elsewhere.example\r\nSubject: chunks\r\n\r\nfirst\r", ""), (b"\n.\r\nsecond", ""), (b"", " LAST")):
            client.send(f"BDAT {len(chunk)}{last}\r\n".encode() + chunk)
            code, text = client.getreply()
            assert code == 250, text
    message = a.wait_for_mail("bob@a.example", "chunks")
    assert message.get_content() == "first\n.\nsecond\n"


def test_a_bare_line_feed_in_a_chunk_is_refused(lab, a):
    with smtp(lab["client"], a.host) as client:
        client.mail("x@elsewhere.example")
        client.rcpt("bob@a.example")
        chunk = b"From: x@elsewhere.example\r\nSubject: smuggled\r\n\r\nfirst\n.\nMAIL FROM:<x@y>\r\n"
        client.send(f"BDAT {len(chunk)} LAST\r\n".encode() + chunk)
        code, text = client.getreply()
        assert code == 550 and text.startswith(b"5.6.0 ")
        assert client.noop()[0] == 250
    assert "smuggled" not in str(a.mail("bob@a.example"))


# UTF-8

def test_utf8_address_is_delivered_and_passed_on(lab, a, b):
    a.add_account("jürgen@a.example")
    b.add_account("jürgen@b.example")
    content = "From: Jürgen <alice@a.example>\r\nSubject: Grüße\r\n\r\nHallo.\r\n".encode()
    with smtp(lab["client"], a.host, 587, "starttls", "alice@a.example") as client:
        assert client.has_extn("smtputf8")
        client.command_encoding = "utf-8"
        assert client.docmd("MAIL", "FROM:<alice@a.example> SMTPUTF8")[0] == 250
        for recipient in ("jürgen@a.example", "jürgen@b.example"):
            assert client.docmd("RCPT", f"TO:<{recipient}>")[0] == 250
        code, text = client.data(content)
        assert code == 250, text
    for server in (a, b):
        message = server.wait_for_mail(f"j%C3%BCrgen@{server.domain}")
        assert "UTF8SMTPS" in str(message["Received"])
    without = smtplib.SMTP.docmd
    with smtp(lab["client"], a.host, 587, "starttls", "alice@a.example") as client:
        client.command_encoding = "utf-8"
        assert without(client, "MAIL", "FROM:<alice@a.example>")[0] == 250
        assert client.docmd("RCPT", "TO:<jürgen@a.example>")[0] == 553


def test_utf8_is_not_mangled_for_a_host_that_cannot_take_it(lab, a, reports, faulty):
    peer = faulty()
    content = "From: alice@a.example\r\nSubject: Grüße\r\n\r\nHallo.\r\n".encode()
    identifier = send(lab, a, [("x@up.example", [])], ["SMTPUTF8", "BODY=8BITMIME"], content)
    recipient = fields(list(reports.one(identifier).iter_parts())[1])[1]
    assert recipient["status"] == "5.6.7" and not peer.messages
    declared_without_need = send(lab, a, [("x@up.example", [])], ["SMTPUTF8"])
    a.wait_for_trace(declared_without_need, "delivered")
    assert len(peer.messages) == 1


def test_another_recipient_in_utf8_is_no_reason_to_refuse(lab, a, faulty):
    """The local one needs SMTPUTF8; what goes to the host without it does not."""
    peer = faulty()
    a.add_account("grün@a.example")
    with smtp(lab["client"], a.host, 587, "starttls", "alice@a.example") as client:
        client.command_encoding = "utf-8"
        assert client.docmd("MAIL", "FROM:<alice@a.example> SMTPUTF8")[0] == 250
        for recipient in ("grün@a.example", "x@up.example"):
            assert client.docmd("RCPT", f"TO:<{recipient}>")[0] == 250
        code, text = client.data(CONTENT)
        assert code == 250, text
    a.wait_for_mail("gr%C3%BCn@a.example")
    wait_until(lambda: peer.messages, 20, "the other one arrives")
    assert max(peer.messages[0].content) < 128


def test_bounce_of_8bit_mail_passes_a_host_without_8bitmime(lab, a, faulty):
    """A report that cannot be delivered has nobody to come back to."""
    peer = faulty(EHLO="250 scripted.lab", RCPT=lambda command: "550 5.1.1 no such user" if "nobody" in command else "250 2.1.5 ok")
    content = CONTENT.replace(b"Hello.", "Grüße.".encode())
    a.configure(relay={"networks": [f"{lab['client'].ip}/32"]})
    a.reload()
    a.wait_for_log("event=reloaded")
    with smtp(lab["client"], a.host) as client:
        assert client.docmd("MAIL", "FROM:<sender@up.example> BODY=8BITMIME RET=FULL")[0] == 250
        assert client.docmd("RCPT", "TO:<nobody@a.example>")[0] == 550
        assert client.docmd("RCPT", "TO:<nobody@refusing.example>")[0] == 250
        assert client.data(content)[0] == 250
    wait_until(lambda: peer.messages, 20, "the bounce")
    assert "<>" in peer.messages[0].sender and max(peer.messages[0].content) < 128


# Later

@pytest.mark.parametrize("option", ["HOLDFOR", "HOLDUNTIL"])
def test_message_is_held_back_as_its_sender_asks(lab, a, option):
    with smtp(lab["client"], a.host) as client:
        assert not client.has_extn("futurerelease")  # only for our own users
    subject, until = f"in good time by {option}", int(time.time()) + 4
    value = "3" if option == "HOLDFOR" else time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(until))
    content, started = CONTENT.replace(b"reported", subject.encode()), time.monotonic()
    identifier = send(lab, a, [("bob@a.example", [])], [f"{option}={value}"], content)
    waiting = str(next(entry for entry in a.queued() if identifier in str(entry)))
    assert "as its sender asked" in waiting
    a.wait_for_mail("bob@a.example", subject)
    assert time.monotonic() - started >= 3 if option == "HOLDFOR" else time.time() >= until


def test_make_message_is_plain_without_wishes(lab, a):
    """The null case: nothing asked, nothing told."""
    with smtp(lab["client"], a.host, 587, "starttls", "alice@a.example") as client:
        client.send_message(make_message("plain"), "alice@a.example", ["bob@a.example"])
    assert "report sent" not in str(a.wait_for_mail("bob@a.example", "plain"))


# Wishes that the next host must know of

def offering(*keywords):
    return "\r\n".join(["250-scripted.lab", *(f"250-{keyword}" for keyword in keywords), "250 PIPELINING"])


def test_time_and_priority_are_passed_on(lab, a, faulty):
    peer = faulty(EHLO=offering("DELIVERBY", "MT-PRIORITY"))
    send(lab, a, [("x@up.example", [])], ["BY=600;R", "MT-PRIORITY=3"])
    peer.wait_for_messages(1)
    command = next(line for line in peer.commands if line.startswith("MAIL"))
    left = int(command.split("BY=")[1].split(";")[0])
    assert 590 <= left <= 600 and ";R" in command and "MT-PRIORITY=3" in command, command


@pytest.mark.parametrize("option, status", [("BY=600;R", "5.3.3"), ("REQUIRETLS", "5.7.30")])
def test_what_a_host_cannot_promise_comes_back(lab, a, reports, faulty, option, status):
    peer = faulty()
    identifier = send(lab, a, [("x@up.example", [])], [option])
    message, recipient = fields(list(reports.one(identifier).iter_parts())[1])
    assert recipient["status"] == status and recipient["action"] == "failed"
    assert not peer.messages


def test_late_notices_say_that_nobody_keeps_the_time(lab, a, reports, faulty):
    faulty()
    identifier = send(lab, a, [("x@up.example", [])], ["BY=600;N"])
    message, recipient = fields(list(reports.one(identifier).iter_parts())[1])
    assert recipient["action"] == "relayed"


def test_requiretls_and_its_local_delivery(lab, a):
    with smtp(lab["client"], a.host, 587) as client:
        client.ehlo()
        assert not client.has_extn("requiretls")
    with smtp(lab["client"], a.host, 25, "starttls") as client:
        client.ehlo()
        assert client.has_extn("requiretls") and client.has_extn("binarymime") and client.has_extn("deliverby") and client.has_extn("mt-priority")
        assert client.docmd("MAIL", "FROM:<x@b.example> MT-PRIORITY=5 REQUIRETLS")[0] == 250
        assert client.docmd("RCPT", "TO:<bob@a.example>")[0] == 250
        assert client.data(CONTENT.replace(b"reported", b"required"))[0] == 250
    a.wait_for_mail("bob@a.example", "required")
