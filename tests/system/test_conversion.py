"""Content that a host cannot take as it is: converted on the way out, stored as it came; and binary content, by BDAT."""

import email
import email.policy

import pytest
from clients import converse, smtp
from thurn import message_id

TEXT = "Grüße aus Köln – €5\r\n.\r\n..\r\n"
BINARY = bytes(range(256)) * 3 + b"\n\r\r\n--b\x00"


@pytest.fixture(scope="module")
def a(lab, make_thurn):
    return make_thurn("a", relay={"networks": [f"{lab['client'].ip}/32"]})


@pytest.fixture(scope="module")
def b(make_thurn):
    return make_thurn("b")


def eight_bit_message(to):
    text = TEXT.encode()
    return b"\r\n".join([
        b"From: alice@a.example", b"To: " + to.encode(), b"Subject: umlauts", b"MIME-Version: 1.0",
        b'Content-Type: multipart/mixed; boundary="b c"', b"Content-Transfer-Encoding: 8bit", b"",
        b"--b c", b"Content-Type: text/plain; charset=utf-8", b"Content-Transfer-Encoding: 8bit", b"", text,
        b"--b c", b"Content-Type: message/rfc822", b"Content-Transfer-Encoding: 8bit", b"", b"Subject: inner", b"MIME-Version: 1.0",
        b"Content-Type: text/plain; charset=utf-8", b"Content-Transfer-Encoding: 8bit", b"", text,
        b"--b c--", b""])


def leaves(message):
    return [part.get_payload(decode=True) for part in message.walk() if not part.is_multipart()]


def send(lab, server, to, octets, *options):
    with smtp(lab["client"], server.host) as client:
        for code, text in [client.mail("alice@a.example", list(options)), client.rcpt(to), client.data(octets)]:
            assert code == 250, text
        return message_id(text)


def test_eight_bit_content_reaches_a_host_without_8bitmime(lab, a, faulty):
    peer = faulty(EHLO="250 scripted.lab")
    octets = eight_bit_message("someone@up.example")
    identifier = send(lab, a, "someone@up.example", octets, "BODY=8BITMIME")
    content = peer.wait_for_messages(1)[-1].content
    assert max(content) < 128 and max(map(len, content.split(b"\r\n"))) <= 998
    expected = leaves(email.message_from_bytes(octets, policy=email.policy.SMTP))
    assert leaves(email.message_from_bytes(content, policy=email.policy.SMTP)) == expected and TEXT.encode() in expected
    assert "converted to 7-bit" in a.wait_for_trace(identifier, "converted to 7-bit")


def test_what_cannot_be_converted_bounces(lab, a, faulty):
    faulty(EHLO="250 scripted.lab")
    octets = "From: alice@a.example\r\nTo: x@up.example\r\nSubject: ü\r\n\r\nü\r\n".encode()
    identifier = send(lab, a, "x@up.example", octets, "BODY=8BITMIME")
    a.wait_for_trace(identifier, "5.6.3", "bounce sent")


def binary_message(to):
    return b"\r\n".join([b"From: alice@a.example", b"To: " + to.encode(), b"Subject: octets", b"MIME-Version: 1.0",
                         b'Content-Type: multipart/mixed; boundary="xyz"', b"",
                         b"--xyz", b"Content-Type: text/plain", b"Content-Transfer-Encoding: binary", b"", b"unix\ntext",
                         b"--xyz", b"Content-Type: application/octet-stream", b"Content-Transfer-Encoding: binary", b"", BINARY,
                         b"--xyz--", b""])


def send_binary(lab, server, to):
    octets = binary_message(to)
    with converse(lab["client"], server.host) as talk:
        assert "BINARYMIME" in talk.say("EHLO client.lab")
        assert talk.say("MAIL FROM:<alice@a.example> BODY=BINARYMIME").startswith("250")
        assert talk.say(f"RCPT TO:<{to}>").startswith("250")
        assert talk.say("DATA").startswith("503")
        cut = 400
        talk.send(b"BDAT %d\r\n" % cut + octets[:cut])
        assert talk.reply().startswith("250")
        talk.send(b"BDAT %d LAST\r\n" % (len(octets) - cut) + octets[cut:])
        reply = talk.reply()
        assert reply.startswith("250"), reply
        return message_id(reply)


@pytest.mark.parametrize("to", ["bob@a.example", "bob@b.example"])
def test_binary_content_reaches_a_mailbox(lab, a, b, to):
    send_binary(lab, a, to)
    server = a if to.endswith("@a.example") else b
    message = server.wait_for_mail(to, "octets")
    assert leaves(message) == [b"unix\ntext", BINARY]


def test_binary_content_reaches_a_host_without_binarymime(lab, a, faulty):
    peer = faulty()
    identifier = send_binary(lab, a, "someone@up.example")
    content = peer.wait_for_messages(1)[-1].content
    assert leaves(email.message_from_bytes(content, policy=email.policy.SMTP)) == [b"unix\ntext", BINARY]
    a.wait_for_trace(identifier, "converted from binary to 8-bit")
