"""What broke other mail servers, tried on a whole running server: attacks and accidents that became public, each named with its place."""

import base64
import contextlib
import email
import email.policy
import pathlib
import random
import re
import socket
import struct
import tempfile
import threading

import pytest
from clients import converse, make_message, send_on, smtp
from lab import wait_until
from scripted import ScriptedPeer
from thurn import PASSWORD, message_id

MIB = 1 << 20
ENVELOPE = ("EHLO client.lab", "MAIL FROM:<someone@b.example>", "RCPT TO:<bob@a.example>")
PLAIN = base64.b64encode(f"\0alice@a.example\0{PASSWORD}".encode()).decode()


@pytest.fixture(scope="module")
def client(lab):
    return lab["client"]


@pytest.fixture(scope="module")
def server(lab, make_thurn):
    routes = [{"recipient_domain": f"{name}.case", "next_hop": f"smtp://{lab['faulty'].ip}:{port}", **case.get("route", {})} for port, (name, case) in enumerate(PEERS.items(), start=3000)]
    return make_thurn("a", relay={"networks": [f"{lab['client'].ip}/32"]}, route=routes, limits={"message_size": "12MiB", "connections_per_ip": 1000, "errors": 100})


@pytest.fixture(autouse=True)
def still_serves_others(client, server):
    """Whatever a test did: the same process takes mail afterwards."""
    pid = server.pid
    yield
    assert server.alive() and server.pid == pid
    with smtp(client, server.host) as session:
        send_on(session, make_message("afterwards"), "someone@b.example", ["alice@a.example"])


def encrypted(client, server, port=25):
    """A conversation under TLS, behind its second EHLO."""
    talk = converse(client, server.host, port)
    talk.say("EHLO client.lab")
    talk.start_tls()
    talk.say("EHLO client.lab")
    return talk


def open_content(talk):
    for line in (*ENVELOPE, "DATA"):
        assert talk.say(line)[0] in "23", line


def files(server, address="bob@a.example"):
    """The delivered messages as they lie on disk."""
    folder = server.maildir(address) / "new"
    return [file.read_bytes() for file in folder.iterdir()] if folder.exists() else []


def heard(talk):
    """All that still comes, until the server hangs up."""
    said = b""
    with contextlib.suppress(ConnectionError):
        while piece := talk.reader.read1(1 << 16):
            said += piece
    return said


# Replies of other servers

