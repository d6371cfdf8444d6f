"""Clients that mean harm: the server stays up, bounded in memory and time, and serves others meanwhile."""

import contextlib
import itertools
import random
import re
import resource
import select
import socket
import threading
import time

import pytest
from clients import converse, make_message, send_on, smtp, submit
from lab import wait_until
from thurn import BINARY, message_id

MIB = 1 << 20
counter = itertools.count()


@pytest.fixture(scope="module")
def server(lab, make_thurn):
    return make_thurn("a", relay={"networks": [f"{lab['client'].ip}/32"]}, limits={"connections_per_ip": 15000, "connections": 20000, "command_timeout": "4s", "content_timeout": "4s"})


@pytest.fixture(scope="module")
def client(lab):
    return lab["client"]


@pytest.fixture(autouse=True)
def still_serves_others(client, server):
    """Whatever a test did: the same process takes and delivers mail afterwards, and has not grown much."""
    before, pid = server.memory(), server.pid
    yield
    submit(client, server.host, "afterwards", "bob@a.example")
    server.wait_for_mail("bob@a.example", "afterwards")
    assert server.pid == pid and server.alive()
    assert server.memory() - before < 200 * MIB


class Others:
    """Another client, who sends a mail now and then while the block runs. At its end: it got through, each time, within five seconds, and all of it was
    delivered."""

    def __init__(self, client, server):
        self.client, self.server = client, server
        self.subjects, self.longest, self.trouble = [], 0.0, None
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        try:
            while not self.stopping.is_set() or not self.subjects:
                started, subject = time.monotonic(), f"meanwhile {next(counter)}"
                with smtp(self.client, self.server.host) as session:
                    send_on(session, make_message(subject), "someone@b.example", ["alice@a.example"])
                self.subjects.append(subject)
                self.longest = max(self.longest, time.monotonic() - started)
                self.stopping.wait(0.2)
        except Exception as trouble:  # it is told by the test's thread
            self.trouble = trouble

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, kind, *_):
        self.stopping.set()
        self.thread.join(30)
        if kind is not None:
            return
        assert self.trouble is None and not self.thread.is_alive(), self.trouble
        assert self.subjects and self.longest < 5, f"{len(self.subjects)} mails, the longest took {self.longest:.1f} s"

        def missing():
            folder = self.server.maildir("alice@a.example") / "new"
            arrived = {line for file in (folder.iterdir() if folder.exists() else []) for line in file.read_text(errors="replace").split("\n\n", 1)[0].splitlines() if line.startswith("Subject: ")}
            return [subject for subject in self.subjects if f"Subject: {subject}" not in arrived]
        wait_until(lambda: not missing(), 20, lambda: f"{missing()} delivered")


def pour(sock, octets, limit=20):
    """Sends while the server takes it, reading what it says; gives all of that. Ends when it closes, or `limit` seconds have passed."""
    said, end, view = b"", time.monotonic() + limit, memoryview(octets)
    sock.setblocking(False)
    while time.monotonic() < end:
        readable, writable, _ = select.select([sock], [sock] if view else [], [], min(0.5, max(0, end - time.monotonic())))
        if readable:
            try:
                piece = sock.recv(1 << 16)
            except ConnectionError:
                return said
            if not piece:
                return said
            said += piece
        if writable:
            try:
                view = view[sock.send(view[:1 << 16]):]
            except ConnectionError:
                view = view[:0]
        if not readable and not writable:
            return said
    return said


def test_million_octet_command_line(client, server):
    """It is read to its end and refused once; the conversation goes on behind it."""
    before = server.memory()
    with Others(client, server), contextlib.closing(client.connect(server.host.ip, 25)) as sock:
        said = pour(sock, b"EHLO client.lab\r\nMAIL FROM:<" + b"a" * 1_000_000 + b">\r\nNOOP\r\nQUIT\r\n")
    assert [line[:9] for line in said.split(b"\r\n")[-4:]] == [b"500 5.5.2", b"250 2.0.0", b"221 2.0.0", b""]
    assert server.memory() - before < 8 * MIB


