"""What the commands say and do: domains, accounts, aliases, configuration, queue, trace and log, by their contents."""

import json
import re
import resource
import smtplib
import subprocess

import pytest
from clients import converse, make_message, send_on, smtp, submit
from lab import wait_until
from scripted import CLOSE
from thurn import BINARY, PASSWORD, Thurn, message_id


@pytest.fixture(scope="module")
def server(make_thurn, lab):
    return make_thurn("a", queue={"retry": ["1h"], "site_rest": "1h"}, log={"format": "json"},
                      relay={"networks": ["127.0.0.0/8", f"{lab['client'].ip}/32"]}, limits={"disk_reserve": "16MiB", "errors": 1000})


def rcpt(lab, server, address, sender="someone@b.example"):
    """What RCPT is answered on port 25, by the way of a host that may not relay."""
    with smtp(lab["b"], server.host) as client:
        client.mail(sender)
        code, text = client.rcpt(address)
        return code, text.decode()


def may_log_in(lab, server, address, password):
    try:
        with smtp(lab["client"], server.host, 587, "starttls", address, password):
            return True
    except smtplib.SMTPAuthenticationError as refused:
        assert refused.smtp_code == 535 and refused.smtp_error.startswith(b"5.7.8")
        return False


# Domains, accounts and aliases

def test_domains(lab, server):
    assert rcpt(lab, server, "x@new.example")[0] == 550
    assert server.cli("domain", "add", "New.Example").stdout == "added domain New.Example\n"
    assert {"name": "new.example", "catch_all": ""} in server.json("domain", "list")
    assert {"name": "a.example", "catch_all": ""} in server.json("domain", "list"), "that of the file is listed too"
    assert rcpt(lab, server, "x@new.example")[1].startswith("5.1.1"), "ours, but nobody's"
    again = server.cli("domain", "add", "new.example", check=False)
    assert again.returncode == 1 and "there is already a domain new.example" in again.stderr

    assert "unknown addresses of new.example go to bob@a.example" in server.cli("domain", "catch-all", "new.example", "bob@a.example").stdout
    assert {"name": "new.example", "catch_all": "bob@a.example"} in server.json("domain", "list")
    assert rcpt(lab, server, "x@new.example")[0] == 250
    nobody = server.cli("domain", "catch-all", "new.example", "nobody@new.example", check=False)
    assert nobody.returncode == 2 and "nobody@new.example is neither an account nor an alias" in nobody.stderr
    assert "new.example has no catch-all" in server.cli("domain", "catch-all", "new.example").stdout
    assert rcpt(lab, server, "x@new.example")[0] == 550

    server.cli("alias", "add", "info@new.example", "bob@a.example")
    busy = server.cli("domain", "remove", "new.example", check=False)
    assert busy.returncode == 2 and "still has accounts or aliases" in busy.stderr
    server.cli("alias", "remove", "info@new.example")
    assert server.cli("domain", "remove", "new.example").stdout == "removed domain new.example\n"
    assert rcpt(lab, server, "x@new.example")[1].startswith("5.7.1"), "a relay attempt now"
    gone = server.cli("domain", "remove", "new.example", check=False)
    assert gone.returncode == 1 and "there is no domain new.example" in gone.stderr


def test_accounts(lab, server):
    server.add_account("Carol@a.example", "first")
    assert server.json("account", "show", "CAROL@a.example") == [{"address": "carol@a.example", "enabled": True, "suspended": None, "watch": None}]
    assert {"address": "carol@a.example", "enabled": True, "suspended": None, "watch": None} in server.json("account", "list")
    assert re.search(r"^carol@a.example +enabled$", server.cli("account", "list").stdout, re.M)
    assert rcpt(lab, server, "carol@a.example")[0] == 250 and may_log_in(lab, server, "carol@a.example", "first")

    assert "changed the password" in server.cli("account", "password", "carol@a.example", "--password-stdin", input="second\n").stdout
    assert not may_log_in(lab, server, "carol@a.example", "first") and may_log_in(lab, server, "carol@a.example", "second")
    server.cli("account", "disable", "carol@a.example")
    assert server.json("account", "show", "carol@a.example") == [{"address": "carol@a.example", "enabled": False, "suspended": None, "watch": None}]
    assert not may_log_in(lab, server, "carol@a.example", "second")
    assert rcpt(lab, server, "carol@a.example")[0] == 250, "its mail is still taken"
    server.cli("account", "enable", "carol@a.example")
    assert may_log_in(lab, server, "carol@a.example", "second")
    assert "removed account carol@a.example; its mail is kept" in server.cli("account", "remove", "carol@a.example").stdout
    assert not may_log_in(lab, server, "carol@a.example", "second")
    assert rcpt(lab, server, "carol@a.example")[1].startswith("5.1.1")