FOLDED = "220-x\r\n" * 100_000 + "220 x"
STARTTLS = "250-scripted.lab\r\n250-PIPELINING\r\n250 STARTTLS"
PEERS = {
    # CVE-2026-43964 (Postfix): an enhanced code without text was read past its end
    "status-alone": {"RCPT": "550 5.7.2", "outcome": "bounced", "status": "550 5.7.2"},
    "status-and-space": {"RCPT": "550 5.7.2 ", "outcome": "bounced", "status": "550 5.7.2"},
    "code-alone": {"RCPT": "550", "outcome": "bounced", "status": "550"},
    "code-and-space": {"RCPT": "550 ", "outcome": "bounced", "status": "550"},
    "empty-lines-of-a-reply": {"RCPT": "550-\r\n550-\r\n550", "outcome": "bounced", "status": "550"},
    "an-empty-line": {"RCPT": "\r\n", "outcome": "deferred"},
    # CVE-2020-8794 (OpenSMTPD): a reply of several lines was written into the envelope file
    "second-line-without-a-code": {"RCPT": "550-no\r\nSubject: injected", "outcome": "deferred"},
    "two-codes": {"RCPT": "550-no\r\n250 yes", "outcome": "deferred"},
    "success-inside-a-refusal": {"content": "250-yes\r\n550 no", "outcome": "deferred"},
    "carriage-return-in-text": {"RCPT": "550 5.1.1 no\rX-Injected: one\r\r", "outcome": "bounced"},
    "header-in-text": {"content": "554-5.6.0 no\r\n554-5.6.0 X-Injected: two\r\n554 5.6.0 \0\x1b[2J", "outcome": "bounced"},
    # Unbounded replies: postscreen and others kept a line without an end
    "a-megabyte-of-greeting-line": {"greeting": "220 " + "x" * MIB, "outcome": "deferred"},
    "a-hundred-thousand-greeting-lines": {"greeting": FOLDED, "outcome": "deferred"},
    "a-hundred-thousand-ehlo-lines": {"EHLO": FOLDED.replace("220", "250"), "outcome": "deferred"},
    "a-megabyte-of-refusal": {"RCPT": "550 " + "x" * MIB, "outcome": "deferred"},
    # Codes that fit no command, and replies nobody asked for (CVE-2021-38371 and kin: the next one would be believed)
    "code-of-four-digits": {"RCPT": "2500 ok", "outcome": "deferred"},
    "code-of-no-class": {"RCPT": "199 ok", "outcome": "deferred"},
    "another-protocol": {"greeting": "+OK POP3 ready", "outcome": "deferred"},
    "http": {"greeting": "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", "outcome": "deferred"},
    "354-to-mail": {"MAIL": "354 go", "outcome": "deferred"},
    "334-to-rcpt": {"RCPT": "334 what", "outcome": "deferred"},
    "250-to-data": {"DATA": "250 ok", "outcome": "deferred"},
    "354-to-content": {"content": "354 more", "outcome": "deferred"},
    "two-replies-to-rcpt": {"RCPT": "250 ok\r\n250 ok", "outcome": "deferred"},
    "success-before-the-content": {"DATA": "354 go\r\n250 taken", "content": "451 no", "outcome": "deferred"},
    # RFC 5321 §3.8: 421 may come at any moment
    **{f"421-to-{step}".lower(): {step: "421 4.3.2 going down", "outcome": "deferred"} for step in ("greeting", "EHLO", "MAIL", "RCPT", "DATA", "content")},
    # CVE-2021-38371 (Exim): what came in clear behind the answer to STARTTLS was read after the handshake
    "injected-behind-starttls": {"EHLO": STARTTLS, "STARTTLS": "220 go\r\n250-scripted.lab\r\n250 AUTH PLAIN", "outcome": "deferred", "route": {"tls": "encrypt"}, "unsent": True},
    # Stripped or refused STARTTLS (NO STARTTLS, 2021) must not lead to clear text where encryption is demanded
    "starttls-not-offered": {"outcome": "deferred", "route": {"tls": "encrypt"}, "unsent": True},
    "starttls-refused": {"EHLO": STARTTLS, "STARTTLS": "454 4.7.0 no", "outcome": "deferred", "route": {"tls": "encrypt"}, "unsent": True},
}
MENDABLE = [name for name, case in PEERS.items() if case["outcome"] == "deferred" and not case.get("unsent")]


def settled(server, identifier):
    return [event for event in server.json("trace", identifier) if event["event"] == "settled"]


@pytest.fixture(scope="module")
def destinations(lab, client, server):
    """A message is sent to each of PEERS at once; gives name → (peer, id, first outcome, commands until then). Then those that may are mended."""
    made = {}
    for port, (name, case) in enumerate(PEERS.items(), start=3000):
        made[name] = ScriptedPeer(lab["faulty"], port, **{step: answer for step, answer in case.items() if step not in ("outcome", "status", "route", "unsent")})
    with smtp(client, server.host) as session:
        identifiers = {name: message_id(send_on(session, make_message(name), "alice@a.example", [f"someone@{name}.case"])) for name in PEERS}
    told = {name: wait_until(lambda name=name: settled(server, identifiers[name]), 20, lambda name=name: f"an outcome for {name}:\n{server.trace(identifiers[name])}")[0]
            for name in PEERS}
    commands = {name: list(peer.commands) for name, peer in made.items()}
    for name in MENDABLE:
        made[name].set(**ScriptedPeer.usual)
    yield {name: (made[name], identifiers[name], told[name], commands[name]) for name in PEERS}
    for peer in made.values():
        peer.close()


@pytest.mark.parametrize("name", PEERS)
def test_odd_reply_of_a_peer_is_a_refusal_or_waits(destinations, name):
    """Bad replies end neither the server nor the mail: a clear 5yz bounces, all else waits (CVE-2026-43964, CVE-2020-8794, CVE-2021-38371, NO STARTTLS)."""
    peer, _, first, commands = destinations[name]
    assert first["outcome"] == PEERS[name]["outcome"], first
    assert first["status"].startswith(PEERS[name].get("status", "")) and not re.search(r"[\0-\x1f]", first["status"])
    if PEERS[name].get("unsent"):
        assert not [command for command in commands if command.startswith(("MAIL", "RCPT", "DATA"))] and not peer.messages


