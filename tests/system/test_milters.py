"""Content filters: libmilter's own side of the protocol, rspamd, OpenDKIM, and filters that fail in every way."""

import contextlib
import json
import pathlib
import re
import smtplib
import socket
import subprocess

import pytest
from authentication_tools import Tools
from clients import make_message, send_on, smtp, submit
from lab import wait_until
from scripted import BadPeer
from thurn import message_id

HERE = pathlib.Path(__file__).resolve().parent
GTUBE = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X\r\n"


def milter(name, place, **more):
    return {"name": name, "socket": place, **more}


class EveryFilter:
    """milter_every.py at a local socket of host b."""

    def __init__(self, lab):
        self.socket, self.story = lab.folder / "every.sock", lab.folder / "every.story"
        self.story.write_text("")
        self.log = lab.folder / "every.log"
        self.process = lab["b"].start("/usr/bin/python3", HERE / "milter_every.py", f"unix:{self.socket}", self.story, log=self.log)
        wait_until(self.socket.exists, 20, lambda: f"the filter listens; {self.log.read_text()}")

    def heard(self, connection=None):
        told = [json.loads(line) for line in self.story.read_text().splitlines()]
        return [one for one in told if connection is None or one["id"] == connection]

    def last(self):
        return self.heard(self.heard()[-1]["id"])


@pytest.fixture(scope="module")
def every(lab):
    return EveryFilter(lab)


@pytest.fixture(scope="module")
def b(make_thurn, every):
    return make_thurn("b", milter=[milter("every", f"unix:{every.socket}")], limits={"errors": 1000})


@contextlib.contextmanager
def session(lab, **options):
    with smtp(lab["client"], lab["b"], **options) as client:
        yield client


def send(lab, subject, sender="carl@p.example", to="alice@b.example", body="Hello.\r\n", **fields):
    message = make_message(subject, body, sender, to)
    for name, value in fields.items():
        message[name.replace("_", "-")] = value
    with session(lab) as client:
        return send_on(client, message, sender, [to])


def refusal(lab, subject, sender="carl@p.example", **more):
    with pytest.raises(smtplib.SMTPResponseException) as refused:
        send(lab, subject, sender, **more)
    return refused.value.smtp_code, refused.value.smtp_error.decode()


# libmilter

def test_every_callback_is_called_with_its_macros(lab, b, every):
    with session(lab) as client:
        identifier = message_id(send_on(client, make_message("callbacks", "Hello.\r\n", "carl@p.example", "alice@b.example"), "carl@p.example", ["alice@b.example"]))
        client.docmd("RUBBISH")
        client.mail("carl@p.example", ["SIZE=100"])
        client.rset()
        assert client.mail("carl@p.example")[0] == 250
    wait_until(lambda: every.last()[-1]["step"] == "close", 10, "the filter is told of the end")
    told = every.last()
    steps = [one["step"] for one in told]
    headers = steps.count("header")
    assert steps == ["connect", "helo", "mail", "rcpt", "data", *["header"] * headers, "eoh", "body", "eom", "unknown", "mail", "abort", "mail", "abort", "close"], steps
    by_step = {one["step"]: one for one in reversed(told)}
    assert by_step["connect"]["address"][0] == lab["client"].ip and by_step["connect"]["macros"]["{daemon_name}"] == "mx"
    assert by_step["connect"]["macros"]["j"] == "mx.b.example" and by_step["connect"]["macros"]["{client_addr}"] == lab["client"].ip
    assert by_step["helo"]["name"] == "client.lab"
    assert by_step["mail"]["sender"] == "<carl@p.example>" and by_step["mail"]["macros"]["{mail_addr}"] == "carl@p.example"
    assert by_step["mail"]["macros"]["i"] == identifier
    assert by_step["rcpt"]["recipient"] == "<alice@b.example>" and by_step["rcpt"]["macros"]["{rcpt_addr}"] == "alice@b.example"
    assert by_step["data"]["macros"]["i"] == identifier
    assert {"name": "Subject", "value": "callbacks"}.items() <= next(one for one in told if one["step"] == "header" and one["name"] == "Subject").items()
    assert by_step["eom"]["octets"] == len("Hello.\r\n")
    assert any(one["parameters"] == ["SIZE=100"] for one in told if one["step"] == "mail")