WRONG_ACCOUNTS = {
    "twice": (("account", "add", "alice@a.example", "--password-stdin"), 1, "there is already an account alice@a.example"),
    "foreign": (("account", "add", "x@foreign.example", "--password-stdin"), 1, "add it first: thurn domain add foreign.example"),
    "path": (("account", "add", '"../x"@a.example', "--password-stdin"), 2, "must not be a path"),
    "show": (("account", "show", "nobody@a.example"), 1, "there is no account nobody@a.example"),
    "disable": (("account", "disable", "nobody@a.example"), 1, "there is no account nobody@a.example"),
    "password": (("account", "password", "nobody@a.example", "--password-stdin"), 1, "there is no account nobody@a.example"),
    "remove": (("account", "remove", "nobody@a.example"), 1, "there is no account nobody@a.example"),
    "alias show": (("alias", "show", "nobody@a.example"), 1, "there is no alias nobody@a.example"),
    "alias remove": (("alias", "remove", "nobody@a.example"), 1, "there is no alias nobody@a.example"),
    "alias to nobody": (("alias", "add", "x@a.example", "nobody@a.example"), 2, "nobody@a.example is neither an account nor an alias"),
    "alias to itself": (("alias", "add", "x@a.example", "x@a.example"), 2, "would lead to itself"),
    "foreign alias": (("alias", "add", "x@foreign.example", "bob@a.example"), 1, "foreign.example is not a domain of this server"),
    "no terminal": (("account", "add", "x@a.example"), 2, "--password-stdin"),
}


@pytest.mark.parametrize("words, code, told", WRONG_ACCOUNTS.values(), ids=WRONG_ACCOUNTS)
def test_what_cannot_be_done_is_told_and_changes_nothing(server, words, code, told):
    before = server.json("account", "list"), server.json("alias", "list")
    done = server.cli(*words, check=False, input="secret\n")
    assert done.returncode == code and told in done.stderr, done
    assert (server.json("account", "list"), server.json("alias", "list")) == before


def test_aliases(lab, server):
    assert rcpt(lab, server, "team@a.example")[0] == 550
    assert server.cli("alias", "add", "team@a.example", "alice@a.example").stdout == "team@a.example leads to alice@a.example\n"
    server.cli("alias", "add", "Team@a.example", "bob@a.example", "far@b.example")
    expected = {"address": "team@a.example", "targets": ["alice@a.example", "bob@a.example", "far@b.example"]}
    shown, = server.json("alias", "show", "TEAM@a.example")
    assert {**shown, "targets": sorted(shown["targets"])} == expected and shown in server.json("alias", "list")
    assert re.search(r"^team@a.example +\S+, ", server.cli("alias", "list").stdout, re.M)
    assert rcpt(lab, server, "team@a.example")[0] == 250
    assert server.cli("alias", "remove", "team@a.example").stdout == "removed alias team@a.example\n"
    assert rcpt(lab, server, "team@a.example")[1].startswith("5.1.1")


def test_an_alias_takes_no_mail_from_an_account_by_accident(lab, server):
    refused = server.cli("alias", "add", "Alice@a.example", "bob@a.example", check=False)
    assert refused.returncode == 1 and "alice@a.example is an account" in refused.stderr and "--force" in refused.stderr
    assert server.json("alias", "list") == []
    server.cli("alias", "add", "alice@a.example", "bob@a.example", "--force")
    identifier = message_id(submit(lab["client"], server.host, "taken over", "alice@a.example", sender="bob@a.example"))
    server.wait_for_trace(identifier, "alice@a.example expanded", "bob@a.example delivered")
    server.cli("alias", "remove", "alice@a.example")

    server.cli("alias", "add", "sales@a.example", "bob@a.example")
    refused = server.cli("account", "add", "sales@a.example", "--password-stdin", input="x\n", check=False)
    assert refused.returncode == 1 and "sales@a.example is an alias: its mail goes to bob@a.example" in refused.stderr
    assert "added account" in server.cli("account", "add", "sales@a.example", "--password-stdin", "--force", input="x\n").stdout
    server.cli("account", "remove", "sales@a.example")
    server.cli("alias", "remove", "sales@a.example")


