"""Random dialogues through thurn and through Postfix: both must answer alike, or the difference is one of docs/differences-from-postfix.md.

Both have the same domain, users and limits, no TLS and no logins. What is compared is the class of each reply: 2, 3, 4, 5, with `c` behind it
when the server has hung up. The page is read by this test: a row is a pattern of what is sent, both answers, the reason and an example,
which is tried by itself, so that no row outlives its difference. THURN_DIALOGUES=N and THURN_SEED=N try more and others.
"""

import os
import pathlib
import random
import re
import socket

import pytest
from clients import Conversation
from peers import Postfix

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "differences-from-postfix.md"
DIALOGUES = int(os.environ.get("THURN_DIALOGUES", "60"))
SEED = int(os.environ.get("THURN_SEED", "20261122"))
STEPS = 14
LIMIT = 20000  # octets of a message
LINE = 2048  # octets of a command
USERS = ("alice", "bob", "postmaster", "abuse")
SPACER = " ⏎ "  # between the lines of an example


# What is sent


class Step:
    """`octets` of one or more commands, told apart by `lines`; `content` is sent when the last one answers 354."""

    def __init__(self, octets, lines=None, content=None):
        self.octets = octets if isinstance(octets, bytes) else octets.encode("latin-1")
        self.lines = lines or [shown(self.octets)]
        self.content = content


def shown(octets):
    """Octets as the page writes them: `\\r\\n` for a line end."""
    return octets.decode("latin-1").encode("unicode_escape").decode()


def command(line, content=None):
    return Step(line.encode("latin-1") + b"\r\n", content=content)


def group(lines, content=None):
    return Step("".join(f"{line}\r\n" for line in lines), [shown(f"{line}\r\n".encode("latin-1")) for line in lines], content)