def test_a_user_is_told_with_login_and_tls(lab, b, every):
    submit(lab["client"], lab["b"], "by a user", "bob@b.example", sender="alice@b.example")
    mail = next(one for one in every.last() if one["step"] == "mail")
    assert mail["macros"]["{auth_authen}"] == "alice@b.example" and mail["macros"]["{auth_type}"]
    helo = next(one for one in every.last() if one["step"] == "helo")
    assert helo["macros"]["{tls_version}"] == "TLSv1.3" and helo["macros"]["{cipher}"]
    names = [one["name"] for one in every.last() if one["step"] == "header"]
    assert "Date" in names and "Message-ID" in names, "what we complete is seen"


def test_header_fields_are_added_and_inserted(lab, b):
    identifier = message_id(send(lab, "add"))
    arrived = b.wait_for_mail("alice@b.example", "add")
    assert arrived["X-Added"] == "plain" and arrived["X-Top"] == "first of all"
    assert arrived["X-Folded"].split() == ["first", "second"]
    names = [name for name in arrived.keys() if name not in ("Return-Path", "Delivered-To", "Authentication-Results")]
    assert names[:2] == ["Received", "X-Top"] and names[-2:] == ["X-Added", "X-Folded"]
    b.wait_for_trace(identifier, "milter.every", "adds X-Added: plain", "inserts X-Top: first of all")


def test_header_fields_are_changed_and_removed(lab, b):
    message = make_message("change", "Hello.\r\n", "carl@p.example", "alice@b.example").as_bytes()
    with session(lab) as client:
        send_on(client, b"X-Old: one\r\nX-Gone: x\r\nX-Old: two\r\n" + message.replace(b"\n", b"\r\n"), "carl@p.example", ["alice@b.example"])
    arrived = b.wait_for_mail("alice@b.example", "change")
    assert arrived.get_all("X-Old") == ["one", "changed"] and arrived["X-Gone"] is None and arrived["X-New"] == "was not there"


def test_the_envelope_is_changed(lab, b):
    identifier = message_id(send(lab, "envelope"))
    arrived = b.wait_for_mail("bob@b.example", "envelope")
    assert arrived["Return-Path"] == "<changed@b.example>"
    b.wait_for_empty_queue()
    assert not [one for one in b.mail("alice@b.example") if one["Subject"] == "envelope"]
    b.wait_for_trace(identifier, "changes the sender to <changed@b.example>", "adds recipient <bob@b.example>", "removes recipient <alice@b.example>")
    send(lab, "parameters")
    b.wait_for_mail("bob@b.example", "parameters")
    b.wait_for_mail("alice@b.example", "parameters")


def test_the_body_is_replaced(lab, b):
    send(lab, "replace")
    assert b.wait_for_mail("alice@b.example", "replace").get_content() == "a new body\nof two pieces\n"
    send(lab, "replace much", body="z\r\n" * 200_000)
    assert b.wait_for_mail("alice@b.example", "replace much").get_content() == "x" * 77 + "\n" + ("y" * 77 + "\n") * 5000


def test_a_long_message_is_changed_and_whole(lab, b, every):
    body = "".join(f"line {number} of a long message\r\n" for number in range(100_000))
    message = make_message("add", "", "carl@p.example", "bob@b.example").as_bytes().replace(b"\n", b"\r\n") + body.encode()
    with session(lab) as client:
        send_on(client, message, "carl@p.example", ["bob@b.example"])
    arrived = b.wait_for_mail("bob@b.example", "add")
    assert arrived["X-Added"] == "plain" and arrived.get_content().lstrip("\n") == body.replace("\r\n", "\n")
    told = every.last()
    assert next(one for one in told if one["step"] == "eom")["octets"] >= len(body)
    assert max(one["octets"] for one in told if one["step"] == "body") == 65535


def test_quarantine_holds_the_message(lab, b):
    identifier = message_id(send(lab, "quarantine"))
    held = next(one for one in b.queued() if one["id"] == identifier)
    assert "it looks odd" in json.dumps(held)
    b.cli("queue", "release", identifier, "--yes")
    b.wait_for_mail("alice@b.example", "quarantine")