def test_who_takes_an_address_from_the_catch_all_is_told(server):
    server.cli("domain", "add", "caught.example")
    server.cli("domain", "catch-all", "caught.example", "bob@a.example")
    told = "; until now it fell to the catch-all bob@a.example\n"
    assert server.cli("alias", "add", "one@caught.example", "alice@a.example").stdout == "one@caught.example leads to alice@a.example" + told
    assert server.cli("alias", "add", "one@caught.example", "bob@a.example").stdout == "one@caught.example leads to bob@a.example\n"
    done = server.cli("account", "add", "two@caught.example", "--password-stdin", input="x\n")
    assert done.stdout == "added account two@caught.example" + told


# Words and configuration

def test_config_is_taken_wherever_it_stands(server):
    config = str(server.config)
    listed = server.run("account", "list", "--config", config).stdout
    assert "alice@a.example" in listed
    for words in (("--config", config, "account", "list"), ("account", "-c", config, "list"), ("account", f"--config={config}", "list")):
        assert server.run(*words).stdout == listed
    for words in (("version",), ("tool", "address"), ("tool",), ("bench", "sink"), ("config", "test"), ("trace",), ("check",), ("serve",), ("queue",)):
        done = server.run("--config", config, *words, "--config", config, "--help")
        assert "-c,--config FILE" in done.stdout
    assert server.run("version", "--config", "/nowhere").stdout.startswith("thurn ")
    wrong = server.run("--config", config, "account", "lst", check=False)
    assert wrong.returncode == 2 and 'thurn account: there is no command "lst"' in wrong.stderr


def test_help_shows_the_way(server):
    bare = server.run(check=False)
    assert bare.returncode == 2 and bare.stdout == "" and "thurn account add anna@example.com" in bare.stderr
    assert server.run("--help").stdout == bare.stderr
    for command in ("serve", "check", "config", "domain", "account", "alias", "queue", "trace", "tool", "bench"):
        told = server.run(command, "--help").stdout
        assert f"Usage: thurn {command}" in told and "A server from nothing" not in told and "TEXT" not in told.replace("TEXT=", "")


@pytest.mark.parametrize("limit", ["-1", "0", "x", "1.5", "99999999999999999999", ""])
def test_a_limit_that_is_none_is_told(server, limit):
    done = server.cli("queue", "list", "--limit", limit, check=False)
    assert done.returncode == 2 and done.stderr.startswith(f'thurn queue list: --limit: "{limit}" is no count; write a number from 1 on\n')


def test_config_show(lab):
    secret = "hunter2-in-a-file"
    server = Thurn(lab["b"], "b.example", lab["dns"], route=[{"recipient_domain": "*", "next_hop": "smtp://192.0.2.1:2525", "tls": "encrypt",
                                                              "auth": "file:relay.auth"}])
    (server.folder / "relay.auth").write_text(f"login:{secret}\n")
    shown = server.json("config", "show")
    keys = {setting["key"]: setting for setting in shown}
    assert keys["hostname"]["value"] == '"mx.b.example"' or keys["hostname"]["value"] == "mx.b.example"
    assert all(set(setting) == {"key", "value", "origin"} for setting in shown)
    assert keys["limits.recipients"]["origin"] == "default"
    changed = {setting["key"]: setting for setting in server.json("config", "show", "--changed")}
    assert set(changed) < set(keys) and "limits.recipients" not in changed
    lines = server.config.read_text().splitlines()
    for key in ("hostname", "postmaster", "data_dir", "limits.disk_reserve", "queue.lifetime", "dns.dnssec"):
        file, line = changed[key]["origin"].rsplit(":", 2)[:2] if changed[key]["origin"].count(":") > 1 else changed[key]["origin"].rsplit(":", 1)
        assert file == str(server.config) and lines[int(line) - 1].startswith(key.split(".")[-1]), changed[key]
    text = server.cli("config", "show", "--changed").stdout
    assert len(text.splitlines()) == len(changed) and all(f"{key} = " in text for key in changed)
    for output in (text, json.dumps(shown), server.cli("config", "show").stdout):
        assert secret not in output and "file:relay.auth" in output