class Generator:
    def __init__(self, seed):
        self.dice = random.Random(seed)

    def some(self, *choices):
        choice = self.dice.choice(choices)
        return choice() if callable(choice) else choice

    def rarely(self, one_in=6):
        return self.dice.randrange(one_in) == 0

    def in_any_case(self, word):
        return self.some(word, word, word, word.lower(), "".join(self.some(letter, letter.lower()) for letter in word))

    def dialogue(self):
        steps = [] if self.rarely(8) else [command("EHLO client.lab")]
        for _ in range(STEPS):
            steps.append(self.some(self.step, self.step, self.envelope, self.pipelined, self.message))
            if steps[-1].octets[:4].upper() == b"BDAT" and len(steps[-1].octets) > LIMIT:
                break  # Postfix does not always live through what follows
        return steps

    def step(self):
        return self.some(self.hello, self.mail, self.rcpt, self.rcpt, self.data, self.data, self.chunk, self.chunk, self.other, self.other, self.broken)

    def envelope(self):
        return group(["MAIL FROM:<x@y.example>", "RCPT TO:<alice@a.example>"])

    def message(self):
        return group(["RSET", "MAIL FROM:<x@y.example>", "RCPT TO:<bob@a.example>", "DATA"], self.content())

    def pipelined(self):
        lines = [self.some(self.mail_line, self.rcpt_line, self.rcpt_line, "RSET", "MAIL FROM:<x@y.example>", "RCPT TO:<alice@a.example>")
                 for _ in range(self.dice.randrange(2, 6))]
        return group([*lines, "DATA"], self.content()) if self.rarely(2) else group(lines)

    # Commands

    def hello(self):
        verb = self.in_any_case(self.some("EHLO", "HELO"))
        return command(verb + self.some(" client.lab", " client.lab", " [10.77.0.2]", " [IPv6:2001:db8::1]", "", " ", " client.lab "))

    def mail(self):
        return command(self.mail_line())

    def mail_line(self):
        path = self.some("<x@y.example>", "<x@y.example>", "<x@y.example>", "<>", '<"x y"@y.example>', "<x@[192.0.2.1]>", "<x.z+tag@sub.y.example>", "<@relay.example:x@y.example>",
                         "x@y.example", "<x@y.example", "<x@>", "<@y.example>", "<x y@y.example>", "<x@y..example>", "<x@y@z.example>", "", "<x@[192.0.2.999]>")
        return self.in_any_case("MAIL FROM:") + self.some("", "", "", " ") + path + self.mail_parameters()

    def mail_parameters(self):
        if not self.rarely(3):
            return ""
        known = (" SIZE=100", f" SIZE={LIMIT + 1}", " SIZE=0", " SIZE=x", " SIZE=", " BODY=8BITMIME", " body=7bit", " BODY=9BIT", " SMTPUTF8", " RET=HDRS", " RET=FULL", " RET=NO",
                 " ENVID=abc", " ENVID=a+2", " X-UNKNOWN=1", " AUTH=<>", " REQUIRETLS", " SIZE=1 SIZE=2", " =1", " RET=FULL RET=FULL", " SMTPUTF8=1")
        return "".join(self.some(*known) for _ in range(self.some(1, 1, 2)))

    def rcpt(self):
        return command(self.rcpt_line())

    def rcpt_line(self):
        path = self.some(*(f"<{user}@a.example>" for user in USERS), "<alice@a.example>", "<ALICE@A.EXAMPLE>", "<nobody@a.example>", "<alice+tag@a.example>", "<someone@elsewhere.example>",
                         "<postmaster>", "<Postmaster>", '<"alice"@a.example>', "<@relay.example:alice@a.example>", "<alice%elsewhere.example@a.example>", "<elsewhere.example!alice@a.example>",
                         "<>", "<alice>", "alice@a.example", "<alice@a.example", "<alice@>", "<al ice@a.example>", "<alice@a..example>", "<nobody@[10.77.0.9]>")
        return self.in_any_case("RCPT TO:") + self.some("", "", "", " ") + path + self.rcpt_parameters()

    def rcpt_parameters(self):
        if not self.rarely(4):
            return ""
        return self.some(" NOTIFY=NEVER", " NOTIFY=SUCCESS,FAILURE", " notify=delay", " NOTIFY=NEVER,DELAY", " NOTIFY=X", " ORCPT=rfc822;alice@a.example", " ORCPT=rfc822;a+2", " ORCPT=x", " X=1")

    def data(self):
        return Step(self.in_any_case("DATA") + self.some("", "", "", "", " now") + "\r\n", content=self.content())

    def chunk(self):
        body = self.some(b"", b"text\r\n", b"QUIT\r\n", b".\r\n", b"\r\n.\r\n", b"Subject: x\r\n\r\n", b"x" * (LIMIT + 1))
        return Step(self.in_any_case("BDAT").encode() + f" {len(body)}".encode() + self.some(b"", b" LAST", b" last") + b"\r\n" + body)

    def other(self):
        return command(self.some("RSET", "NOOP", "rset", "NOOP text", "VRFY alice@a.example", "VRFY", "EXPN list", "HELP", "STARTTLS", "STARTTLS now", "AUTH PLAIN", "AUTH", "ETRN a.example", "ETRN",
                                 "RSET now", "QUIT now", "XCLIENT NAME=x", "XFORWARD NAME=x", "TURN", "SEND FROM:<x@y.example>", "QUIT"))

    def broken(self):
        return self.some(command(""), command(" NOOP"), command("NOOPE"), command("MAIL"), command("RCPT"), command("MAIL FROM"), command("MAILFROM:<x@y.example>"), command("EHLO"), command("BDAT"),
                         command("BDAT x"), command("BDAT -1"), command("BDAT 1 2"), command("NOOP \xff\xfe"), command("NOOP \0"), command("GET / HTTP/1.1"), command("\x16\x03\x01"),
                         command("NOOP " + "x" * LINE), command("MAIL FROM:<" + "x" * LINE + "@y.example>"), command("RCPT TO:<" + "x" * 65 + "@a.example>"), command("\tNOOP"), command("NOOP\r"))

    # Contents

    def content(self):
        pieces = (b"Subject: x\r\n", b"\r\n", b"text\r\n", b"..\r\n", b"..x\r\n", b".x\r\n", b"...\r\n", b"x.\r\n", b"\r\n\r\n", b"QUIT\r\n", b"Gr\xc3\xbc\xc3\x9fe\r\n", b"x" * 998 + b"\r\n",
                  b"x" * 5000 + b"\r\n", b" folded\r\n", b"From: x\r\n")
        body = b"".join(self.some(*pieces) for _ in range(self.dice.randrange(0, 6)))
        if self.rarely(8):
            body += self.some(b"a\nb\r\n", b"a\rb\r\n", b"a\0b\r\n", b"\n.\nMAIL FROM:<evil@y.example>\r\n", b"\r.\r\r\n", b"\n.\r\nQUIT\r\n", b"a\r\r\n")
        if self.rarely(12):
            body += (b"x" * 78 + b"\r\n") * (LIMIT // 80 + 1)
        return body + b".\r\n"


# Who is asked


class Session:
    """A conversation whose answers are told as their classes."""

    def __init__(self, host, server):
        self.talk = Conversation(host.connect(server.ip, 25, 20))
        self.talk.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.said, self.closed = "", False
        assert self.hear() == "2"

    def hear(self):
        try:
            reply = self.talk.reply()
        except ConnectionResetError:
            reply = ""
        self.said = reply
        self.closed = self.closed or not reply
        return reply[:1] or "c"

    def send(self, octets):
        try:
            self.talk.send(octets)
        except (BrokenPipeError, ConnectionResetError):
            pass  # what it said before it hung up is to be read

    def take(self, step):
        """(what was said, the class of its answer, the answer) for each line and, if it is asked for, the content."""
        self.send(step.octets)
        told = []
        for line in step.lines:
            if not self.closed:
                told.append([line, self.hear(), self.said])
        if told[-1][1] == "3" and step.content is not None:
            self.send(step.content)
            told.append(["content " + shown(step.content), self.hear(), self.said])
        if told[-1][1] in "45" or told[-1][2].startswith("221"):
            told[-1][1] += self.probe()
        return told

    def probe(self):
        """Whether the server goes on: `c` when it does not."""
        self.send(b"NOOP\r\n")
        return "c" if self.hear() == "c" else ""

    def close(self):
        self.talk.reader.close()
        self.talk.socket.close()


# What is known to differ


class Difference:
    def __init__(self, row):
        self.name, pattern, self.thurn, self.postfix, self.reason, self.example = row
        self.pattern = re.compile(pattern, re.IGNORECASE)

    def explains(self, history, ours, theirs):
        """`history`: the lines before, since the state was last the same; only a pattern of several lines looks at them."""
        said = SPACER.join([*history, ours[0]]) if SPACER in self.pattern.pattern else ours[0]
        return bool(self.pattern.search(said) and is_answer(self.thurn, ours) and is_answer(self.postfix, theirs))


def is_answer(pattern, told):
    """`pattern` is a class, `5c`, or a class and the begin of the reply."""
    return re.fullmatch(pattern + "( .*)?", f"{told[1]} {told[2]}", re.DOTALL) is not None


def read_differences():
    rows = []
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) == 6 and cells[1].startswith("`"):
            rows.append(Difference([cell.strip("`") if number in (1, 2, 3, 5) else cell for number, cell in enumerate(cells)]))
    return rows


