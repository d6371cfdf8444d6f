"""Running it: reload, stop, queue commands, certificates, start-up checks."""

import contextlib
import json
import shutil
import signal
import socket
import ssl
import time

import pytest
from clients import any_certificate, converse, smtp, submit
from lab import wait_until
from peers import make_certificate
from scripted import HANG
from thurn import BINARY, Thurn, message_id


@pytest.fixture
def server(make_thurn):
    return make_thurn("a")


def entry(server, identifier):
    return next((json.dumps(found) for found in server.queued() if identifier in json.dumps(found)), None)


# Reload

def test_sighup_takes_a_new_configuration(lab, server):
    server.configure(domain=[{"name": "a.example"}, {"name": "added.example", "catch_all": "bob@a.example"}])
    server.reload()

    def accepted():
        with smtp(lab["client"], server.host) as client:
            client.mail("someone@b.example")
            return client.rcpt("x@added.example")[0] == 250
    wait_until(accepted, 10, "the added domain is ours")


@pytest.mark.parametrize("wrong", ["hostnam = \"mx.a.example\"\n", "this is no TOML", "[relay]\nnetworks = [\"0.0.0.0/0\"]\n"])
def test_sighup_with_a_bad_file_changes_nothing(lab, server, wrong):
    good = server.config.read_text()
    server.config.write_text(wrong + ("" if "hostnam " in wrong else "\n") + (good if "hostnam " in wrong else ""))
    logged = len(server.log_text())
    server.reload()
    server.wait_for_log(r"event=reload_failed.*thurn\.toml:\d+", after=logged)
    assert server.alive()
    submit(lab["client"], server.host, "after a bad reload", "bob@a.example")
    server.wait_for_mail("bob@a.example", "after a bad reload")
    server.config.write_text(good)


def test_a_reload_says_what_needs_a_restart(server):
    server.reload()
    server.wait_for_log("event=reloaded")
    assert "restart_needed" not in server.log_text(), "nothing has changed"
    server.configure(threads=1, limits={"connections": 500, "recipients": 200})
    server.reload()
    told = server.wait_for_log("event=restart_needed (.*)").group(1)
    assert told == 'settings="limits.connections, threads"'


def test_a_reload_does_not_move_the_data(server, tmp_path):
    before = server.config.read_text()
    server.config.write_text(before.replace(str(server.data), str(tmp_path / "elsewhere")))
    server.reload()
    told = server.wait_for_log("event=reload_failed (.*)").group(1)
    assert "data_dir cannot change" in told and not (tmp_path / "elsewhere").exists()
    server.config.write_text(before)


def test_certificate_is_read_again_when_its_files_change(lab, make_thurn):
    folder = lab.folder / "certificates"
    folder.mkdir()
    first, second = make_certificate(folder, "first.lab"), make_certificate(folder, "second.lab")
    live = folder / "live.crt", folder / "live.key"
    for source, target in zip(first, live):
        shutil.copy(source, target)
    server = make_thurn("a", tls={"certificate": str(live[0]), "private_key": str(live[1])})

    def presented():
        with lab["client"].inside():
            return ssl.get_server_certificate((server.host.ip, 465), timeout=10)
    assert presented().strip() == first[0].read_text().strip()
    for source, target in zip(second, live):
        shutil.copy(source, target)
    wait_until(lambda: presented().strip() == second[0].read_text().strip(), 15, "the new certificate is presented", step=0.5)
    live[0].write_text("no certificate")
    time.sleep(1.5)
    assert presented().strip() == second[0].read_text().strip()


