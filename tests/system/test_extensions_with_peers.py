"""Extensions between thurn and others that have them, both ways: what one host is asked for, the next one hears."""

import email
import email.policy
import re

import pytest
from clients import converse, smtp
from lab import wait_until
from peers import make_certificate
from thurn import message_id

TEXT = "Grüße aus Köln – €5\r\n"
BY_B = ("up.example", "flaky.example", "held.example")  # one for each test: connections are kept
BINARY = bytes(range(256)) * 5 + b"\n\r\r\n.\r\n--b\x00"


@pytest.fixture(scope="module")
def b(lab, make_thurn):
    """Relays for a.example; shows a certificate that a.example trusts."""
    certificate, key = make_certificate(lab.folder, "mx.b.example")
    server = make_thurn("b", tls={"certificate": str(certificate), "private_key": str(key)}, relay={"networks": [f"{lab['a'].ip}/32", f"{lab['a'].ip6}/128", f"{lab['client'].ip}/32"]})
    server.certificate = certificate
    return server


@pytest.fixture(scope="module")
def a(lab, make_thurn, b):
    """Relays for the client; mail for BY_B goes by b.example, whose certificate is verified."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(b.certificate))
        server = make_thurn("a", relay={"networks": [f"{lab['client'].ip}/32"]},
                            route=[*({"recipient_domain": domain, "next_hop": "smtp://mx.b.example:25", "tls": "verify"} for domain in BY_B),
                                   {"recipient_domain": "nowhere.p.example", "next_hop": "smtp://mx.p.example:25"},
                                   {"recipient_domain": "refusing.example", "next_hop": f"smtp://{lab['faulty'].ip}:25", "tls": "encrypt"}])
    server.add_account("jürgen@a.example")
    return server


def send(client, host, sender, recipients, content, mail=(), rcpt=()):
    """One transaction on port 25 with parameters; gives the reply to the content."""
    with smtp(client, host) as session:
        session.command_encoding = "utf-8"
        for verb, path, options in [("MAIL FROM", sender, mail), *(("RCPT TO", recipient, rcpt) for recipient in recipients)]:
            code, text = session.docmd(f"{verb}:<{path}>", " ".join(options))
            assert code == 250, text
        code, text = session.data(content if isinstance(content, bytes) else content.encode())
        assert code == 250, text
        return text.decode()


def send_by_chunks(client, host, sender, recipient, content, *options, size=400):
    with converse(client, host) as talk:
        assert "CHUNKING" in talk.say("EHLO client.lab")
        for line in (f"MAIL FROM:<{sender}> {' '.join(options)}", f"RCPT TO:<{recipient}>"):
            assert talk.say(line).startswith("250"), line
        pieces = [content[start:start + size] for start in range(0, len(content), size)]
        for number, piece in enumerate(pieces, start=1):
            talk.send(f"BDAT {len(piece)}{' LAST' if number == len(pieces) else ''}\r\n".encode() + piece)
            reply = talk.reply()
            assert reply.startswith("250"), reply
        return reply


def plain(subject, body="Hello.\r\n.\r\n..\r\n"):
    return f"From: alice@a.example\r\nTo: someone@e.example\r\nSubject: {subject}\r\n\r\n{body}".encode()


def leaves(message):
    return [part.get_payload(decode=True) for part in message.walk() if not part.is_multipart()]


# CHUNKING

@pytest.mark.parametrize("length", [20, 300_000, 2_000_000])
def test_thurn_sends_chunks_to_exim(lab, a, exim, length):
    body = "".join(f".{number:069}\r\n" for number in range(length // 72)) + ".\r\n"
    identifier = message_id(send(lab["client"], a.host, "alice@a.example", ["someone@e.example"], plain(f"chunks {length}", body)))
    a.wait_for_trace(identifier, "someone@e.example delivered")
    message = exim.wait_for_mail(f"chunks {length}")
    assert message.get_payload(decode=True).decode() == body.replace("\r\n", "\n")
    assert re.search(rf"<= alice@a\.example .* K .*id|<= alice@a\.example .* K S=\d+", exim.log_text()), exim.log_text()


def test_exim_sends_chunks_to_thurn(lab, a, exim):
    send(lab["client"], lab["exim"], "someone@e.example", ["bob@a.example"], plain("chunks of Exim"))
    assert a.wait_for_mail("bob@a.example", "chunks of Exim", limit=30).get_content() == "Hello.\n.\n..\n"
    assert re.search(r"=> bob@a\.example .* K ", exim.log_text()), exim.log_text()


@pytest.mark.parametrize("length", [20, 300_000])
def test_thurn_sends_chunks_to_postfix(lab, a, postfix, length):
    logged = len(postfix.log_text())
    body = "".join(f".{number:069}\r\n" for number in range(length // 72)) + ".\r\n"
    identifier = message_id(send(lab["client"], a.host, "alice@a.example", ["someone@p.example"], plain(f"chunks {length}", body)))
    a.wait_for_trace(identifier, "someone@p.example delivered")
    assert postfix.wait_for_mail(f"chunks {length}").get_payload(decode=True).decode() == body.replace("\r\n", "\n")
    wait_until(lambda: re.search(r"disconnect from .* bdat=\d+", postfix.log_text()[logged:]), 20, lambda: postfix.log_text()[logged:])


def test_chunks_by_way_of_postfix(lab, a, postfix):
    """Postfix takes chunks and sends lines."""
    send_by_chunks(lab["client"], lab["postfix"], "someone@p.example", "bob@a.example", plain("chunks for Postfix"), size=7)
    assert a.wait_for_mail("bob@a.example", "chunks for Postfix", limit=30).get_content() == "Hello.\n.\n..\n"


# BINARYMIME

def binary_message(subject):
    return b"\r\n".join([b"From: alice@a.example", b"Subject: " + subject.encode(), b"MIME-Version: 1.0", b'Content-Type: multipart/mixed; boundary="xyz"', b"",
                         b"--xyz", b"Content-Type: text/plain", b"Content-Transfer-Encoding: binary", b"", b"unix\ntext",
                         b"--xyz", b"Content-Type: application/octet-stream", b"Content-Transfer-Encoding: binary", b"", BINARY,
                         b"--xyz--", b""])


@pytest.mark.parametrize("peer, domain", [("postfix", "p.example"), ("exim", "e.example")])
def test_binary_content_is_converted_for_who_has_no_binarymime(lab, a, request, peer, domain):
    """Decoded, the very octets arrive."""
    server = request.getfixturevalue(peer)
    reply = send_by_chunks(lab["client"], a.host, "alice@a.example", f"someone@{domain}", binary_message("octets"), "BODY=BINARYMIME")
    a.wait_for_trace(message_id(reply), "converted from binary to 8-bit", f"someone@{domain} delivered")
    assert leaves(server.wait_for_mail("octets")) == [b"unix\ntext", BINARY]


def test_binary_content_passes_between_thurns_as_it_is(lab, a, b, faulty):
    """a hands it to b unconverted; b, whose next host has no BINARYMIME, converts it."""
    peer = faulty()
    reply = send_by_chunks(lab["client"], a.host, "alice@a.example", "someone@up.example", binary_message("octets twice"), "BODY=BINARYMIME")
    story = a.wait_for_trace(message_id(reply), "someone@up.example delivered")
    assert "converted" not in story
    attempt = next(event for event in a.json("trace", message_id(reply)) if event["event"] == "attempted")
    assert "converted from binary to 8-bit" in b.wait_for_trace(message_id(attempt["replies"][-1]), "someone@up.example delivered")
    content = peer.wait_for_messages(1)[-1].content
    assert leaves(email.message_from_bytes(content, policy=email.policy.SMTP)) == [b"unix\ntext", BINARY]


# SMTPUTF8

UTF8_CONTENT = "From: jürgen@a.example\r\nSubject: {}\r\n\r\n" + TEXT


@pytest.mark.parametrize("peer, domain", [("postfix", "p.example"), ("exim", "e.example")])
def test_thurn_sends_utf8_addresses(lab, a, request, peer, domain):
    server = request.getfixturevalue(peer)
    reply = send(lab["client"], a.host, "jürgen@a.example", [f"grün@{domain}"], UTF8_CONTENT.format("utf8 out"), ["SMTPUTF8", "BODY=8BITMIME"])
    a.wait_for_trace(message_id(reply), f"grün@{domain} delivered")
    message = server.wait_for_mail("utf8 out")
    assert message.get_payload(decode=True).decode().strip() == TEXT.strip()
    assert "jürgen@a.example" in message.as_bytes().decode(errors="replace")


@pytest.mark.parametrize("peer, domain", [("postfix", "p.example"), ("exim", "e.example")])
def test_thurn_takes_utf8_addresses(lab, a, request, peer, domain):
    request.getfixturevalue(peer)
    send(lab["client"], lab[peer], f"grün@{domain}", ["jürgen@a.example"], UTF8_CONTENT.format(f"utf8 in from {peer}"), ["SMTPUTF8", "BODY=8BITMIME"])
    message = a.wait_for_mail("j%C3%BCrgen@a.example", f"utf8 in from {peer}", limit=30)
    assert "with UTF8SMTPS" in " ".join(str(message["Received"]).split())
    assert message["Return-Path"] == f"<grün@{domain}>" and message.get_payload(decode=True).decode().strip() == TEXT.strip()


# DSN

def status(report):
    """The fields of the message and of its first recipient."""
    return [{name.lower(): " ".join(str(value).split()) for name, value in block.items()} for block in list(report.iter_parts())[1].get_payload()]


def report_about(find, envid):
    return wait_until(lambda: next((message for message in find() if message.get_content_type() == "multipart/report" and envid in str(message)), None), 30, f"the report about {envid}")


def test_postfix_asks_thurn_to_report(lab, a, postfix):
    """ENVID, ORCPT and NOTIFY come by Postfix; the report goes home the same way."""
    send(lab["client"], lab["postfix"], "someone@p.example", ["bob@a.example"], plain("to be reported"), ["RET=HDRS", "ENVID=by+2Bpostfix"], ["NOTIFY=SUCCESS", "ORCPT=rfc822;Bob@first.example"])
    a.wait_for_mail("bob@a.example", "to be reported", limit=30)
    message, recipient = status(report_about(postfix.mail, "by+postfix"))
    assert message["original-envelope-id"] == "by+postfix" and message["reporting-mta"] == "dns; mx.a.example"
    assert recipient["action"] == "delivered" and recipient["final-recipient"] == "rfc822; bob@a.example"
    assert recipient["original-recipient"] == "rfc822; Bob@first.example"


def test_postfix_keeps_silent_where_it_is_asked_to(lab, a, postfix):
    """NOTIFY=NEVER passes to Postfix, which then does not bounce; the same without it does."""
    for envid, notify in (("no-report", "NEVER"), ("a-report", "FAILURE")):
        reply = send(lab["client"], a.host, "alice@a.example", ["x@nowhere.p.example"], plain(envid), [f"ENVID={envid}"], [f"NOTIFY={notify}"])
        a.wait_for_trace(message_id(reply), "x@nowhere.p.example delivered")
    report_about(lambda: a.mail("alice@a.example"), "a-report")
    assert not [message for message in a.mail("alice@a.example") if "no-report" in str(message)]


def test_relayed_is_told_of_exim_without_dsn(lab, a, exim):
    reply = send(lab["client"], a.host, "alice@a.example", ["someone@e.example"], plain("told as relayed"), ["ENVID=to-exim"], ["NOTIFY=SUCCESS"])
    a.wait_for_trace(message_id(reply), "someone@e.example delivered")
    message, recipient = status(report_about(lambda: a.mail("alice@a.example"), "to-exim"))
    assert recipient["action"] == "relayed" and recipient["remote-mta"].startswith("dns; mx.e.example")


# From thurn to thurn to a host that shows what it heard

def offering(*keywords):
    return "\r\n".join(["250-scripted.lab", *(f"250-{keyword}" for keyword in keywords), "250 PIPELINING"])


def test_time_and_priority_pass_two_thurns(lab, a, b, faulty):
    peer = faulty(EHLO=offering("DELIVERBY", "MT-PRIORITY"))
    send(lab["client"], a.host, "alice@a.example", ["x@flaky.example"], plain("urgent"), ["BY=600;RT", "MT-PRIORITY=4"])
    peer.wait_for_messages(1)
    command = next(line for line in peer.commands if line.startswith("MAIL"))
    left = re.search(r"BY=(\d+);RT", command)
    assert left and 570 <= int(left[1]) <= 600 and "MT-PRIORITY=4" in command, command


def test_requiretls_passes_to_the_second_thurn_and_holds_there(lab, a, b, faulty):
    """a has b's certificate verified; b's next host has no TLS, so b sends it back rather than on, and its report under REQUIRETLS too."""
    peer = faulty()
    with smtp(lab["client"], a.host, 25, "starttls") as session:
        session.ehlo()
        assert session.docmd("MAIL", "FROM:<bob@b.example> REQUIRETLS")[0] == 250
        assert session.docmd("RCPT", "TO:<someone@held.example>")[0] == 250
        code, text = session.data(plain("required"))
        assert code == 250
    a.wait_for_trace(message_id(text), "certificate verified", "someone@held.example delivered")
    attempt = next(event for event in a.json("trace", message_id(text)) if event["event"] == "attempted")
    b.wait_for_trace(message_id(attempt["replies"][-1]), "someone@held.example bounced", "REQUIRETLS")
    message, recipient = status(report_about(lambda: b.mail("bob@b.example"), "someone@held.example"))
    assert recipient["action"] == "failed" and recipient["status"].startswith("5.7.")
    assert not peer.messages


# TLS-Required: No

BROKEN_TLS = "250-scripted.lab\r\n250-PIPELINING\r\n250 STARTTLS"


def test_tls_required_no_is_delivered_in_clear_where_tls_is_broken(lab, a, faulty):
    """Whatever the recipient's side says of TLS is not heeded; TLS is tried first all the same (RFC 8689 §4.2.2)."""
    peer = faulty(EHLO=[BROKEN_TLS, offering()], STARTTLS="220 go\r\n250 not TLS")
    reply = send(lab["client"], a.host, "alice@a.example", ["x@later.example"], b"TLS-Required: No\r\n" + plain("in clear"))
    a.wait_for_trace(message_id(reply), "x@later.example delivered")
    assert "STARTTLS" in peer.commands and b"TLS-Required: No" in peer.wait_for_messages(1)[0].content


def test_tls_required_no_does_not_undo_what_the_route_demands(lab, a, faulty):
    """`tls = "encrypt"` is what this server's administrator wants, not the recipient's policy."""
    peer = faulty(EHLO=[BROKEN_TLS, offering()], STARTTLS="454 4.7.0 no")
    reply = send(lab["client"], a.host, "alice@a.example", ["x@refusing.example"], b"TLS-Required: No\r\n" + plain("not in clear"))
    a.wait_for_trace(message_id(reply), "x@refusing.example deferred")
    assert not peer.messages and not [command for command in peer.commands if command.startswith("MAIL")]
    a.cli("queue", "delete", message_id(reply))