# The queue

def queued(server, identifier):
    return next((message for message in server.queued() if message["id"] == identifier), None)


def test_queue_tells_why_each_recipient_waits_and_until_when(lab, server, faulty):
    faulty(RCPT=lambda command: "451 4.7.1 greylisted" if "later" in command else "250 2.1.5 ok")
    identifier = message_id(submit(lab["client"], server.host, "two ways", ["later@mixed.example", "now@mixed.example"]))
    server.wait_for_trace(identifier, "now@mixed.example delivered", "later@mixed.example deferred")
    message = wait_until(lambda: queued(server, identifier), what="it waits")
    assert message["from"] == "alice@a.example" and message["size"] > 100 and re.match(r"\d{4}-\d\d-\d\dT", message["accepted"])
    waiting = {one["address"]: one for one in message["recipients"]}["later@mixed.example"]
    assert waiting["state"] == "waiting" and waiting["attempts"] == 1 and waiting["site"] == "MX mx.mixed.example"
    assert waiting["reason"] == "deferred: 451 4.7.1 greylisted" and waiting["last_status"] == "451 4.7.1 greylisted"
    assert waiting["until"] > message["accepted"]
    line = next(line for line in server.cli("queue", "list").stdout.splitlines() if "later@mixed.example" in line)
    assert line == f"    later@mixed.example: waiting; deferred: 451 4.7.1 greylisted; until {waiting['until']}; site MX mx.mixed.example (1 attempts)" \
        or line.endswith("(1 attempt)"), line

    shown = server.json("queue", "show", identifier)
    assert shown["login"] == "alice@a.example" and shown["client"] == lab["client"].ip
    assert {one["address"]: one["state"] for one in shown["recipients"]} == {"later@mixed.example": "waiting", "now@mixed.example": "delivered"}

    server.cli("queue", "hold", identifier)
    held = {one["address"]: one for one in queued(server, identifier)["recipients"]}["later@mixed.example"]
    assert held["state"] == "held" and held["reason"] == "held by the operator" and "until" not in held
    server.cli("queue", "release", identifier)
    server.cli("queue", "delete", identifier)
    wait_until(lambda: queued(server, identifier) is None, what="it is gone")


def test_a_host_of_a_route_is_named_in_words(lab, make_thurn, server):
    other = make_thurn("b", queue={"retry": ["1h"], "site_rest": "1h"},
                       route=[{"recipient_domain": "up.example", "next_hop": f"smtp://{lab['dead'].ip}:4604"}])
    site = f"{lab['dead'].ip} port 4604"
    identifier = message_id(submit(lab["client"], other.host, "by route", "someone@up.example", sender="alice@b.example"))
    story = other.wait_for_trace(identifier, "deferred")
    assert f"someone@up.example to {site}: " in story and f"{site}" in story
    waiting, = queued(other, identifier)["recipients"]
    assert waiting["site"] == site and f"site {site}" in other.cli("queue", "list", "--site", lab["dead"].ip).stdout
    sites = other.json("queue", "stats")["sites"]
    assert [one["site"] for one in sites] == [site] and sites[0]["resting_until"]
    second = message_id(submit(lab["client"], other.host, "at rest", "other@up.example", sender="alice@b.example"))
    waiting, = wait_until(lambda: queued(other, second), what="it waits")["recipients"]
    assert waiting["reason"].startswith((f"site {site} could not be reached", f"deferred: 451 4.4.1 no host of {site} could be reached lately")), waiting
    assert "host:" not in other.log_text() + story
    other.stop()


def fill(lab, server, count, sender):
    """So many messages to a destination that is down, without a wait for each answer."""
    with converse(lab["client"], server.host) as talk:
        talk.say("EHLO client.lab")
        for start in range(0, count, 100):
            these = range(start, min(start + 100, count))
            talk.send("".join(f"MAIL FROM:<{sender}>\r\nRCPT TO:<r{k}@down.example>\r\nDATA\r\n" for k in these[:1]))
            for k in these:
                assert [talk.reply()[:3] for _ in range(3)] == ["250", "250", "354"]
                following = f"MAIL FROM:<{sender}>\r\nRCPT TO:<r{k + 1}@down.example>\r\nDATA\r\n" if k + 1 in these else ""
                talk.send(f"Subject: {k}\r\n\r\nHello.\r\n.\r\n{following}")
                assert talk.reply().startswith("250")