def test_certificate_is_chosen_by_the_name_asked_for(lab, make_thurn):
    folder = lab.folder / "certificates-by-name"
    folder.mkdir()
    pairs = [make_certificate(folder, name) for name in ("mx.first.lab", "mx.second.lab", "mx.third.lab")]
    tables = [{"certificate": str(certificate), "private_key": str(key)} for certificate, key in pairs]
    server = make_thurn("a", tls={**tables[0], "additional": tables[1:]})

    def presented(name):
        context = any_certificate()
        with lab["client"].inside(), socket.create_connection((server.host.ip, 465), timeout=10) as plain:
            with context.wrap_socket(plain, server_hostname=name) as secured:
                return ssl.DER_cert_to_PEM_cert(secured.getpeercert(binary_form=True)).strip()
    expected = [certificate.read_text().strip() for certificate, _ in pairs]
    names = ["mx.first.lab", "mx.second.lab", "MX.third.lab", "elsewhere.lab", None]
    assert [presented(name) for name in names] == [*expected, expected[0], expected[0]]
    told = server.cli("check").stdout
    assert all(name in told for name in ("mx.first.lab", "mx.second.lab", "mx.third.lab"))


# Stopping

def test_sigterm_ends_with_0_while_sessions_are_open(lab, server):
    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(converse(lab["client"], server.host)) for _ in range(20)]
        for talk in idle[:10]:
            talk.say("EHLO client.lab")
        server.signal(signal.SIGTERM)
        for talk in idle:
            assert talk.reply().startswith("421 4.3.2")
        assert server.process.wait(20) == 0


def test_sigterm_lets_content_end(lab, server):
    with converse(lab["client"], server.host) as talk:
        for line in ("EHLO client.lab", "MAIL FROM:<someone@b.example>", "RCPT TO:<bob@a.example>", "DATA"):
            talk.say(line)
        talk.send("From: someone@b.example\r\nSubject: ending\r\n\r\nfirst half\r\n")
        server.signal(signal.SIGTERM)
        time.sleep(0.5)
        with pytest.raises(OSError):
            lab["client"].connect(server.host.ip, 25, timeout=2).close()
        talk.send("second half\r\n.\r\n")
        assert talk.reply().startswith("250")
    assert server.process.wait(20) == 0
    server.start()
    server.wait_for_mail("bob@a.example", "ending")


def test_sigterm_with_mail_in_the_queue_keeps_it(lab, server, faulty):
    identifier = message_id(submit(lab["client"], server.host, "kept", "someone@stopping.example"))
    server.wait_for_trace(identifier, "deferred")
    assert server.stop() == 0
    assert entry(server, identifier), "queue list works without a server"
    peer = faulty()
    server.start()
    peer.wait_for_messages(1, limit=40)
    server.wait_for_empty_queue()


def stop_time(server, signals=1):
    """Seconds from the first of so many SIGTERMs to the end, which must be in order."""
    started = time.monotonic()
    for number in range(signals):
        time.sleep(0.5 if number else 0)
        server.signal(signal.SIGTERM)
    assert server.process.wait(40) == 0
    return time.monotonic() - started


def test_sigterm_does_not_wait_long_for_a_destination_that_hangs(lab, server, faulty):
    peer = faulty(content=HANG)
    identifier = message_id(submit(lab["client"], server.host, "hangs", "someone@hanging.example"))
    wait_until(lambda: "DATA" in peer.commands, what="the delivery is under way")
    time.sleep(0.5)
    assert stop_time(server) < 8
    assert entry(server, identifier), "the message waits in the spool"
    peer.set(content="250 2.0.0 taken")
    server.start()
    peer.wait_for_messages(1, limit=40)
    server.wait_for_empty_queue()


def test_sigterm_does_not_wait_long_for_a_client_that_hangs(lab, server, faulty):
    with converse(lab["client"], server.host) as talk:
        for line in ("EHLO client.lab", "MAIL FROM:<someone@b.example>", "RCPT TO:<bob@a.example>", "DATA"):
            talk.say(line)
        talk.send("Subject: unfinished\r\n\r\nfirst half\r\n")
        assert stop_time(server) < 8
        assert not talk.reply().startswith("250")
    assert "transfers_cut_short" in server.log_text()


