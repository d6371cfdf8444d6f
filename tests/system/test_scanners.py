"""Scanners that are asked directly: ClamAV's clamd and SpamAssassin's spamd, the real ones, and such that fail in every way."""

import contextlib
import json
import shutil
import smtplib

import pytest
from clients import make_message, send_on, smtp, submit
from lab import wait_until
from scripted import FailingServer
from thurn import message_id

GTUBE = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X\r\n"
SIGNATURE = "thurn test virus, quite harmless"


def send(lab, subject, body="Hello.\r\n", sender="carl@p.example", to="alice@b.example"):
    with smtp(lab["client"], lab["b"]) as client:
        return message_id(send_on(client, make_message(subject, body, sender, to), sender, [to]))


def refusal(lab, subject, body="Hello.\r\n", sender="carl@p.example"):
    with pytest.raises(smtplib.SMTPResponseException) as refused:
        send(lab, subject, body, sender)
    return refused.value.smtp_code, refused.value.smtp_error.decode()


def arrived(server, subject):
    return subject in [one["Subject"] for one in server.mail("alice@b.example")]


# ClamAV

@pytest.fixture(scope="module")
def clamd(lab, tmp_path_factory):
    """clamd with one signature of our own on host b: at a local socket, whose path is given, and at port 3310."""
    folder, place = tmp_path_factory.mktemp("clamd"), lab.folder / "clamd.sock"
    (folder / "db").mkdir()
    (folder / "db" / "own.ndb").write_text(f"Own.Test:0:*:{SIGNATURE.encode().hex()}\n")
    (folder / "clamd.conf").write_text(f"LocalSocket {place}\nTCPSocket 3310\nTCPAddr {lab['b'].ip}\nDatabaseDirectory {folder}/db\nTemporaryDirectory {folder}\n"
                                       f"Foreground yes\nLogFile {folder}/clamd.log\nStreamMaxLength 1M\n")
    lab["b"].start("clamd", "-c", folder / "clamd.conf", log=folder / "out")
    wait_until(place.exists, 60, lambda: f"clamd listens; {(folder / 'out').read_text()}")
    return place


def clamav(place, **more):
    return {"name": "clamav", "kind": "clamd", "socket": place, **more}


@pytest.mark.parametrize("way", ["unix", "inet"])
def test_a_virus_is_refused_by_its_name(lab, make_thurn, clamd, way):
    server = make_thurn("b", scanner=[clamav(f"unix:{clamd}" if way == "unix" else f"inet:{lab['b'].ip}:3310")])
    identifier = send(lab, f"clean {way}")
    server.wait_for_mail("alice@b.example", f"clean {way}")
    server.wait_for_trace(identifier, "scanner clamav", "nothing found")
    code, text = refusal(lab, f"infected {way}", SIGNATURE + "\r\n")
    assert code == 550 and text.startswith("5.7.1 the message holds Own.Test.UNOFFICIAL"), text
    server.wait_for_trace(message_id(text), "refused", "reject by scanner.clamav", "Own.Test.UNOFFICIAL found")
    assert not arrived(server, f"infected {way}")
    server.wait_for_log("scanned")


def test_a_virus_is_found_in_a_long_message_and_behind_a_rule_that_accepts(lab, make_thurn, clamd):
    server = make_thurn("b", scanner=[clamav(f"unix:{clamd}")], rule=[{"name": "friends", "stage": "content", "when": 'sender.domain = "p.example"', "action": "accept"}])
    filler = "".join(f"line {number} of a long message\r\n" for number in range(20_000))
    assert refusal(lab, "long", filler + SIGNATURE + "\r\n")[0] == 550
    send(lab, "long and clean", filler)
    server.wait_for_mail("alice@b.example", "long and clean")


@pytest.mark.parametrize("limit", ["ours", "clamd's"])
def test_what_is_too_long_for_the_scanner_passes_and_is_told(lab, make_thurn, clamd, limit):
    server = make_thurn("b", scanner=[clamav(f"unix:{clamd}", **({"max_size": "10KiB"} if limit == "ours" else {}))])
    filler = "x" * 70 + "\r\n"
    identifier = send(lab, f"too long for {limit}", filler * (1000 if limit == "ours" else 40_000) + SIGNATURE + "\r\n")
    server.wait_for_mail("alice@b.example", f"too long for {limit}")
    server.wait_for_trace(identifier, "scanner clamav", "larger than")


