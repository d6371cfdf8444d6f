"""Running it: reload, stop, queue commands, certificates, start-up checks."""

import contextlib
import json
import shutil
import signal
import ssl
import time

import pytest
from clients import converse, smtp, submit
from lab import wait_until
from peers import make_certificate
from thurn import Thurn, message_id


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
        talk.send("Subject: ending\r\n\r\nfirst half\r\n")
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


def test_root_is_refused_unless_allowed(lab):
    server = Thurn(lab["b"], "b.example", lab["dns"], allow_root=False)
    done = server.cli("serve", check=False)
    assert done.returncode != 0 and "root" in done.stdout + done.stderr


def test_two_servers_do_not_share_a_data_folder(server):
    second = server.cli("serve", check=False)
    assert second.returncode != 0
    assert server.alive()


def test_version_and_check(server):
    assert server.run("version").stdout.startswith("thurn ")
    assert server.cli("check", check=False).returncode in (0, 1)