def test_the_filters_replies_are_ours(lab, b):
    code, text = refusal(lab, "reply")
    assert code == 554 and text.startswith("5.7.1 no, by 100% not at all")
    code, text = refusal(lab, "later")
    assert code == 450 and text.startswith("4.7.1 greylisted for 60 seconds")
    b.wait_for_log(r"milter\.every")


@pytest.mark.parametrize("step", ["mail", "rcpt", "data", "header", "eoh", "body", "eom"])
def test_every_verdict_at_every_step(lab, b, step):
    assert refusal(lab, f"rejected {step}", f"reject.{step}@p.example")[0] == 550
    assert refusal(lab, f"put off {step}", f"tempfail.{step}@p.example")[0] == 451
    identifier = message_id(send(lab, f"discarded {step}", f"discard.{step}@p.example"))
    b.wait_for_trace(identifier, "discarded", "discard by milter.every")
    send(lab, f"accepted {step}", f"accept.{step}@p.example")
    b.wait_for_mail("alice@b.example", f"accepted {step}")
    b.wait_for_empty_queue()
    subjects = [one["Subject"] for one in b.mail("alice@b.example")]
    assert not {f"rejected {step}", f"put off {step}", f"discarded {step}"} & set(subjects)


def test_a_refused_recipient_is_the_only_one(lab, b):
    """The sender's other recipients get the message."""
    with session(lab) as client:
        assert client.mail("reject.rcpt@p.example")[0] == 250
        assert client.rcpt("alice@b.example")[0] == 550
        client.rset()
        assert client.mail("carl@p.example")[0] == 250 and client.rcpt("alice@b.example")[0] == 250


def octets_of(folder, subject):
    file = next(file for file in (folder / "new").iterdir() if f"Subject: {subject}\n".encode() in file.read_bytes().replace(b"\r\n", b"\n"))
    return file.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def make_dkim_key(folder, selector):
    """Its file, and the text of its DNS record."""
    subprocess.run(["opendkim-genkey", "-D", folder, "-d", "b.example", "-s", selector], check=True, timeout=60)
    return folder / f"{selector}.private", "".join(re.findall(r'"([^"]*)"', (folder / f"{selector}.txt").read_text()))


def test_what_we_sign_and_seal_is_what_filters_left(lab, make_thurn, every, postfix, tmp_path_factory):
    key, record = make_dkim_key(tmp_path_factory.mktemp("keys"), "s")
    server = make_thurn("b", milter=[milter("every", f"unix:{every.socket}")], domain=[{"name": "b.example", "dkim": [{"selector": "s", "key": str(key)}]}])
    server.cli("alias", "add", "out@b.example", "somebody@p.example")
    with Tools({"s._domainkey.b.example": [record]}) as tools:
        for subject in ("add", "replace", "replace much"):
            submit(lab["client"], lab["b"], subject, "bob@b.example", sender="alice@b.example")
            server.wait_for_mail("bob@b.example", subject)
            [answer] = tools.dkim([octets_of(server.maildir("bob@b.example"), subject)])
            assert answer["result"] == "pass", answer
        send(lab, "replace", sender="carl@a.example", to="out@b.example")
        assert postfix.wait_for_mail("replace").get_content() == "a new body\nof two pieces\n"
        [answer] = tools.arc([octets_of(postfix.maildir, "replace")])
        assert answer["result"] == "pass", answer


# Real filters

def test_opendkim_signs_what_users_submit(lab, make_thurn, tmp_path_factory):
    folder = tmp_path_factory.mktemp("opendkim")
    _, record = make_dkim_key(folder, "f")
    place = lab.folder / "opendkim.sock"
    (folder / "conf").write_text(f"Syslog no\nMode s\nDomain b.example\nSelector f\nKeyFile {folder}/f.private\nSocket local:{place}\nRequireSafeKeys no\nCanonicalization relaxed/relaxed\n")
    lab["b"].start("opendkim", "-f", "-x", folder / "conf", log=folder / "log")
    wait_until(place.exists, 20, lambda: f"opendkim listens; {(folder / 'log').read_text()}")
    server = make_thurn("b", milter=[milter("opendkim", f"unix:{place}", on=["submission"])])
    submit(lab["client"], lab["b"], "signed by a filter", "bob@b.example", sender="alice@b.example")
    server.wait_for_mail("bob@b.example", "signed by a filter")
    message = octets_of(server.maildir("bob@b.example"), "signed by a filter")
    assert b"DKIM-Signature:" in message
    with Tools({"f._domainkey.b.example": [record]}) as tools:
        [answer] = tools.dkim([message])
    assert answer["result"] == "pass", answer