def test_users_are_not_scanned_unless_that_is_asked_for(lab, make_thurn, clamd):
    server = make_thurn("b", scanner=[clamav(f"unix:{clamd}")])
    submit(lab["client"], lab["b"], "of a user", "bob@b.example", sender="alice@b.example", body=SIGNATURE + "\r\n")
    server.wait_for_mail("bob@b.example", "of a user")
    make_thurn("b", scanner=[clamav(f"unix:{clamd}", on=["mx", "submission"])])
    with pytest.raises(smtplib.SMTPResponseException, match="Own.Test"):
        submit(lab["client"], lab["b"], "of a user again", "bob@b.example", sender="alice@b.example", body=SIGNATURE + "\r\n")


# SpamAssassin

@pytest.fixture(scope="module")
def spamd(lab):
    """spamd on port 783 of host b, asking no network. It scans as nobody, who must be able to read its folder."""
    folder = lab.folder / "spamd"
    (folder / "site").mkdir(parents=True)
    lab.folder.chmod(lab.folder.stat().st_mode | 0o711)
    (folder / "site" / "init.pre").write_text("loadplugin Mail::SpamAssassin::Plugin::Check\nloadplugin Mail::SpamAssassin::Plugin::BodyEval\n")
    (folder / "site" / "local.cf").write_text("use_bayes 0\nuse_auto_whitelist 0\ndns_available no\nskip_rbl_checks 1\nreport_safe 0\n"
                                              "body TEST_WATCHES /cheap watches/\nscore TEST_WATCHES 6.5\n")
    process = lab["b"].start(shutil.which("spamd") or "/usr/sbin/spamd", "--local", "--nouser-config", "--syslog", "stderr", "--max-children", "2", "--siteconfigpath", folder / "site",
                             "--helper-home-dir", folder, "--listen", lab["b"].ip, "--port", "783", "--allowed-ips", lab["b"].ip, log=folder / "log")
    try:
        lab["b"].wait_for_port(783, limit=90, process=process)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{(folder / 'log').read_text()[-3000:]}") from error
    return f"inet:{lab['b'].ip}:783"


def spamassassin(place, **more):
    return {"name": "sa", "kind": "spamd", "socket": place, **more}


def test_spam_goes_to_the_junk_folder_and_the_trace_has_the_score(lab, make_thurn, spamd):
    server = make_thurn("b", scanner=[spamassassin(spamd)])
    identifier = send(lab, "no spam")
    server.wait_for_mail("alice@b.example", "no spam")
    server.wait_for_trace(identifier, "scanner sa", "of 5")
    identifier = send(lab, "watches", "cheap watches\r\n")
    story = server.wait_for_trace(identifier, "junk by scanner.sa", "TEST_WATCHES")
    server.wait_for_empty_queue()
    assert not arrived(server, "watches"), story
    assert [file for file in server.maildir("alice@b.example").rglob("*") if file.is_file() and b"cheap watches" in file.read_bytes()]


def test_rules_go_by_score_and_names(lab, make_thurn, spamd):
    rules = [{"name": "surely", "stage": "content", "when": "spam_score > 900", "action": "reject", "text": "a score of {spam_score}"},
             {"name": "watches", "stage": "content", "when": 'spam and spam_rules = "TEST_WATCHES"', "action": "hold"}]
    server = make_thurn("b", scanner=[spamassassin(spamd, action="none")], rule=rules)
    code, text = refusal(lab, "gtube", GTUBE)
    assert code == 550 and "a score of 100" in text and message_id(text)
    server.wait_for_trace(message_id(text), "scanner sa", "GTUBE")
    identifier = send(lab, "held watches", "cheap watches\r\n")
    held = next(one for one in server.queued() if one["id"] == identifier)
    assert held["recipients"][0]["reason"].startswith("held: watches: "), held
    listed = server.cli("quarantine", "list", "--to", "@b.example").stdout
    assert identifier in listed and "held: watches: " in listed
    assert identifier not in server.cli("quarantine", "list", "--to", "@p.example").stdout
    assert "watches" in server.cli("quarantine", "show", identifier).stdout
    assert "would release 1 messages" in server.cli("quarantine", "release", "--all", check=False).stdout
    server.cli("quarantine", "release", identifier)
    server.wait_for_mail("alice@b.example", "held watches")
    identifier = send(lab, "deleted watches", "cheap watches\r\n")
    server.cli("quarantine", "delete", "--to", "@b.example", "--yes")
    assert not server.queued()