def test_a_second_sigterm_ends_the_wait(lab, server, faulty):
    peer = faulty(content=HANG)
    identifier = message_id(submit(lab["client"], server.host, "hangs", "someone@hanging.example"))
    wait_until(lambda: "DATA" in peer.commands, what="the delivery is under way")
    assert stop_time(server, signals=2) < 3
    assert entry(server, identifier)


# The queue's commands

def test_hold_release_and_delete(lab, server, faulty):
    server.configure(queue={"retry": ["1h"]})
    server.reload()
    server.wait_for_log("event=reloaded")
    peer = faulty(RCPT="451 4.7.1 later")
    identifier = message_id(submit(lab["client"], server.host, "hold me", "someone@held.example"))
    server.wait_for_trace(identifier, "451 4.7.1 later")
    server.cli("queue", "hold", identifier)
    assert "held" in entry(server, identifier)
    peer.set(RCPT="250 2.1.5 ok")
    server.cli("queue", "retry", identifier, check=False)
    time.sleep(1)
    assert not peer.messages, "held mail is not tried"
    server.cli("queue", "release", identifier)
    peer.wait_for_messages(1)
    server.wait_for_trace(identifier, "held", "released", "delivered")


def test_retry_now(lab, server, faulty):
    server.configure(queue={"retry": ["1h"]})
    server.reload()
    server.wait_for_log("event=reloaded")
    peer = faulty(RCPT=["451 4.7.1 later", "250 2.1.5 ok"])
    identifier = message_id(submit(lab["client"], server.host, "retry me", "someone@retried.example"))
    server.wait_for_trace(identifier, "451 4.7.1 later")
    server.cli("queue", "retry", identifier)
    peer.wait_for_messages(1)
    server.wait_for_empty_queue()


def test_retry_now_wakes_a_site_at_rest(lab, make_thurn, faulty):
    server = make_thurn("a", queue={"retry": ["1h"], "site_rest": "1h"})
    identifier = message_id(submit(lab["client"], server.host, "wake up", "someone@retried.example"))
    server.wait_for_trace(identifier, "deferred")  # nobody listens: the site is dead
    peer = faulty()
    server.cli("queue", "retry", identifier)
    peer.wait_for_messages(1)


def test_list_by_recipient(lab, server, faulty):
    faulty(RCPT="451 4.7.1 later")
    identifier = message_id(submit(lab["client"], server.host, "by site", "someone@slow.example"))
    server.wait_for_trace(identifier, "451 4.7.1 later")
    assert identifier in server.cli("queue", "list", "--to", "someone@slow.example").stdout
    assert identifier not in server.cli("queue", "list", "--to", "someone@else.example").stdout


def test_list_by_site(lab, server, faulty):
    faulty(RCPT="451 4.7.1 later")
    identifier = message_id(submit(lab["client"], server.host, "by site", "someone@slow.example"))
    server.wait_for_trace(identifier, "451 4.7.1 later")
    for site in ("MX mx.slow.example", "mx.slow.example"):
        listed = server.cli("queue", "list", "--site", site).stdout
        assert identifier in listed and "site MX mx.slow.example" in listed and "1 message" in listed
    nothing = server.cli("queue", "list", "--site", "mx.typo.example")
    assert identifier not in nothing.stdout
    assert "0 messages bound for site mx.typo.example" in nothing.stdout and "queue stats" in nothing.stdout
    assert server.json("queue", "list", "--site", "mx.typo.example") == []
    assert "0 messages" in server.cli("queue", "delete", "--site", "mx.typo.example", "--yes").stdout
    server.cli("queue", "delete", "--site", "mx.slow.example", "--yes")
    server.wait_for_empty_queue()


def test_delete(lab, server, faulty):
    peer = faulty(RCPT="451 4.7.1 later")
    identifier = message_id(submit(lab["client"], server.host, "delete me", "someone@deleted.example"))
    server.wait_for_trace(identifier, "451 4.7.1 later")
    server.cli("queue", "delete", identifier)
    server.wait_for_empty_queue()
    server.wait_for_trace(identifier, "deleted")
    assert not peer.messages and not server.mail("alice@a.example")