RSPAMD = {
    "worker-proxy.inc": 'milter = yes; timeout = 60s; bind_socket = "{ip}:11332"; count = 1; upstream "local" {{ default = yes; self_scan = yes; }}\n',
    "worker-normal.inc": "enabled = false;\n",
    "worker-controller.inc": "enabled = false;\n",
    "worker-fuzzy.inc": "enabled = false;\n",
    "options.inc": 'dns {{ nameserver = ["{dns}"]; timeout = 0.2s; retransmits = 1; }}\nlocal_addrs = [];\n',
    "logging.inc": 'type = "console"; level = "info";\n',
    "milter_headers.conf": 'use = ["x-spamd-result", "x-spam-level", "x-spam-status"]; skip_local = false; skip_authenticated = false;\n',
}


def test_rspamd_scores_and_refuses(lab, make_thurn, tmp_path_factory):
    folder = tmp_path_factory.mktemp("rspamd")
    (folder / "local.d").mkdir()
    for name, text in RSPAMD.items():
        (folder / "local.d" / name).write_text(text.format(ip=lab["b"].ip, dns=lab["dns"].ip))
    variables = [f"--var={name}={folder}" for name in ("LOCAL_CONFDIR", "DBDIR", "RUNDIR", "LOGDIR")]
    process = lab["b"].start("rspamd", "-f", "-i", *variables, log=folder / "log")
    try:
        lab["b"].wait_for_port(11332, limit=90, process=process)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{(folder / 'log').read_text()[-3000:]}") from error
    server = make_thurn("b", milter=[milter("rspamd", f"inet:{lab['b'].ip}:11332")])
    identifier = message_id(send(lab, "no spam"))
    arrived = server.wait_for_mail("alice@b.example", "no spam")
    assert "default" in arrived["X-Spamd-Result"], arrived.as_string()
    server.wait_for_trace(identifier, "milter.rspamd", "X-Spamd-Result")
    code, text = refusal(lab, "spam", body=GTUBE)
    assert code == 554 and message_id(text)
    server.wait_for_trace(message_id(text), "refused", "reject by milter.rspamd")


EICAR = "X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + "EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"


class Clamav:
    """clamd with one signature of our own, and clamav-milter before it, on host b."""

    def __init__(self, lab, folder, on_infected):
        (folder / "db").mkdir()
        (folder / "db" / "own.ndb").write_text(f"Own.Eicar:0:*:{EICAR.encode().hex()}\n")
        daemon, self.socket = lab.folder / f"clamd-{on_infected}.sock", lab.folder / f"clamav-{on_infected}.sock"
        (folder / "clamd.conf").write_text(f"LocalSocket {daemon}\nDatabaseDirectory {folder}/db\nTemporaryDirectory {folder}\nForeground yes\nLogFile {folder}/clamd.log\n")
        (folder / "milter.conf").write_text(f"MilterSocket unix:{self.socket}\nClamdSocket unix:{daemon}\nOnInfected {on_infected}\nAddHeader Replace\nForeground yes\n"
                                            + ("RejectMsg infected with %v\n" if on_infected == "Reject" else "") + f"LogFile {folder}/milter.log\nTemporaryDirectory {folder}\n")
        lab["b"].start("clamd", "-c", folder / "clamd.conf", log=folder / "out")
        wait_until(daemon.exists, 60, lambda: f"clamd listens; {(folder / 'out').read_text()}")
        lab["b"].start("clamav-milter", "-c", folder / "milter.conf", log=folder / "out")
        wait_until(self.socket.exists, 30, lambda: f"clamav-milter listens; {(folder / 'out').read_text()}")