def test_quarantine_touches_nothing_else(lab, make_thurn):
    server = make_thurn("b", queue={"retry": ["1h"]}, route=[{"recipient_domain": "b.example", "next_hop": f"smtp://{lab['b'].ip}:1"}])
    identifier = send(lab, "waits")
    wait_until(lambda: any(one["attempts"] for one in server.queued()[0]["recipients"]), 20, "it was tried")
    refused = server.cli("quarantine", "delete", identifier, check=False)
    assert refused.returncode != 0 and "is not in quarantine" in refused.stderr
    assert server.cli("quarantine", "delete", "--all", "--yes").stdout.startswith("0 messages")
    assert [one["id"] for one in server.queued()] == [identifier]


def test_both_at_once(lab, make_thurn, clamd, spamd):
    server = make_thurn("b", scanner=[clamav(f"unix:{clamd}"), spamassassin(spamd, action="reject")])
    assert "Own.Test" in refusal(lab, "a virus", SIGNATURE + "\r\n")[1]
    assert "looks like spam" in refusal(lab, "spam", "cheap watches\r\n")[1]
    send(lab, "neither")
    server.wait_for_mail("alice@b.example", "neither")


# Scanners that fail

HALF_AN_ANSWER = b"SPAMD/1.1 0 EX_OK\r\nContent-length: 10\r\nSpam: Fa"


@pytest.fixture(scope="module", params=["tempfail", "accept", "quarantine"])
def careless(request):
    return request.param


def test_explain_asks_both(lab, make_thurn, clamd, spamd):
    server = make_thurn("b", scanner=[clamav(f"unix:{clamd}"), spamassassin(spamd, action="reject")])

    def told(body):
        return server.cli("explain", "--ip", lab["client"].ip, "--helo", "client.lab", "--from", "carl@p.example", "--to", "alice@b.example",
                          input=make_message("explained", body, "carl@p.example", "alice@b.example").as_string(), check=False).stdout
    text = told("Hello.\r\n")
    assert "content   scanner clamav: nothing found\n" in text and "content   scanner sa: " in text and text.endswith("result    accepted\n"), text
    text = told(SIGNATURE + "\r\n")
    assert "550 5.7.1 the message holds Own.Test.UNOFFICIAL" in text and "scanner sa: " not in text, "the server would not ask it either"
    assert "TEST_WATCHES\n" in (text := told("cheap watches\r\n")) and "550 5.7.1 the message looks like spam" in text, text


@pytest.mark.parametrize("kind", ["clamd", "spamd"])
def test_nothing_is_lost_by_a_scanner_that_fails(lab, make_thurn, careless, kind):
    server = make_thurn("b", scanner=[{"name": "bad", "kind": kind, "socket": f"inet:{lab['b'].ip}:7358", "default_action": careless, "time_limit": "1s"}])
    for trouble in FailingServer.troubles:
        subject = f"{careless} {kind} {trouble}"
        bad = None if trouble == "absent" else FailingServer(lab["b"], 7358, trouble, HALF_AN_ANSWER)
        try:
            if careless == "tempfail":
                code, text = refusal(lab, subject)
                assert code == 450 and text.startswith("4.7.1 the message cannot be checked"), subject
                identifier = message_id(text)
            else:
                identifier = send(lab, subject)
        finally:
            if bad:
                bad.close()
        server.wait_for_trace(identifier, "scanner bad: not checked")
        if careless == "quarantine":
            assert "scanner.bad.down" in json.dumps(next(one for one in server.queued() if one["id"] == identifier))
            server.cli("queue", "release", identifier, "--yes")
        if careless != "tempfail":
            assert server.wait_for_mail("alice@b.example", subject).get_content() == "Hello.\n"
        else:
            assert not arrived(server, subject)