def test_all_means_all_and_the_count_comes_first(lab, server):
    count = 1100
    fill(lab, server, count, "bulk@b.example")
    listed = server.json("queue", "list", "--from", "bulk@b.example")
    assert len(listed) == 1000 and len({message["id"] for message in listed}) == 1000
    assert "There may be more" in server.cli("queue", "list", "--from", "bulk@b.example").stdout
    assert len(server.json("queue", "list", "--from", "bulk@b.example", "--limit", "5000")) == count
    assert server.json("queue", "stats")["messages"] == count

    preview = server.cli("queue", "hold", "--all", check=False)
    assert preview.returncode == 1 and preview.stdout == f"would hold {count} messages; say so again with --yes to do it\n"
    assert all(one["state"] == "waiting" for message in server.queued() for one in message["recipients"]), "nothing was done"
    assert server.json("queue", "hold", "--all", "--yes") == {"messages": count, "recipients": count}
    states = [one["state"] for message in server.json("queue", "list", "--limit", "5000") for one in message["recipients"]]
    assert states == ["held"] * count
    assert server.json("queue", "release", "--from", "@b.example", "--limit", "7", "--yes")["messages"] == 7
    assert server.cli("queue", "delete", "--all", "--yes").stdout == f"delete: {count} recipients of {count} messages\n"
    assert server.queued() == [] and server.json("queue", "stats")["messages"] == 0


# Trace