@pytest.mark.parametrize("on_infected", ["Reject", "Quarantine"])
def test_clamav_finds_a_virus(lab, make_thurn, tmp_path_factory, on_infected):
    clamav = Clamav(lab, tmp_path_factory.mktemp("clamav"), on_infected)
    server = make_thurn("b", milter=[milter("clamav", f"unix:{clamav.socket}")], rule=[{"name": "none", "stage": "content", "score": 1}])  # else ours refuses EICAR
    send(lab, f"clean {on_infected}")
    assert server.wait_for_mail("alice@b.example", f"clean {on_infected}")["X-Virus-Status"] == "Clean"
    if on_infected == "Reject":
        code, text = refusal(lab, "infected", body=EICAR + "\r\n")
        assert code == 550 and "infected with Own.Eicar" in text
    else:
        identifier = message_id(send(lab, "infected", body=EICAR + "\r\n"))
        assert "quarantined by clamav-milter" in json.dumps(next(one for one in server.queued() if one["id"] == identifier))
        server.wait_for_trace(identifier, "milter.clamav", "Own.Eicar")
    assert not [one for one in server.mail("alice@b.example") if one["Subject"] == "infected"]


# Filters that fail

class BadFilter(BadPeer):
    """Agrees to everything, answers `before` steps as it should, and then does `trouble`."""

    def __init__(self, host, port, trouble, before):
        self.before = before
        super().__init__(host, port, trouble)

    def talk(self, peer):
        reader, answered = peer.makefile("rb"), 0
        while length := reader.read(4):
            word = reader.read(int.from_bytes(length, "big"))[:1]
            if word in (b"D", b"A", b"Q"):
                continue
            if word == b"O":
                peer.sendall(b"\0\0\0\x0dO\0\0\0\6\0\0\1\xff\0\0\0\0")
            elif answered < self.before:
                answered += 1
                peer.sendall(b"\0\0\0\1c")
            elif self.trouble == "hangs":
                continue
            elif self.trouble == "rubbish":
                peer.sendall(b"\xff\xff\xff\xff this is no filter at all\r\n")
            else:
                # Without the first the descriptor stays open as long as the reader does.
                peer.shutdown(socket.SHUT_RDWR)
                return

    def close(self):
        for one in [self.listener, *self.open]:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


ANSWERS = {"tempfail": (451, 0), "accept": (250, 1), "reject": (550, 0), "quarantine": (250, 1)}


@pytest.fixture(scope="module", params=list(ANSWERS))
def careless(request, lab, make_thurn):
    """A server for each default action, whose filter is on port 7357 of its host."""
    action = request.param
    return action, make_thurn("b", milter=[milter("bad", f"inet:{lab['b'].ip}:7357", default_action=action, connect_timeout="1s", command_timeout="1s", content_timeout="2s")])


@pytest.mark.parametrize("trouble", ["dies", "hangs", "rubbish", "absent"])
def test_no_mail_is_lost_by_a_filter_that_fails(lab, careless, trouble):
    action, server = careless
    code, kept = ANSWERS[action]
    for before in [0] if trouble == "absent" else [0, 3, 7, 12]:
        subject = f"{action} {trouble} {before}"
        bad = None if trouble == "absent" else BadFilter(lab["b"], 7357, trouble, before)
        try:
            if kept:
                identifier = message_id(send(lab, subject))
                server.wait_for_trace(identifier, "milter.bad", "it failed")
            else:
                assert refusal(lab, subject)[0] == code
        finally:
            if bad:
                bad.close()
        if action == "quarantine":
            assert next(one for one in server.queued() if one["id"] == identifier)
            server.cli("queue", "release", identifier, "--yes")
        if kept:
            assert server.wait_for_mail("alice@b.example", subject).get_content() == "Hello.\n"
        else:
            assert not [one for one in server.mail("alice@b.example") if one["Subject"] == subject]


def test_a_server_that_was_put_off_delivers_once_the_filter_is_there(lab, make_thurn, postfix):
    """The default: nothing is lost and nothing slips by while a filter is away."""
    server = make_thurn("b", milter=[milter("bad", f"inet:{lab['b'].ip}:7357", connect_timeout="1s")])
    with smtp(lab["client"], lab["postfix"]) as client:
        send_on(client, make_message("kept by the client", "Hello.\r\n", "carl@p.example", "alice@b.example"), "carl@p.example", ["alice@b.example"])
    server.wait_for_log("milter_failed")
    assert not server.mail("alice@b.example") or "kept by the client" not in [one["Subject"] for one in server.mail("alice@b.example")]
    good = BadFilter(lab["b"], 7357, "dies", 10_000)
    try:
        server.wait_for_mail("alice@b.example", "kept by the client", limit=60)
    finally:
        good.close()