def test_queue_commands_for_an_unknown_id_say_no(server):
    for command in ("show", "hold", "release", "retry", "delete"):
        assert server.cli("queue", command, "0000000000000", check=False).returncode == 1, command
    assert server.cli("trace", "0000000000000", check=False).returncode == 1


def test_stats_count(lab, server, faulty):
    faulty(RCPT="451 4.7.1 later")
    submit(lab["client"], server.host, "counted", "someone@slow.example")
    wait_until(lambda: server.queued(), what="something in the queue")
    assert "1" in server.cli("queue", "stats").stdout


def test_trace_search(lab, server):
    identifier = message_id(submit(lab["client"], server.host, "searched", "bob@a.example"))
    server.wait_for_trace(identifier, "delivered")
    assert identifier in server.cli("trace", "--from", "alice@a.example", "--to", "bob@a.example").stdout
    assert identifier not in server.cli("trace", "--from", "nobody@a.example", check=False).stdout


# Start-up and configuration

def test_open_relay_is_refused_at_start(lab):
    server = Thurn(lab["b"], "b.example", lab["dns"], relay={"networks": ["0.0.0.0/0"]})
    for command in ("serve", "check"):
        done = server.cli(command, check=False)
        assert done.returncode == 2 and "relay" in done.stdout + done.stderr


def test_unknown_key_is_told_with_its_place_and_neighbour(lab):
    server = Thurn(lab["b"], "b.example", lab["dns"])
    server.config.write_text("hostname = \"mx.b.example\"\ndata_dirr = \"/nowhere\"\n")
    done = server.run("config", "test", server.config, check=False)
    assert done.returncode == 2
    assert "thurn.toml:2:1" in done.stdout + done.stderr and "data_dir" in done.stdout + done.stderr


COMMANDS = [("serve",), ("check",), ("config", "show"), ("queue", "list"), ("queue", "stats"), ("queue", "retry", "--all"), ("domain", "list"),
            ("account", "add", "x@b.example", "--password-stdin"), ("alias", "list"), ("trace", "0000000000000")]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_configuration_that_cannot_be_used_ends_with_2(lab, words):
    server = Thurn(lab["b"], "b.example", lab["dns"])
    server.config.write_text("threads = -1\n")
    wrong = server.cli(*words, check=False)
    assert wrong.returncode == 2 and "thurn.toml:1:11: threads" in wrong.stderr
    server.config.unlink()
    missing = server.cli(*words, check=False)
    assert missing.returncode == 2 and f"{server.config}: " in missing.stderr and "No such file" in missing.stderr


def test_config_test_of_a_missing_file_ends_with_2(lab):
    server = Thurn(lab["b"], "b.example", lab["dns"])
    done = server.run("config", "test", "/nowhere/thurn.toml", check=False)
    assert done.returncode == 2 and "/nowhere/thurn.toml: No such file" in done.stderr


WRONG_WORDS = {
    "bogus": (("bogus",), 'thurn: there is no command "bogus"; there are serve, check'),
    "queue": (("queue",), "thurn queue: name a command: list, show"),
    "queue lst": (("queue", "lst"), 'thurn queue: there is no command "lst"; there are list'),
    "option": (("serve", "--confg", "x"), "--confg"),
    "id": (("queue", "show", "XYZ"), '"XYZ" is no message id'),
    "trace id": (("trace", "XYZ"), '"XYZ" is no message id'),
    "limit": (("queue", "list", "--limit", "-5"), "--limit"),
    "domain": (("domain", "add", "two words"), '"two words" is no domain'),
    "account": (("account", "add", "anna", "--password-stdin"), '"anna" is no address'),
    "target": (("alias", "add", "info@b.example", "bob@b.example", "nobody"), '"nobody" is no address'),
    "nothing chosen": (("queue", "delete"), "--all"),
}