def story_of(server, identifier):
    events = server.json("trace", identifier)
    assert all(event["id"] == identifier and re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", event["at"]) for event in events)
    assert [event["at"] for event in events] == sorted(event["at"] for event in events)
    return {kind: [event for event in events if event["event"] == kind] for kind in ("accepted", "decided", "routed", "attempted", "settled", "noted")}


def test_trace_tells_all_of_it_with_and_without_the_server(lab, server, faulty):
    answers = {"RCPT": lambda command: "550 5.1.1 nobody" if "<gone@" in command else "250 2.1.5 ok"}
    faulty(**answers)
    identifier = message_id(submit(lab["client"], server.host, "a story", ["bob@a.example", "there@up.example", "gone@up.example"]))
    server.wait_for_trace(identifier, "bob@a.example delivered", "there@up.example delivered", "gone@up.example bounced", "bounce sent")
    story = story_of(server, identifier)

    accepted, = story["accepted"]
    assert re.fullmatch(re.escape(lab["client"].ip) + r":\d+", accepted["client"]) and accepted["helo"] == "client.lab"
    assert accepted["listener"] == "submission" and accepted["login"] == "alice@a.example" and accepted["sender"] == "alice@a.example"
    assert re.match(r"TLSv1\.[23] with ", accepted["tls"]) and accepted["size"] > 100
    assert accepted["recipients"] == ["bob@a.example", "there@up.example", "gone@up.example"]
    assert {(one["stage"], one["subject"], one["decision"]) for one in story["decided"]} == {("rcpt", address, "accept") for address in accepted["recipients"]}
    assert all(one["rule"] and one["reason"] for one in story["decided"])
    assert {one["recipient"]: one["next_hop"] for one in story["routed"]} == {
        "bob@a.example": "mailbox bob@a.example", "there@up.example": "MX mx.up.example", "gone@up.example": "MX mx.up.example"}

    attempts = {tuple(one["recipients"]): one for one in story["attempted"]}
    local = attempts.pop(("bob@a.example",))
    assert local["host"] == str(server.maildir("bob@a.example")) and local["result"] == "delivered" and local["tls"] == ""
    remote, = attempts.values()
    assert remote["host"] == f"mx.up.example [{lab['faulty'].ip}]:25" and remote["result"] == "delivered, failed" and remote["milliseconds"] < 20000
    assert sorted(remote["replies"]) == ["250 2.0.0 taken", "550 5.1.1 nobody"] and sorted(remote["recipients"]) == ["gone@up.example", "there@up.example"]

    settled = {one["recipient"]: (one["outcome"], one["status"], one["next_attempt"]) for one in story["settled"]}
    assert settled == {"bob@a.example": ("delivered", "250 2.0.0 delivered to the mailbox", None), "there@up.example": ("delivered", "250 2.0.0 taken", None),
                       "gone@up.example": ("bounced", "550 5.1.1 nobody", None)}
    bounce = message_id(next(one["detail"] for one in story["noted"] if one["what"] == "bounce sent"))
    about, = [one for one in story_of(server, bounce)["noted"] if one["what"] == "report about"]
    assert about["detail"] == identifier

    text = server.trace(identifier)
    server.stop()
    assert story_of(server, identifier) == story and server.trace(identifier) == text, "the same without a server"
    assert server.json("queue", "list") == []
    server.start()


def test_trace_names_the_tls_of_a_transfer(lab, server, make_thurn):
    make_thurn("b")
    identifier = message_id(submit(lab["client"], server.host, "over TLS", "bob@b.example"))
    server.wait_for_trace(identifier, "bob@b.example delivered")
    attempt, = story_of(server, identifier)["attempted"]
    assert attempt["host"] in (f"mx.b.example [{lab['b'].ip}]:25", f"mx.b.example [{lab['b'].ip6}]:25") and re.match(r"TLSv1\.3 with TLS_", attempt["tls"])
    assert attempt["result"] == "delivered" and re.fullmatch(r"250 2\.0\.0 queued as \w{13}", attempt["replies"][0])


# The log

def read_log(server, **wanted):
    """The lines with these fields; every line must parse."""
    lines = [json.loads(line) for line in server.log_text().splitlines()]
    assert all({"time", "level", "event"} <= line.keys() for line in lines)
    return [line for line in lines if wanted.items() <= line.items()]


def read_logfmt(server, event):
    """As a reader of logfmt would."""
    pairs = re.compile(r'(\S+?)=("(?:[^"\\]|\\.)*"|\S*)(?: |$)')
    lines = [{key: json.loads(value) if value.startswith('"') else value for key, value in pairs.findall(line)}
             for line in server.log_text().splitlines()]
    return [line for line in lines if line["event"] == event]


def wait_for_event(server, event, **wanted):
    return wait_until(lambda: read_log(server, event=event, **wanted), what=f"{event} {wanted} is logged")[-1]


def test_the_log_has_a_line_for_each_step(lab, server, faulty):
    faulty(RCPT=lambda command: "550 5.1.1 nobody" if "<gone@" in command else "451 4.7.1 later" if "<later@" in command else "250 2.1.5 ok")
    with smtp(lab["client"], server.host, 587, "starttls") as client:
        with pytest.raises(smtplib.SMTPAuthenticationError):
            client.login("alice@a.example", "wrong")
        client.login("alice@a.example", PASSWORD)
        client.docmd("BOGUS")
        assert client.mail("bob@a.example")[0] == 553
        recipients = ["bob@a.example", "there@up.example", "gone@up.example", "later@up.example"]
        identifier = message_id(send_on(client, make_message("logged"), "alice@a.example", recipients))
    server.wait_for_trace(identifier, "bob@a.example delivered", "there@up.example delivered", "gone@up.example bounced", "later@up.example deferred")

    accepted = wait_for_event(server, "accepted", id=identifier)
    session, peer = accepted["session"], lab["client"].ip
    assert {"client": peer, "login": "alice@a.example", "listener": "submission", "from": "alice@a.example", "recipients": 4, "code": 250,
            "status": "2.0.0"}.items() <= accepted.items()
    assert accepted["tls"].startswith("TLSv1.") and accepted["size"] > 100 and 0 <= accepted["ms"] < 20000
    here = {"session": session, "client": peer}
    assert wait_for_event(server, "connected", **here)["listener"] == "submission"
    ended = wait_for_event(server, "disconnected", **here)
    assert ended["messages"] == 1 and ended["login"] == "alice@a.example" and ended["ms"] >= accepted["ms"]
    failed, *_, right = read_log(server, event="auth", **here)  # smtplib tries each mechanism
    assert {"result": "refused", "login": "alice@a.example", "code": 535, "status": "5.7.8"}.items() <= failed.items() and failed["ms"] >= 0
    assert {"result": "ok", "login": "alice@a.example", "code": 235, "status": "2.7.0"}.items() <= right.items()
    bogus = wait_for_event(server, "command_refused", **here)
    assert bogus["code"] == 500 and bogus["status"] == "5.5.2" or bogus["code"] in (500, 502) and bogus["status"].startswith("5.5.")
    refused = wait_for_event(server, "refused", **here)
    assert {"stage": "mail", "subject": "bob@a.example", "code": 553, "status": "5.7.1", "login": "alice@a.example"}.items() <= refused.items() and refused["rule"]

    host = f"mx.up.example [{lab['faulty'].ip}]:25"
    attempt = wait_for_event(server, "attempt", id=identifier)
    assert attempt["host"] == host and attempt["recipients"] == 3 and attempt["code"] in (250, 451, 550) and attempt["ms"] >= 0 and attempt["status"]
    assert attempt["result"] == "delivered, deferred, failed"
    local = wait_for_event(server, "delivered", id=identifier, to="bob@a.example")
    assert local["mailbox"] == str(server.maildir("bob@a.example")) and "host" not in local and local["code"] == 250 and local["status"] == "2.0.0"
    for event, to, code, status in (("delivered", "there", 250, "2.0.0"), ("bounced", "gone", 550, "5.1.1"), ("deferred", "later", 451, "4.7.1")):
        line = wait_for_event(server, event, id=identifier, to=f"{to}@up.example")
        assert {"host": "mx.up.example", "login": "alice@a.example", "code": code, "status": status, "attempts": 1}.items() <= line.items()
        assert line["reply"].startswith(f"{code} {status}") and line["age_ms"] >= 0 and "mailbox" not in line
        assert ("until" in line) == (event == "deferred")
    assert wait_for_event(server, "bounce_sent", id=identifier)["to"] == "alice@a.example"
    server.cli("queue", "delete", identifier)
    assert wait_for_event(server, "operator", id=identifier)["change"] == "deleted"
    assert PASSWORD not in server.log_text() and "Hello." not in server.log_text()


def test_a_transfer_that_fails_is_one_line_with_its_message(lab, server, faulty):
    faulty(MAIL=CLOSE)
    identifier = message_id(submit(lab["client"], server.host, "closed", "someone@closing.example"))
    server.wait_for_trace(identifier, "deferred")
    attempt = wait_for_event(server, "attempt", id=identifier)
    assert attempt["result"] == "connection failed" and attempt["code"] == 451 and attempt["status"] == "4.4.2" and "mx.closing.example" in attempt["host"]
    server.cli("queue", "delete", identifier)


def test_logfmt_has_the_same_fields(lab, server, make_thurn):
    other = make_thurn("b")
    for where, sender in ((server, "alice@a.example"), (other, "alice@b.example")):
        identifier = message_id(submit(lab["client"], where.host, "same fields", sender, sender=sender))
        where.wait_for_trace(identifier, "delivered")
    for event in ("accepted", "delivered", "auth", "connected", "started"):
        lines = wait_until(lambda event=event: read_logfmt(other, event), what=event)
        own = [line for line in read_log(server, event=event) if line.get("to", "alice@a.example") == "alice@a.example"][-1]
        assert lines[-1].keys() == own.keys(), event


def limit_descriptors(server, soft):
    """The running server's; gives what the limit was."""
    was, hard = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (soft, hard))
    return was