def test_sixteen_megabytes_without_a_line_end(client, server):
    before = server.memory()
    with Others(client, server), contextlib.closing(client.connect(server.host.ip, 25)) as sock:
        pour(sock, b"x" * (16 * MIB))
        assert server.memory() - before < 8 * MIB


def test_million_octet_line_in_content(lab, client, server, faulty):
    """Lines of content have no limit of their own: it arrives here and elsewhere as it came."""
    peer = faulty()
    line = b"x" * 1_000_000
    with Others(client, server), converse(client, server.host) as talk:
        for command in ("EHLO client.lab", "MAIL FROM:<someone@b.example>", "RCPT TO:<bob@a.example>", "RCPT TO:<someone@up.example>", "DATA"):
            talk.say(command)
        talk.send(b"Subject: long line\r\n\r\n" + line + b"\r\n.\r\n")
        reply = talk.reply()
        assert reply.startswith("250"), reply
        assert talk.say("NOOP").startswith("250")
    peer.wait_for_messages(1)
    assert peer.messages[0].content.endswith(b"\r\n\r\n" + line + b"\r\n")
    server.wait_for_trace(message_id(reply), "someone@up.example delivered", "bob@a.example delivered")
    assert server.wait_for_mail("bob@a.example", "long line").get_payload() == line.decode() + "\n"


