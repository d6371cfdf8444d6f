"""tests/transcripts/*.smtp over sockets, against a whole running server: those that say `socket=on`.

The same files run in memory in src/smtp/transcript_test.cc, where the receiver's answers are made up. Here they are the server's own:
foo.example is its domain, with accounts for whoever is not called unknown…, and mail for other domains is passed on for the lab, into
nothing. Whom the made-up receiver refuses, rules refuse. What EHLO and HELP list is the listener's business: of a reply of several lines only the code and the first line are compared.
"""

import fnmatch
import pathlib
import random
import re
import socket

import pytest
from clients import converse
from lab import wait_until
from thurn import Thurn

FOLDER = pathlib.Path(__file__).resolve().parents[1] / "transcripts"
LIMITS = {"message_size": "message_size", "command_line": "line_length", "errors": "errors", "commands": "commands"}
PORTS = {("unavailable", "off"): 2500, ("offered", "off"): 25, ("active", "off"): 2465, ("offered", "offered"): 587, ("offered", "required"): 587, ("active", "offered"): 465, ("active", "required"): 465}
XCLIENT, XFORWARD, LMTP = 4650, 2526, 24
OFFERED = {"chunking", "binarymime", "smtputf8", "dsn", "limits", "requiretls"}
RULES = [{"name": name, "stage": stage, "when": when, "action": action} for name, stage, when, action in [
    ("refused", "helo", 'helo like "refused*"', "reject"), ("blocked", "mail", 'sender like "blocked*"', "reject"), ("later-sender", "mail", 'sender like "later*"', "defer"),
    ("later", "rcpt", 'recipient like "later*"', "defer"), ("closing", "rcpt", 'recipient like "closing*"', "disconnect"), ("nodata", "data", 'sender like "nodata*"', "defer"),
    ("refuse", "content", 'body matches "X-Refuse" or header.X-Refuse matches ""', "reject"), ("put-off", "content", 'header.X-Later matches ""', "defer")]]
SEED = 20261122


def unescape(text):
    """The escapes of a D line: \\r \\n \\t \\0 \\\\ \\xHH and {n*text}."""
    octets, at = b"", 0
    simple = {"r": b"\r", "n": b"\n", "t": b"\t", "0": b"\0"}
    while at < len(text):
        if text[at] == "{":
            star, end = text.index("*", at), text.index("}", at)
            octets += unescape(text[star + 1:end]) * int(text[at + 1:star])
            at = end
        elif text[at] != "\\":
            octets += text[at].encode("latin-1")
        else:
            at += 1
            if text[at] == "x":
                octets += bytes([int(text[at + 1:at + 3], 16)])
                at += 2
            else:
                octets += simple.get(text[at], text[at].encode("latin-1"))
        at += 1
    return octets


class Transcript:
    """`steps`: ("C", octets), ("S", [patterns of one reply]), ("closed", None) or ("A", number)."""

    def __init__(self, path):
        self.name, self.options, self.steps = path.stem, {}, []
        for line in path.read_bytes().decode("latin-1").splitlines():
            if line and line[0] != "#":
                self._add(line[0], line[3:])

    def _add(self, kind, text):
        if kind == "L":
            self.options.update(word.split("=", 1) for word in text.split())
        elif kind in "CD":
            octets = text.encode("latin-1") + b"\r\n" if kind == "C" else unescape(text)
            if self.steps and self.steps[-1][0] == "C":
                octets = self.steps.pop()[1] + octets
            self.steps.append(("C", octets))
        elif kind == "S" and text == "(closed)":
            self.steps.append(("closed", None))
        elif kind == "S":
            last = self.steps[-1]
            if last[0] == "S" and last[1][-1][3:4] == "-":
                last[1].append(text)
            else:
                self.steps.append(("S", [text]))
        elif kind == "A":
            self.steps.append(("A", int(text)))
        else:
            raise AssertionError(f"{self.name}: a step {kind}: that cannot be taken over a socket")

    @property
    def limits(self):
        return {LIMITS[key]: value if key == "message_size" else int(value) for key, value in self.options.items() if key in LIMITS}

    @property
    def port(self):
        extensions = set(self.options.get("extensions", "chunking").split(","))
        if "lmtp" in self.options or extensions & {"xclient", "xforward"}:
            return LMTP if "lmtp" in self.options else XCLIENT if "xclient" in extensions else XFORWARD
        assert extensions <= OFFERED, self.name
        return PORTS[self.options.get("tls", "unavailable"), self.options.get("auth", "off")]


TRANSCRIPTS = {found.name: found for found in (Transcript(path) for path in sorted(FOLDER.glob("*.smtp")) if re.search(r"(?m)^L:.*\bsocket=on\b", path.read_text("latin-1")))}


@pytest.fixture(scope="module")
def server_with(lab):
    """server_with(limits) gives a server that has those; one runs at a time, so the tests are sorted by them."""
    running = {}

    def make(limits):
        key = repr(sorted(limits.items()))
        if key not in running:
            for other in running.values():
                other.stop()
            running.clear()
            running[key] = start(lab, limits)
        return running[key]
    yield make
    for server in running.values():
        server.stop()


