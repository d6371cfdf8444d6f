"""`thurn config test NEW.toml --replay`: the mail of the past under another configuration; and that refused tries have a trace."""

import re
import smtplib
import subprocess

import pytest
from clients import make_message, send_on, smtp, submit
from lab import Lab
from thurn import Thurn, message_id, render_toml

from conftest import HERE


@pytest.fixture(scope="module")
def net():
    subprocess.run([HERE / "install-peers"], check=True, stdout=subprocess.DEVNULL)
    made = Lab(["dns", "client", "a"], prefix="rp")
    try:
        made.start_dns("dns", ["a.example. IN MX 10 mx.a.example.", f"mx.a.example. IN A {made['a'].ip}", "b.example. IN MX 10 mx.b.example.",
                               f"mx.b.example. IN A {made['client'].ip}", 'strict.example. IN MX 10 mx.b.example.',
                               '_dmarc.strict.example. IN TXT "v=DMARC1; p=quarantine"'])
        yield made
    finally:
        made.close()


def try_to_send(net, server, sender="x@b.example", to="bob@a.example", ehlo="client.lab", author=None):
    with smtp(net["client"], server.host, ehlo=ehlo) as client:
        return send_on(client, make_message("replayed", sender=author or sender), sender, [to])


@pytest.fixture(scope="module")
def server(net):
    """With a day of mail behind it."""
    made = Thurn(net["a"], "a.example", net["dns"], relay={"networks": []}).start()
    for user in ("alice", "bob"):
        made.add_account(f"{user}@a.example")
    made.taken = [message_id(try_to_send(net, made)) for _ in range(5)]
    made.junk = message_id(try_to_send(net, made, author="ceo@strict.example"))
    for options in ({"sender": "x@nowhere.example"}, {"to": "x@far.example"}, {"to": "nobody@a.example"}, {"ehlo": "mx.a.example"}):
        with pytest.raises(smtplib.SMTPException):
            try_to_send(net, made, **options)
    submit(net["client"], made.host, "own", "bob@a.example")
    yield made
    if made.alive():
        assert made.stop() == 0


@pytest.fixture
def replay(server, tmp_path):
    def run(*words, since="1h", **settings):
        new = tmp_path / "new.toml"
        tree = {key: value for key, value in server.settings.items() if key not in settings} | settings
        new.write_text(render_toml(tree))
        return server.json("config", "test", new, "--replay", since, *words)
    return run


def changes(told):
    return {(one["then"]["action"], one["then"]["rule"], one["now"]["action"], one["now"]["rule"]): one["count"] for one in told["changes"]}


def test_the_same_configuration_changes_nothing(replay):
    told = replay()
    assert (told["messages"], told["recipients"], told["changes"], told["unjudged"]) == (12, 12, [], [])


def test_a_new_rule_is_shown_by_what_it_would_have_refused(replay, server):
    told = replay(rule=[{"name": "no-b", "stage": "rcpt", "when": 'sender.domain = "b.example" and spf != "pass"', "action": "reject"},
                        {"name": "words", "stage": "content", "when": 'header.Subject like "*replayed*"', "action": "junk"}])
    # The default rules are gone with the first [[rule]]: who they refused would have got further, with EHLO and with HELO.
    assert changes(told) == {("accept", "", "reject", "no-b"): 5, ("junk", "authentication.dmarc_quarantine", "reject", "no-b"): 1,
                             ("reject", "sender-domain", "accept", ""): 1, ("reject", "our-name", "accept", ""): 2}
    first = told["changes"][0]
    assert re.search(r"/new\.toml:\d+$", first["now"]["origin"]) and first["now"]["stage"] == "rcpt"
    assert {one["id"] for one in first["examples"]} == set(server.taken)
    (unjudged,) = told["unjudged"]
    assert re.fullmatch(r"rule words \(\S+/new\.toml:\d+\) asks for header\.Subject", unjudged["what"])


def test_relaying_and_authentication_are_decided_anew(replay):
    told = replay(relay={"networks": [], "domains": ["far.example"]}, authentication={"quarantine": "reject"})
    assert changes(told) == {("reject", "relay", "accept", ""): 1,
                             ("junk", "authentication.dmarc_quarantine", "reject", "authentication.dmarc"): 1}


def test_it_is_told_to_people_too(server, tmp_path):
    new = tmp_path / "new.toml"
    new.write_text(render_toml(server.settings | {"rule": [{"name": "no-b", "stage": "mail", "when": 'sender.domain = "b.example"', "action": "defer"}]}))
    told = server.cli("config", "test", new, "--replay", "1h").stdout
    assert re.search(r"^12 messages and tries since 20\S+, 12 recipients\.$", told, re.M)
    assert re.search(r"^ +5  accept -> defer by no-b \(\S+/new\.toml:\d+\)$", told, re.M)
    assert len(re.findall(r"from <x@b.example> by .* to <bob@a.example>$", told, re.M)) == 4, "three examples of five, and the one that was junk"
    assert re.search(r"^ +2  reject by our-name \(default\) -> accept\n +\S+ \w+ by ", told, re.M), "nobody knows whom it was from"


def test_bad_input_is_named(server, tmp_path):
    new = tmp_path / "new.toml"
    new.write_text("hostname = 3\n")
    assert "new.toml:1" in server.cli("config", "test", new, "--replay", "1h", check=False).stderr
    new.write_text(render_toml(server.settings))
    done = server.cli("config", "test", new, "--replay", "yesterday", check=False)
    assert done.returncode == 2 and '--replay: "yesterday" is no time' in done.stderr
    assert server.json("config", "test", new, "--replay", "2000-01-01")["messages"] == 12


@pytest.mark.parametrize("search, rule", [(("--from", "x@nowhere.example"), "sender-domain"), (("--to", "x@far.example"), "relay"),
                                          (("--to", "nobody@a.example"), "local-recipient")])
def test_refused_tries_have_a_trace(server, search, rule):
    told = server.cli("trace", *search).stdout
    assert "refused    from" in told and f"reject by {rule}" in told


def test_what_was_found_out_is_in_the_trace(server):
    told = server.trace(server.junk)
    assert re.search(r'found      .*sender\.exists = true.*dmarc = "fail", dmarc\.policy = "quarantine"', told)
    assert "replayed" not in told, "nothing of the content"