def test_message_over_the_limit_is_refused_during_the_transfer(make_thurn, client, server):
    with converse(client, server.host) as talk:
        features = talk.say("EHLO client.lab")
        limit = next(int(line[4:].split()[1]) for line in features.splitlines() if line[4:].startswith("SIZE "))
        assert talk.say(f"MAIL FROM:<someone@b.example> SIZE={limit + 1}").startswith("552 5.3.4")
        talk.say("MAIL FROM:<someone@b.example>")
        talk.say("RCPT TO:<bob@a.example>")
        talk.say("DATA")
        block = b"x" * 998 + b"\r\n"
        for _ in range(limit // len(block) // 1000 + 1):
            talk.send(block * 1000)
        talk.send(b".\r\n")
        assert talk.reply().startswith("552 5.3.4")
        assert talk.say("NOOP").startswith("250")


def test_a_million_recipients(client, server):
    before = server.memory()
    recipients = b"".join(b"RCPT TO:<bob+%d@a.example>\r\n" % number for number in range(1_000_000))
    with Others(client, server), contextlib.closing(client.connect(server.host.ip, 25)) as sock:
        said = pour(sock, b"EHLO client.lab\r\nMAIL FROM:<someone@b.example>\r\n" + recipients, limit=40)
    assert said.count(b"\r\n250 2.1.5") <= 1000
    assert b"\r\n452 4.5.3" in said
    assert server.memory() - before < 64 * MIB


def test_client_that_never_reads(client, server):
    before = server.memory()
    with Others(client, server), contextlib.closing(client.connect(server.host.ip, 25)) as sock:
        sock.setblocking(False)
        end = time.monotonic() + 5
        with contextlib.suppress(ConnectionError):
            while time.monotonic() < end:
                _, writable, _ = select.select([], [sock], [], 0.5)
                if not writable:
                    break
                sock.send(b"HELP\r\n" * 2000)
        assert server.memory() - before < 32 * MIB


@pytest.mark.parametrize("start", [b"", b"EHLO client", b"EHLO client.lab\r\nMAIL FROM:<some"])
def test_half_a_command_for_ever_times_out(client, server, start):
    with Others(client, server), converse(client, server.host) as talk:
        talk.send(start)
        started, said = time.monotonic(), ""
        while reply := talk.reply():
            said = reply
        assert said.startswith("421 4.4.2") and time.monotonic() - started < 15


def test_half_a_content_for_ever_times_out(client, server):
    with Others(client, server), converse(client, server.host) as talk:
        for line in ("EHLO client.lab", "MAIL FROM:<someone@b.example>", "RCPT TO:<bob@a.example>", "DATA"):
            talk.say(line)
        talk.send("Subject: half\r\n\r\nhalf a li")
        assert talk.reply().startswith("421 4.4.2")
    assert not [message for message in server.mail("bob@a.example") if message["Subject"] == "half"]


def trickle(talk, octets):
    """Sends an octet a second until the server has had enough; gives what it said."""
    talk.socket.settimeout(1)
    said = b""
    for at in range(60):
        with contextlib.suppress(TimeoutError):
            piece = talk.socket.recv(1000)
            said += piece
            if not piece:
                break
        with contextlib.suppress(OSError):
            talk.send(octets[at % len(octets):][:1])
    return said.decode(), at


@pytest.mark.parametrize("before,octets", [((), b"x"), (("EHLO client.lab",), b"MAIL FROM:<x"), (("EHLO client.lab", "MAIL FROM:<someone@b.example>", "RCPT TO:<bob@a.example>", "DATA"), b"x\r\n"),
                                           (("EHLO client.lab", "MAIL FROM:<someone@b.example>", "RCPT TO:<bob@a.example>", "BDAT 100\r\n" + "x" * 100), b"BDAT")])
def test_an_octet_now_and_then_buys_no_time(client, server, before, octets):
    """Slowloris: the time limit is one for a whole command, or for so many octets of content."""
    with Others(client, server), converse(client, server.host) as talk:
        for line in before:
            talk.send(line + ("" if line.startswith("BDAT") else "\r\n"))
            assert talk.reply()[0] in "23", line
        said, seconds = trickle(talk, octets)
        assert said.startswith("421 4.4.2") and seconds < 15


def test_a_crowd_of_slow_readers_and_writers_fits_in_memory(client, server):
    """Fifty who never read what they ask for, and three hundred who stop within a line: little memory each."""
    before = server.memory()
    with contextlib.ExitStack() as stack:
        for number in range(350):
            sock = stack.enter_context(contextlib.closing(client.connect(server.host.ip, 25)))
            sock.setblocking(False)
            with contextlib.suppress(OSError):
                for _ in range(4 if number % 7 == 0 else 1):
                    sock.send(b"HELP\r\n" * 2000 if number % 7 == 0 else b"EHLO client.lab\r\nNOOP " + b"x" * 2000)
        time.sleep(2)  # until it has taken what it will take
        assert server.memory() - before < 24 * MIB


@pytest.mark.parametrize("port", [25, 587, 465])
def test_random_octets(client, server, port):
    source = random.Random(port)
    with Others(client, server):
        for _ in range(40):
            with contextlib.closing(client.connect(server.host.ip, port)) as sock:
                pour(sock, source.randbytes(source.choice([1, 100, 10000])), limit=0.1)


def test_random_commands(client, server):
    source = random.Random(7)
    words = [b"EHLO x\r\n", b"HELO x\r\n", b"MAIL FROM:<a@b.example>\r\n", b"MAIL FROM:<>\r\n", b"RCPT TO:<bob@a.example>\r\n", b"RCPT TO:<\0@a.example>\r\n", b"DATA\r\n", b".\r\n",
             b"\r\n.\r\n", b"RSET\r\n", b"STARTTLS\r\n", b"AUTH PLAIN =\r\n", b"AUTH LOGIN\r\n", b"*\r\n", b"BDAT 10\r\n", b"BDAT -1 LAST\r\n", b"\r\n", b"\n", b"\0\r\n", b"VRFY \xff\r\n"]
    with Others(client, server):
        for _ in range(60):
            with contextlib.closing(client.connect(server.host.ip, 25)) as sock:
                pour(sock, b"".join(source.choice(words) for _ in range(30)), limit=0.1)


def test_connection_cut_at_every_step(client, server):
    """Close and reset behind each command, in clear and under TLS."""
    lines = [b"EHLO client.lab\r\n", b"MAIL FROM:<someone@b.example>\r\n", b"RCPT TO:<bob@a.example>\r\n", b"DATA\r\n", b"Subject: cut\r\n\r\nhalf", b"\r\n."]
    for tls in (False, True):
        for count in range(len(lines) + 1):
            for linger in (None, b"\x01\0\0\0\0\0\0\0"):
                with converse(client, server.host) as talk:
                    if tls:
                        talk.say("EHLO client.lab")
                        talk.start_tls()
                    for line in lines[:count]:
                        talk.send(line)
                        if line.endswith(b"\r\n") and b"half" not in line:
                            talk.reply()
                    if linger:
                        talk.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    assert not [message for message in server.mail("bob@a.example") if message["Subject"] == "cut"]


def test_half_a_handshake(client, server):
    before = server.memory()
    with contextlib.ExitStack() as stack:
        for _ in range(200):
            sock = stack.enter_context(contextlib.closing(client.connect(server.host.ip, 465)))
            sock.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        submit(client, server.host, "among the half", "bob@a.example")
        server.wait_for_mail("bob@a.example", "among the half")
        assert server.memory() - before < 64 * MIB


def test_password_guessing_ends_with_421(client, server):
    with converse(client, server.host, 587) as talk:
        talk.say("EHLO client.lab")
        talk.start_tls()
        talk.say("EHLO client.lab")
        replies = []
        for _ in range(10):
            replies.append(talk.say("AUTH PLAIN AGFsaWNlQGEuZXhhbXBsZQB3cm9uZw=="))
            if not replies[-1] or replies[-1].startswith("421"):
                break
        assert replies[0].startswith("535 5.7.8") and len(replies) < 6, replies


def test_ten_thousand_idle_connections(client, server):
    wanted = min(10_000, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 1000)
    before = server.memory()
    sockets = []
    try:
        for _ in range(wanted):
            sockets.append(client.connect(server.host.ip, 25))
        assert sockets[-1].recv(4, socket.MSG_PEEK).startswith(b"220")
        started = time.monotonic()
        submit(client, server.host, "among the idle", "bob@a.example")
        assert time.monotonic() - started < 5
        server.wait_for_mail("bob@a.example", "among the idle")
        grown = server.memory() - before
        print(f"{wanted} idle connections: {grown / wanted:.0f} octets each")
        assert grown / wanted < 16 * 1024
        deadline = time.monotonic() + 30  # command_timeout is 4s: they are told 421 and dropped
        for sock in sockets[:: wanted // 20]:
            sock.settimeout(max(0.1, deadline - time.monotonic()))
            said = b""
            while piece := sock.recv(4096):
                said += piece
            assert b"421 4.4.2" in said
    finally:
        for sock in sockets:
            sock.close()


def test_hundreds_of_idle_tls_connections(make_thurn, lab, client):
    other, wanted = make_thurn("b", limits={"connections_per_ip": 1000}), 500
    submit(client, other.host, "before the others", "bob@b.example", sender="alice@b.example")
    before = other.memory()
    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(smtp(client, other.host, 587, "starttls", timeout=5)) for _ in range(wanted)]
        submit(client, other.host, "among the encrypted", "bob@b.example", sender="alice@b.example")
        other.wait_for_mail("bob@b.example", "among the encrypted", limit=5)
        grown = other.memory() - before
        print(f"{wanted} idle TLS connections: {grown / wanted:.0f} octets each")
        assert grown / wanted < 40 * 1024
        assert all(session.noop()[0] == 250 for session in idle)


def test_connections_in_all_are_limited(make_thurn, lab):
    other = make_thurn("b", limits={"connections": 3})
    with contextlib.ExitStack() as stack:
        for host in ("client", "faulty", "client"):
            stack.enter_context(converse(lab[host], other.host))
        with converse(lab["faulty"], other.host, greeted=False) as talk:
            assert talk.reply().startswith("421 4.3.2")
    with smtp(lab["client"], other.host) as session:
        assert session.noop()[0] == 250


def test_clients_leave_descriptors_for_the_spool(make_thurn, lab):
    server = make_thurn("b", limits={"connections_per_ip": 1000})
    server.stop()
    server.process = server.host.start("prlimit", "--nofile=200", BINARY, "serve", "--config", server.config, log=server.log)
    server.wait_for_log("event=few_descriptors allowed=200 connections=100 ")
    server.host.wait_for_port(25, process=server.process)
    with contextlib.ExitStack() as stack:
        talks = [stack.enter_context(converse(lab["client"], server.host, greeted=False)) for _ in range(120)]
        replies = [talk.reply()[:9] for talk in talks]
        assert 95 <= len([reply for reply in replies if reply.startswith("220")]) <= 100 and "421 4.3.2" in replies
        assert talks[0].say("EHLO c.lab").startswith("250")
        for command, code in (("MAIL FROM:<x@w.example>", "250"), ("RCPT TO:<bob@b.example>", "250"), ("DATA", "354"), ("From: x@w.example\r\nSubject: one of many\r\n\r\nHello.\r\n.", "250")):
            assert talks[0].say(command).startswith(code), command
        server.wait_for_mail("bob@b.example", "one of many")


def test_connections_per_address_are_limited(make_thurn, lab):
    other = make_thurn("b", limits={"connections_per_ip": 10})
    with contextlib.ExitStack() as stack:
        for _ in range(10):
            stack.enter_context(converse(lab["client"], other.host))
        with converse(lab["client"], other.host, greeted=False) as talk:
            assert talk.reply().startswith("421 4.7.0")
        with converse(lab["faulty"], other.host):
            pass  # another address is served

    def is_served():
        with converse(lab["client"], other.host, greeted=False) as talk:
            return talk.reply().startswith("220")

    wait_until(is_served, what="the server has seen them go")


def test_too_many_errors_end_the_connection(client, server):
    with converse(client, server.host) as talk:
        replies = []
        while len(replies) < 200:
            replies.append(talk.say("WHAT"))
            if replies[-1].startswith("421") or not replies[-1]:
                break
        assert replies[0].startswith("500") and replies[-1].startswith("421 4.7.0") and len(replies) < 50


def test_who_does_not_wait_where_a_group_must_end_is_served_and_told_once(client, server):
    """RFC 2920 §3.1: behind EHLO, and behind DATA, a client waits for the reply."""
    heard = len(server.log_text())
    with converse(client, server.host) as talk:
        talk.send("EHLO client.lab\r\nMAIL FROM:<x@b.example>\r\nRCPT TO:<bob@a.example>\r\n")
        for _ in range(3):
            assert talk.reply().startswith("250")
        talk.send("DATA\r\nSubject: hasty\r\n\r\nx\r\n.\r\n")
        assert talk.reply().startswith("354") and talk.reply().startswith("250")
    server.wait_for_mail("bob@a.example", "hasty")
    with converse(client, server.host) as talk:
        assert talk.say("EHLO client.lab").startswith("250")
        talk.send("MAIL FROM:<x@b.example>\r\nRCPT TO:<bob@a.example>\r\nDATA\r\n")
        assert [talk.reply()[:3] for _ in range(3)] == ["250", "250", "354"]
        talk.send("Subject: patient\r\n\r\nx\r\n.\r\nQUIT\r\n")
        assert [talk.reply()[:3] for _ in range(2)] == ["250", "221"]
    server.wait_for_mail("bob@a.example", "patient")
    assert re.findall(r"event=improper_pipelining .*subject=(\w+)", server.log_text()[heard:]) == ["EHLO"], "and nothing of who waits"


def test_early_talker_is_refused_and_the_patient_are_served(lab, make_thurn):
    server = make_thurn("b", limits={"greeting_delay": "1s"})
    with lab["client"].inside(), socket.create_connection((server.host.ip, 25), timeout=10) as hasty:
        hasty.sendall(b"EHLO hasty.example\r\n")
        assert hasty.makefile("rb").read().startswith(b"554 5.5.1")
    server.wait_for_log("event=early_talker.*code=554")
    with smtp(lab["client"], server.host) as patient:
        send_on(patient, make_message("patient"), "x@elsewhere.example", ["bob@b.example"])
    server.wait_for_mail("bob@b.example", "patient")