def start(lab, limits):
    listeners = [{"bind": ["0.0.0.0:25"], "role": "mx"}, {"bind": ["0.0.0.0:2500"], "role": "mx", "tls": "off"}, {"bind": ["0.0.0.0:2465"], "role": "mx", "tls": "implicit"},
                 {"bind": ["0.0.0.0:587"], "role": "submission"}, {"bind": ["0.0.0.0:465"], "role": "submission", "tls": "implicit"},
                 {"bind": [f"0.0.0.0:{XCLIENT}"], "role": "submission", "tls": "implicit", "xclient_from": [f"{lab['client'].ip}/32"], "xforward_from": [f"{lab['client'].ip}/32"]},
                 {"bind": [f"0.0.0.0:{XFORWARD}"], "role": "mx", "tls": "off", "xforward_from": [f"{lab['client'].ip}/32"]},
                 {"bind": [f"0.0.0.0:{LMTP}"], "role": "lmtp", "networks": [f"{lab['client'].ip}/32"], "tls": "off"}]
    server = Thurn(lab["a"], "foo.example", lab["dns"], hostname="mx.example.com", listener=listeners, relay={"networks": [f"{lab['client'].ip}/32"]},
                   rule=RULES, submission={"senders": "any", "check_author": False}, route=[{"recipient_domain": "*", "next_hop": "discard:"}], limits={"connections_per_ip": 1000, **limits}, login_protection={"delay": "0s", "failures": 100000, "account_failures": 100000}).start()
    for local in ("b", "c", "later", "jones", "brown", "jörg", "jörg2"):
        server.add_account(f"{local}@foo.example")
    server.add_account("joe@foo.example", "secret")
    return server


def accepted(server, port):
    """Messages taken from the client at `port`, as the log tells."""
    log = server.log_text()
    session = re.findall(rf"event=connected session=(\w+) .*\bport={port}\b", log)
    return len(re.findall(rf"event=accepted session={session[-1]}\b", log)) if session else 0


def pieces(octets, cuts):
    ends = [*cuts, len(octets)]
    return [octets[start:end] for start, end in zip([0, *cuts], ends)]


def whole(octets):
    return []


def octet_by_octet(octets):
    return range(1, len(octets)) if len(octets) < 5000 else range(997, len(octets), 997)


def at_random(octets):
    dice = random.Random(SEED + len(octets))
    return sorted(dice.sample(range(1, len(octets)), min(len(octets) - 1, 4))) if len(octets) > 1 else []


def matches(pattern, line):
    return line.startswith(pattern[:-1]) if pattern.endswith("*") else line == pattern


class Run:
    def __init__(self, client, server, transcript, cut):
        self.server, self.cut, self.tls_follows = server, cut, None
        self.talk = converse(client, server.host, transcript.port, greeted=False)
        self.port = self.talk.socket.getsockname()[1]
        self.talk.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if transcript.options.get("tls") == "active":
            self.talk.begin_tls()
        assert self.talk.reply().startswith("220 mx.example.com ")

    def take(self, kind, what):
        if kind == "C":
            self.say(what)
        elif kind == "S":
            self.expect(what)
        elif kind == "closed":
            assert self.talk.reply() == ""
        else:
            wait_until(lambda: accepted(self.server, self.port) >= what, 5, lambda: f"{what} messages accepted; {accepted(self.server, self.port)} were")
            assert accepted(self.server, self.port) == what

    def say(self, octets):
        # What stands behind STARTTLS in the same packet is dropped with the clear text; in a packet of its own it is no handshake.
        self.tls_follows = re.search(rb"(?m)^STARTTLS *\r\n", octets)
        for piece in [octets] if self.tls_follows else pieces(octets, self.cut(octets)):
            self.talk.send(piece)

    def expect(self, patterns):
        said = self.talk.reply().split("\n")
        assert matches(patterns[0], said[0]), (patterns, said)
        assert len(patterns) > 1 or len(said) == 1, (patterns, said)
        if self.tls_follows and said[0].startswith("220 "):
            self.talk.begin_tls()
            self.tls_follows = None


def test_readme_lists_every_transcript():
    words = re.findall(r"[a-z0-9*-]*[a-z0-9][a-z0-9*-]*", (FOLDER / "README.md").read_text())
    assert not [path.stem for path in FOLDER.glob("*.smtp") if not any(fnmatch.fnmatch(path.stem, word) for word in words)]


@pytest.mark.parametrize("cut", [whole, octet_by_octet, at_random])
@pytest.mark.parametrize("name", sorted(TRANSCRIPTS, key=lambda name: (repr(sorted(TRANSCRIPTS[name].limits.items())), name)))
def test_transcript_holds_over_a_socket(lab, server_with, name, cut):
    transcript = TRANSCRIPTS[name]
    server = server_with(transcript.limits)
    run = Run(lab["client"], server, transcript, cut)
    with run.talk:
        for number, (kind, what) in enumerate(transcript.steps):
            try:
                run.take(kind, what)
            except AssertionError as error:
                raise AssertionError(f"{name}, step {number}: {error}") from error
    assert server.alive()