@pytest.mark.parametrize("name", MENDABLE)
def test_mail_for_an_odd_peer_arrives_once_it_is_mended(server, destinations, name):
    """421 and nonsense lose no mail (RFC 5321 §3.8; CVE-2020-8794)."""
    peer, identifier, _, _ = destinations[name]
    peer.wait_for_messages(1)
    server.wait_for_trace(identifier, f"someone@{name}.case delivered")


@pytest.mark.parametrize("name", [name for name, case in PEERS.items() if case["outcome"] == "bounced"])
def test_report_holds_no_field_of_the_peers_making(server, destinations, name):
    """The text of a remote reply stays text in the report made of it (CVE-2020-8794)."""
    _, identifier, _, _ = destinations[name]

    def report():
        return next((message for message in server.mail("alice@a.example") if message.get_content_type() == "multipart/report" and f"someone@{name}.case" in str(message)), None)
    found = wait_until(report, 20, f"a report about {name}; {server.trace(identifier)}")
    assert not re.search(rb"(?im)^x-injected", found.as_bytes()) and b"\0" not in found.as_bytes() and b"\x1b" not in found.as_bytes()
    assert found.get_payload()[1].get_payload()[1]["Action"] == "failed"


# What we send on

OUTGOING = {
    "dots": b".\r\n..\r\n.x\r\n\r\n.\r\n",
    "no-line-end": b"the end",
    "dot-without-line-end": b"text\r\n.",
    "two-dots-without-line-end": b"text\r\n..",
    "commands": b"\r\n.\r\nMAIL FROM:<forged@b.example>\r\nRCPT TO:<victim@up.example>\r\nDATA\r\nforged\r\n.\r\n",
}


@pytest.mark.parametrize("name", OUTGOING)
def test_content_sent_on_has_one_end_and_whole_lines(client, server, faulty, name):
    """What came by BDAT, whose content may hold a dot anywhere, leaves by DATA as one message without a bare CR or LF (CVE-2023-51764, -51765, -51766)."""
    peer, body = faulty(), OUTGOING[name]
    content = f"Subject: {name}\r\n\r\n".encode() + body
    with converse(client, server.host) as talk:
        for line in (*ENVELOPE[:2], "RCPT TO:<someone@up.example>"):
            assert talk.say(line).startswith("250")
        for start in range(0, len(content), 7):
            talk.send(f"BDAT {len(content[start:start + 7])}\r\n".encode() + content[start:start + 7])
            assert talk.reply().startswith("250")
        assert talk.say("BDAT 0 LAST").startswith("250")
    message = peer.wait_for_messages(1)[0]
    assert message.content.endswith(content + (b"" if content.endswith(b"\r\n") else b"\r\n"))
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", message.content)
    assert [command.split(" ")[0] for command in peer.commands].count("MAIL") == 1