@pytest.mark.parametrize("words, told", WRONG_WORDS.values(), ids=WRONG_WORDS)
def test_wrong_words_are_named_and_end_with_2(lab, words, told):
    server = Thurn(lab["b"], "b.example", lab["dns"])
    done = server.run(*words, check=False) if words[0] == "bogus" or len(words) == 1 or words[1] == "lst" else server.cli(*words, check=False)
    assert done.returncode == 2 and told in done.stderr, done


def test_another_user_is_told_that_it_may_not(server):
    server.data.chmod(0o711)
    for words in (("queue", "list"), ("queue", "retry", "--all")):
        done = server.run("--reuid=65534", "--regid=65534", "--clear-groups", BINARY, *words, "--config", server.config, program="setpriv", check=False)
        assert done.returncode == 1 and "control.sock: Permission denied" in done.stderr, done


def test_without_a_server_its_commands_end_with_3(lab):
    server = Thurn(lab["b"], "b.example", lab["dns"])
    for words in (("queue", "retry", "--all", "--yes"), ("queue", "hold", "0000000000000"), ("queue", "list"), ("queue", "stats")):
        done = server.cli(*words, check=False)
        assert done.returncode == 3 and "control.sock: no running server" in done.stderr, words


REFUSALS = {
    "root": ({"allow_root": False}, 2, "will not run as root"),
    "user": ({"user": "nobody-here"}, 2, 'no user "nobody-here"'),
    "certificate": ({"tls": {"certificate": "/nowhere/c.pem", "private_key": "/nowhere/k.pem"}}, 2, "/nowhere/"),
    "listener": ({"listener": [{"bind": ["localhost:25"]}]}, 2, 'listener[1].bind: "localhost:25"'),
    "resolver": ({"dns": {"servers": ["dns.example"]}}, 2, 'dns.servers: "dns.example"'),
    "foreign address": ({"listener": [{"bind": ["192.0.2.1:25"]}]}, 1, "192.0.2.1:25"),
    "data folder": ({"data_dir": "/dev/null/thurn"}, 1, "/dev/null"),
}


@pytest.mark.parametrize("settings, code, words", REFUSALS.values(), ids=REFUSALS)
def test_what_keeps_it_from_starting_is_told(lab, settings, code, words):
    server = Thurn(lab["b"], "b.example", lab["dns"], **settings)
    done = server.cli("serve", check=False)
    assert done.returncode == code and words in done.stderr, done


def test_a_port_in_use_is_told_even_if_another_thurn_has_it(lab, server):
    """The loops share a port; two servers of one user could share it too, and each would get some of the mail."""
    second = Thurn(lab["a"], "a.example", lab["dns"])
    done = second.cli("serve", check=False)
    assert done.returncode == 1 and "0.0.0.0:25" in done.stderr and "in use" in done.stderr
    assert server.alive()


def test_dns_that_is_not_validated_is_told_once(lab):
    """The lab's root is not signed."""
    server = Thurn(lab["b"], "b.example", lab["dns"], dns={"dnssec": True}).start()
    assert server.stop() == 0
    assert server.log_text().count("event=dns_not_validated") == 1
    assert "DNS answers are not validated" in server.cli("check", check=False).stdout


def test_two_servers_do_not_share_a_data_folder(server):
    second = server.cli("serve", check=False)
    assert second.returncode != 0
    assert server.alive()


def test_check_tells_what_would_not_work(lab):
    server = Thurn(lab["b"], "b.example", lab["dns"], data_dir="/dev/null/thurn", dns={"servers": [lab["dead"].ip]})
    done = server.cli("check", check=False)
    assert done.returncode == 1
    assert "error    data_dir: /dev/null/thurn: Not a directory" in done.stdout and f"error    dns: no answer from {lab['dead'].ip}" in done.stdout


def test_version_and_check(server):
    assert server.run("version").stdout.startswith("thurn ")
    assert server.cli("check", check=False).returncode in (0, 1)