DIFFERENCES = read_differences()


def steps_of(example):
    """The steps of a row's example: lines, the last of which is the one that differs; behind DATA stands its content."""
    lines = [line.replace("xN", "x" * LINE).encode().decode("unicode_escape") for line in example.split(SPACER)]
    for at, line in enumerate(lines):
        if line.upper() == "DATA" and at + 1 < len(lines):
            return [command(before) for before in lines[:at]] + [command(line, lines[at + 1].encode("latin-1"))]
    return [command(line) for line in lines]


@pytest.fixture(scope="module")
def servers(lab, make_thurn):
    thurn = make_thurn("a", rule=[], rate=[], authentication={"no_author": "mark"}, limits={"message_size": f"{LIMIT}", "line_length": LINE, "errors": 1000, "recipients": 100, "connections_per_ip": 1000},
                       listener=[{"bind": ["0.0.0.0:25"], "role": "mx", "tls": "off"}])
    postfix = Postfix(lab["b"], "a.example", {
        "virtual_mailbox_maps": "inline:{" + ", ".join(f"{user}@a.example=box/" for user in USERS) + "}", "mynetworks": "127.0.0.0/8", "recipient_delimiter": "+",
        "smtpd_tls_security_level": "none", "message_size_limit": f"{LIMIT}", "line_length_limit": f"{LINE}", "smtpd_helo_required": "yes", "strict_rfc821_envelopes": "yes",
        "smtpd_error_sleep_time": "0", "smtpd_soft_error_limit": "1000", "smtpd_hard_error_limit": "1000", "smtpd_junk_command_limit": "1000", "smtpd_recipient_limit": "100",
        "smtpd_forbid_bare_newline": "reject", "smtpd_forbid_bare_newline_exclusions": "", "smtpd_client_connection_count_limit": "0"}).start()
    yield thurn.host, postfix.host
    postfix.stop()


def ask(lab, servers, steps):
    """Goes through `steps` with both; gives the first difference that is not listed."""
    thurn, postfix = (Session(lab["client"], server) for server in servers)
    history = []
    try:
        for step in steps:
            found = None
            for ours, theirs in zip(thurn.take(step), postfix.take(step)):
                if ours[1] != theirs[1]:
                    found = (ours, theirs)  # what follows it in a group may differ for its sake
                    break
                history.append(ours[0])
            if found and not any(known.explains(history, *found) for known in DIFFERENCES):
                return f"{found[0][0][:300]}\n  thurn   {found[0][1:]}\n  Postfix {found[1][1:]}\n  after {[line[:60] for line in history[-8:]]}"
            if thurn.closed or postfix.closed:
                return None
            if found:
                align(thurn), align(postfix)
                history = []
    finally:
        thurn.close(), postfix.close()
    return None


def align(session):
    """Ends a content that only one of them waits for, and a transaction that only one of them has."""
    for line in ([b".\r\n"] if session.said.startswith("354") else []) + [b"EHLO client.lab\r\n", b"RSET\r\n"]:
        session.send(line)
        session.hear()


@pytest.mark.parametrize("number", range(DIALOGUES))
def test_thurn_and_postfix_answer_alike(lab, servers, number):
    seed = SEED + number
    difference = ask(lab, servers, Generator(seed).dialogue())
    assert not difference, f"seed {seed}:\n{difference}"


@pytest.mark.parametrize("known", DIFFERENCES, ids=lambda known: known.name)
def test_listed_difference_is_there(lab, servers, known):
    """Each row has an example, so that none outlives its difference."""
    steps = steps_of(known.example)
    thurn, postfix = (Session(lab["client"], server) for server in servers)
    try:
        for step in steps[:-1]:
            thurn.take(step), postfix.take(step)
        ours, theirs = thurn.take(steps[-1])[-1], postfix.take(steps[-1])[-1]
        assert ours[1] != theirs[1] and known.explains([step.lines[-1] for step in steps[:-1]], ours, theirs), f"{ours}\n{theirs}"
    finally:
        thurn.close(), postfix.close()