def test_no_descriptors_left_is_not_called_a_full_disk(lab, make_thurn):
    server = make_thurn("b")
    with converse(lab["client"], server.host) as talk:
        for line in ("EHLO client.lab", "MAIL FROM:<x@a.example>", "RCPT TO:<bob@b.example>", "DATA"):
            talk.say(line)
        was = limit_descriptors(server, 3)
        talk.send("Subject: large\r\n\r\n" + ("0123456789" * 7 + "\r\n") * 5000 + ".\r\n")
        reply = talk.reply()
        line = server.wait_for_log("event=spool_failed.*").group()
        limit_descriptors(server, was)
        assert reply.startswith("451 4.3.0") and "Too many open files" in line and "disk" not in line and "code=451" in line
        talk.send("MAIL FROM:<x@a.example>\r\nRCPT TO:<bob@b.example>\r\nDATA\r\n")
        assert [talk.reply()[:3] for _ in range(3)] == ["250", "250", "354"]
        assert talk.say("From: someone@b.example\r\nSubject: after\r\n\r\nHello.\r\n.").startswith("250")


def test_the_binary_says_its_version():
    assert re.fullmatch(r"thurn \d+\.\d+\.\d+\n", subprocess.run([BINARY, "--version"], stdout=subprocess.PIPE, text=True).stdout)