@pytest.mark.parametrize("body", ["", " BODY=8BITMIME", " BODY=BINARYMIME"])
@pytest.mark.parametrize("ending", [b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\n", b"\r\n.\r", b"\r.\r\n", b"\r\n\0.\r\n", b"\r\n.\0\r\n"], ids=repr)
def test_false_end_of_content_is_never_sent_on(client, server, faulty, ending, body):
    """A bare CR, LF or NUL that comes by BDAT is refused, or as binary content converted, and never sent as it is to a server that may take it
    for the end (CVE-2023-51764, -51765, -51766)."""
    peer = faulty()
    content = b"Subject: smuggler\r\n\r\nHello." + ending + b"MAIL FROM:<forged@b.example>\r\n"
    with converse(client, server.host) as talk:
        talk.say("EHLO client.lab")
        assert talk.say(f"MAIL FROM:<someone@b.example>{body}").startswith("250")
        talk.say("RCPT TO:<someone@up.example>")
        talk.send(f"BDAT {len(content)} LAST\r\n".encode() + content)
        binary = body.endswith("BINARYMIME")
        assert talk.reply().startswith("250" if binary else "550 5.6.0")
        assert talk.say("NOOP").startswith("250")
    if not binary:
        assert not peer.commands
        return
    message = peer.wait_for_messages(1)[0]
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n|\0", message.content)
    assert [command.split(" ")[0] for command in peer.commands].count("MAIL") == 1
    assert email.message_from_bytes(message.content, policy=email.policy.SMTP).get_payload(decode=True) == content.partition(b"\r\n\r\n")[2]


# The end of a connection

BODY = b"Subject: cut off\r\n\r\n.\r\nx"


def close_notify(talk):
    with contextlib.suppress(OSError):
        talk.socket.settimeout(20)
        plain = talk.socket.unwrap()
        plain.sendall(b"\r\n.\r\nQUIT\r\n")  # clear text behind the end of TLS is no part of anything
        assert plain.recv(100) == b""


def fin(talk):
    with contextlib.suppress(OSError):
        socket.socket.shutdown(talk.socket, socket.SHUT_WR)


def reset(talk):
    talk.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.mark.parametrize("end", [close_notify, fin, reset])
@pytest.mark.parametrize("command", ["DATA", f"BDAT {len(BODY) + 2} LAST"])
def test_tls_that_ends_inside_content_ends_the_message(client, server, command, end):
    """close_notify, FIN and RST behind each octet of the content (CVE-2026-45185, Exim: a close_notify inside BDAT freed a buffer still in use)."""
    body = BODY.replace(b"\n.", b"\n..") if command == "DATA" else BODY
    for cut in range(len(body)):
        with encrypted(client, server) as talk:
            for line in ENVELOPE[1:]:
                assert talk.say(line).startswith("250")
            talk.send(f"{command}\r\n")
            if command == "DATA":
                assert talk.reply().startswith("354")
            talk.send(body[:cut])
            end(talk)
    assert not [entry for entry in server.queued() if "bob@a.example" in str(entry)]
    assert not [file for file in files(server) if b"cut off" in file]


# Order of commands

REFUSALS = {
    "bare line feed by DATA": ("DATA", b"Subject: no\r\n\r\na\nb\r\n.\r\n", "550 5.6.0"),
    "bare line feed by BDAT": ("BDAT 4 LAST", b"a\nb\n", "550 5.6.0"),
    "loop": ("DATA", b"Received: x\r\n" * 51 + b"\r\n.\r\n", "554 5.4.6"),
    "too large": ("DATA", b"x" * (13 * MIB) + b"\r\n.\r\n", "552 5.3.4"),
    "chunk too large": (f"BDAT {13 * MIB} LAST", b"x" * (13 * MIB), "552 5.3.4"),
}


@pytest.mark.parametrize("follower", ["DATA", "RCPT TO:<bob@a.example>", "BDAT 0 LAST", "BDAT 5 LAST\r\nabc"])
@pytest.mark.parametrize("refusal", REFUSALS)
def test_envelope_is_gone_after_refused_content(client, server, refusal, follower):
    """DATA, RCPT and BDAT without a new MAIL find no recipients (Postfix, July and August 2026: state kept after a refused BDAT or end of data)."""
    command, content, code = REFUSALS[refusal]
    with converse(client, server.host) as talk:
        for line in ENVELOPE:
            assert talk.say(line).startswith("250")
        talk.send(f"{command}\r\n")
        if command == "DATA":
            assert talk.reply().startswith("354")
        talk.send(content)
        assert talk.reply().startswith(code)
        assert talk.say(follower).startswith("503 5.5.1")
        assert talk.say("MAIL FROM:<someone@b.example>").startswith("250")
        assert talk.say("DATA")[0] == "5", "no recipient of the message before"


@pytest.mark.parametrize("size", ["", "-1", "+1", "0x10", "1 1", "2147483648 LAST", "9223372036854775808 LAST", "18446744073709551616 LAST", "99999999999999999999999 LAST", "1 FIRST", "1.5"])
def test_odd_size_of_a_chunk_is_refused_at_once(client, server, size):
    """BDAT with sizes that wrapped to zero or below elsewhere (CVE-2017-16943, CVE-2017-16944): refused or never full; what follows is no message and no command."""
    with converse(client, server.host) as talk:
        for line in ENVELOPE:
            talk.say(line)
        with contextlib.suppress(OSError):
            talk.send(f"BDAT {size}\r\nSubject: odd size\r\n\r\n.\r\nQUIT\r\n")
            talk.socket.shutdown(socket.SHUT_WR)
        assert re.fullmatch(rb"(5.. .*\r\n)?", heard(talk))
    assert not [file for file in files(server) if b"odd size" in file]


@pytest.mark.parametrize("line", ["RSET\r\n", "NOOP\r\n", "BDAT 1\r\nx", "BDAT 0\r\n", "MAIL FROM:<x@b.example>\r\nRSET\r\n", "EHLO client.lab\r\n", "VRFY bob\r\n", "HELP\r\n"], ids=repr)
def test_commands_without_number_are_bounded(client, server, line):
    """A connection has so many commands and no more, and holds nothing of them (Postfix, August 2026: history grew with each tiny BDAT)."""
    before, prefix = server.memory(), "\r\n".join(ENVELOPE) if line.startswith("BDAT") else "EHLO client.lab"
    with converse(client, server.host) as talk:
        def speak():
            with contextlib.suppress(OSError):
                talk.send(f"{prefix}\r\n" + line * 20_000)
        speaker = threading.Thread(target=speak)
        speaker.start()
        said = heard(talk)
        speaker.join(30)
    assert len(re.findall(rb"(?m)^[0-9]{3} ", said)) <= 10_002, said[-300:]
    assert server.memory() - before < 16 * MIB


# Oversized input

@pytest.mark.parametrize("port,start,octet", [
    (25, "EHLO ", "a"), (25, "EHLO client.lab\r\nMAIL FROM:<x@b.example> SIZE=", "9"), (25, "EHLO client.lab\r\nMAIL FROM:<x@b.example>\r\nRCPT TO:<", "("),
    (25, "EHLO client.lab\r\nMAIL FROM:<x@b.example>\r\nRCPT TO:<bob@a.example>\r\nBDAT ", "0"), (25, "EHLO client.lab\r\nNOOP ", "\0"), (25, "EHLO client.lab\r\n", "\r"),
    (587, "AUTH PLAIN ", "A"), (587, "AUTH PLAIN\r\n", "A"), (587, "AUTH LOGIN\r\n", "="), (587, "AUTH SCRAM-SHA-256 ", "b"), (465, "EHLO ", "a"),
], ids=repr)
def test_line_without_an_end_is_not_kept(client, server, port, start, octet):
    """Eight megabytes without a line end in each state (Postfix postscreen, June 2026; CVE-2025-61600, Stalwart)."""
    before = server.memory()
    if port == 465:
        session = smtp(client, server.host, 465, "implicit")
        sock = session.__enter__().sock
    else:
        session = encrypted(client, server, 587) if port == 587 else converse(client, server.host)
        sock = session.socket
    with contextlib.suppress(OSError):
        sock.settimeout(20)
        sock.sendall(start.encode())
        for _ in range(128):
            sock.sendall(octet.encode() * (MIB // 16))
    assert server.memory() - before < 16 * MIB
    sock.close()


@pytest.mark.parametrize("verb", ["EHLO", "HELO"])
def test_long_hello_is_refused_and_the_session_goes_on(client, server, verb):
    """Names of 255 octets to 100 KB (CVE-2019-16928, Exim: a long EHLO overflowed the heap)."""
    with converse(client, server.host) as talk:
        for length in (255, 256, 500, 506, 507, 508, 1000, 1023, 1024, 2040, 2043, 2048, 4096, 16_384, 65_536, 100_000):
            name = ("a" * 60 + ".") * (length // 61) + "a" * (length % 61)
            assert talk.say(f"{verb} {name}")[:3] in ("250", "500", "501"), length
            assert talk.say("NOOP").startswith("250"), length


CONTENTS = {
    "ten thousand fields": b"".join(b"X-%d: y\r\n" % number for number in range(10_000)) + b"\r\nText\r\n",
    "a field of ten thousand lines": b"X-Long:" + b" y\r\n" * 10_000 + b"\r\nText\r\n",
    "a field of a megabyte": b"X-Long: " + b"y" * MIB + b"\r\n\r\nText\r\n",
    "a name of a megabyte": b"y" * MIB + b": z\r\n\r\nText\r\n",
    "odd names": b"__proto__: 1\r\nconstructor: 2\r\nhasOwnProperty: 3\r\nX~!#$%&'*+: 4\r\n\r\nText\r\n",
    "empty name": b": nameless\r\n\r\nText\r\n",
    "fifty thousand comments": b"From: " + b"(" * 50_000 + b"\r\n\r\nText\r\n",
    "fifty thousand brackets": b"From: " + b"<" * 50_000 + b"\r\nTo: " + b"\"" * 50_001 + b"\r\n\r\nText\r\n",
    "ten thousand parameters": b"Content-Type: text/plain" + b"".join(b";\r\n a%d=b" % number for number in range(10_000)) + b"\r\n\r\nText\r\n",
    "a thousand nested messages": b"Content-Type: message/rfc822\r\n\r\n" * 1000 + b"Text\r\n",
    "cut UTF-8": b"From: \xe2\x82 <x@b.example>\r\nX-JSON: {\"a\":\"\\u0000\xff\"}\r\n\r\n\xc3\r\n",
    "several From": b"From: a@a.example\r\nFrom: b@b.example\r\nFrom: g:;\r\n\r\nText\r\n",
}


NO_OWN_AUTHOR = ["fifty thousand comments", "fifty thousand brackets", "cut UTF-8", "several From"]  # which a user may not send


@pytest.mark.parametrize("port", [25, 587])
@pytest.mark.parametrize("name", CONTENTS)
def test_header_bomb_is_carried_or_refused(client, server, name, port):
    """Odd and huge headers (CVE-2003-0161 Sendmail, CVE-2010-4344 Exim, CVE-2026-34752 Haraka, CVE-2026-26312 Stalwart, CVE-2024-23184 and CVE-2026-27859 Dovecot)."""
    marker = f"Subject: bomb {name} by {port}".encode()
    with encrypted(client, server, port) as talk:
        if port == 587:
            assert talk.say(f"AUTH PLAIN {PLAIN}").startswith("235")
        for line in ("MAIL FROM:<alice@a.example> BODY=8BITMIME", "RCPT TO:<bob@a.example>", "DATA"):
            assert talk.say(line)[0] in "23"
        talk.send(marker + b"\r\n" + CONTENTS[name] + b".\r\n")
        reply = talk.reply()
        if "megabyte" in name:
            assert reply.startswith("552 5.3.4 "), reply
            return
        if port == 587 and name in NO_OWN_AUTHOR:
            assert re.match(r"550 5\.7\.1 .*From", reply), reply
            assert server.json("trace", message_id(reply))
            return
        assert reply.startswith("250"), reply
    identifier = message_id(reply)
    server.wait_for_trace(identifier, "bob@a.example delivered")
    assert server.json("trace", identifier)
    assert [file for file in files(server) if marker in file and file.endswith(CONTENTS[name].replace(b"\r\n", b"\n"))]


@pytest.mark.parametrize("field", [b"Received: x", b"RECEIVED: x", b"received:", b"Received:\r\n\tx", b"Received : x"], ids=repr)
def test_loop_is_seen_however_received_is_spelt(client, server, field):
    """More than limits.received_fields of them is a loop (RFC 5321 §6.3); the same text in the body is none."""
    for content, code in ((field + b"\r\n", "250 "), (b"", "554 5.4.6")):
        count = 49 if content else 51
        with converse(client, server.host) as talk:
            open_content(talk)
            talk.send((field + b"\r\n") * count + b"\r\n" + (field + b"\r\n") * 60 + b".\r\n")
            assert talk.reply().startswith(code)


# Texts that are more than texts elsewhere

@pytest.mark.parametrize("local", ["${run{/bin/touch PATH}}", "$(touch PATH)", "`touch PATH`", ";touch PATH;", "|touch PATH", "%s%n%s%n", "' OR 1=1 --", "../../../../PATH", "%PATH%", "{0}{{7*7}}"])
def test_address_is_text_and_nothing_else(client, server, local):
    """No shell, template, SQL or path is made of sender, recipient, name or subject (CVE-2019-10149 Exim, CVE-2020-7247 OpenSMTPD, CVE-2025-26794 Exim)."""
    made = pathlib.Path(tempfile.mkdtemp()) / "made"  # short enough for a local part
    text = local.replace("PATH", str(made))
    quoted = '"bob+' + text + '"'
    with converse(client, server.host) as talk:
        talk.say(f"EHLO {text.replace(' ', '_')}")
        talk.say("EHLO client.lab")
        for line in (f'MAIL FROM:<"{text}"@b.example>', f"RCPT TO:<{quoted}@a.example>"):
            assert talk.say(line).startswith("250"), line
        assert talk.say("DATA").startswith("354")
        talk.send(f"Subject: {text}\r\nFrom: {text}\r\n\r\nText {text}\r\n.\r\n")
        reply = talk.reply()
    assert reply.startswith("250"), reply
    server.wait_for_trace(message_id(reply), "delivered")
    assert any(text in event.get("recipient", "") for event in server.json("trace", message_id(reply)))
    assert [file for file in files(server) if f"\n\nText {text}\n".encode() in file]
    made.parent.rmdir()  # which is empty


@pytest.mark.parametrize("line", [b"EHLO \xff\xfe", b"EHLO \xe2\x82", b"MAIL FROM:<\xe2\x82@b.example> SMTPUTF8", b"MAIL FROM:<a@\xc3.example> SMTPUTF8", b"MAIL FROM:<\xed\xa0\x80@b.example> SMTPUTF8",
                                  b"MAIL FROM:<\xc0\xaf@b.example> SMTPUTF8", b"MAIL FROM:<a@b.example> ENVID=\xc3", b"MAIL FROM:<a@b.example> ENVID=+0", b"MAIL FROM:<\0@b.example>", b"AUTH \xff"], ids=repr)
def test_cut_utf8_in_a_command_is_refused(client, server, line):
    """Half a character, a surrogate, an overlong form or NUL in each place (CVE-2026-40684 and kin, Exim: cut UTF-8 was read past its end)."""
    with converse(client, server.host) as talk:
        talk.say("EHLO client.lab")
        talk.send(line + b"\r\n")
        assert talk.reply()[:1] == "5"
        assert talk.say("RCPT TO:<bob@a.example>").startswith("503")


# Other protocols

METHODS = ["GET", "POST", "PUT", "HEAD", "CONNECT", "OPTIONS", "DELETE", "PATCH", "TRACE", "PRI"]


@pytest.mark.parametrize("port,tls", [(25, False), (25, True), (587, True)])
def test_http_is_cut_off_before_its_body(client, server, port, tls):
    """A browser made to send commands in a request's body is not listened to, in clear or under TLS (ALPACA, CVE-2021-3618)."""
    for method in METHODS:
        with encrypted(client, server, port) if tls else converse(client, server.host, port) as talk:
            talk.send(f"{method} * HTTP/1.1\r\nHost: mx.a.example\r\n\r\n" + "\r\n".join(ENVELOPE) + "\r\nDATA\r\nSubject: from a browser\r\n\r\n.\r\n")
            said = heard(talk).decode()
        assert said.startswith("421 4.7.0") and said.count("\n") == 1, (method, said)
    assert not [file for file in files(server) if b"from a browser" in file]


@pytest.mark.parametrize("octets", [b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00\r\n", b"\x16\x03\x01\x00\x05", b"SSH-2.0-x\r\n", b"\x05\x01\x00\r\n", b"\x04\x01\x00\x19\x0a\x00\x00\x01\x00\r\n", b"PROXY TCP4 192.0.2.1 192.0.2.2 1 25\r\n",
                                    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c" + b"\x00" * 12 + b"\r\n", b"a1 LOGIN x y\r\n", b"USER x\r\n"], ids=repr)
def test_opening_of_another_protocol_is_refused(client, server, octets):
    """TLS, SSH, SOCKS, PROXY (no proxy is trusted here), IMAP and POP3 at the SMTP port: cut off at once, and in the log (CVE-2021-3618)."""
    before = len(server.log_text())
    with converse(client, server.host) as talk:
        talk.send(octets + (b"NOOP\r\n" * 3 if octets.endswith(b"\n") else b""))
        said = heard(talk).decode().splitlines()
    assert said[-1].startswith("421 4.7.0 This is ") and all(line.startswith("500 5.5.2 ") for line in said[:-1]), said
    server.wait_for_log(r"event=command_refused .*421.*This is ", after=before)


# Logins

def test_undecodable_credentials_of_each_length(client, server):
    """Base64 of 0 to 64 octets with each padding, at once and when asked for (CVE-2018-6789, Exim: a length off by one)."""
    for length in range(65):
        with encrypted(client, server, 587) as talk:
            reply = talk.say(f"AUTH PLAIN {'A' * length}{'=' * (length % 4)}")
            assert reply[:3] in ("501", "535", "334"), (length, reply)
            if reply.startswith("334"):
                assert talk.say("*").startswith("501")
            if talk.say("AUTH LOGIN").startswith("334"):
                assert talk.say("A" * length + "=")[0] in "534", length


STEPS = [("AUTH PLAIN", "*"), ("AUTH LOGIN", "*"), ("AUTH LOGIN", "YWxpY2U=", "*"), ("AUTH LOGIN", "%%%"), ("AUTH SCRAM-SHA-256", "*"), ("AUTH SCRAM-SHA-1", "biwsbj1hLHI9Yg==", "*"),
         ("AUTH SCRAM-SHA-256 biwsbj1hbGljZUBhLmV4YW1wbGUscj1i", "*"), ("AUTH SCRAM-SHA-256 %%%",), ("AUTH NTLM",), ("AUTH",), ("AUTH CRAM-MD5",), ("AUTH EXTERNAL =",), ("RSET",)]


def test_login_works_after_any_order_of_failures(client, server):
    """Nothing of one exchange is left for the next (CVE-2011-1720, Postfix with SASL: a handle used again after a failure)."""
    source = random.Random(2011)
    for _ in range(50):
        with encrypted(client, server, 587) as talk:
            chosen = [source.choice(STEPS) for _ in range(3)]
            for step in chosen:
                replies = [talk.say(line) for line in step]
                assert all(reply.startswith("334") for reply in replies[:-1]) and replies[-1][0] in "52", (step, replies)
            assert talk.say(f"AUTH PLAIN {PLAIN}").startswith("235"), chosen


def test_bad_logins_do_not_disturb_good_ones(client, server):
    """Undecodable input while twenty others log in (CVE-2025-59028, Dovecot: it ended the login service that all shared)."""
    troubles, stopping = [], threading.Event()

    def log_in():
        try:
            with smtp(client, server.host, 587, "starttls", "alice@a.example") as session:
                assert session.noop()[0] == 250
        except Exception as trouble:  # told by the test's thread
            troubles.append(trouble)

    def disturb():
        while not stopping.is_set():
            with contextlib.suppress(OSError, AssertionError), encrypted(client, server, 587) as talk:
                talk.send("AUTH PLAIN\r\n\xff\xfe%%%\r\nAUTH SCRAM-SHA-256 !!!!\r\n")
    others, bad = [threading.Thread(target=log_in) for _ in range(20)], [threading.Thread(target=disturb) for _ in range(2)]
    for thread in (*bad, *others):
        thread.start()
    for thread in others:
        thread.join(60)
    stopping.set()
    for thread in bad:
        thread.join(30)
    assert not troubles


# Trouble behind us

@pytest.fixture
def failing_dns(lab):
    """Answers SERVFAIL to every question; its address."""
    with lab["faulty"].inside():
        listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        listener.bind((lab["faulty"].ip, 53))

    def answer():
        with contextlib.suppress(OSError):
            while True:
                question, asker = listener.recvfrom(4096)
                if not question:
                    return
                listener.sendto(question[:2] + b"\x81\x82\0\1\0\0\0\0\0\0" + question[12:question.index(b"\0", 12) + 5], asker)
    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    yield lab["faulty"].ip
    with lab["faulty"].inside(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
        last.sendto(b"", (lab["faulty"].ip, 53))
    thread.join(10)
    listener.close()


def test_dns_that_fails_defers_and_never_bounces(client, make_thurn, failing_dns):
    """Our own trouble is 4yz (Gmail, December 2020: a failing back end was told as 550 5.1.1, and senders struck good addresses off their lists)."""
    other = make_thurn("b", dns={"servers": [failing_dns]}, relay={"networks": [f"{client.ip}/32"]})
    with smtp(client, other.host) as session:
        assert session.docmd("MAIL", "FROM:<alice@b.example>")[0] == 250
        assert session.docmd("RCPT", "TO:<bob@b.example>")[0] == 250, "our own users are known without DNS"
        session.rset()
        identifier = message_id(send_on(session, make_message("no DNS"), "alice@b.example", ["someone@up.example"]))
    first = wait_until(lambda: settled(other, identifier), 30, lambda: f"an outcome:\n{other.trace(identifier)}")[0]
    assert first["outcome"] == "deferred" and first["status"].startswith("451 4.4.3"), first
    assert not files(other, "alice@b.example")
