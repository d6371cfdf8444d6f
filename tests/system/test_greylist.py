"""Greylisting: strangers wait once, mail servers get through by themselves, and what passed is remembered over restarts."""

import re
import tomllib

import pytest
from clients import make_message, send_on, smtp, submit
from lab import Lab, wait_until
from thurn import Thurn

from conftest import HERE

RULES = {"enabled": True, "delay": "3s", "known_after": 50}


@pytest.fixture(scope="module")
def server(lab, make_thurn):
    return make_thurn("a", relay={"networks": []}, greylist=RULES)


def recipient_reply(lab, server, sender, recipient="bob@a.example", client="client"):
    """The reply to RCPT: code and text."""
    with smtp(lab[client], server.host) as client:
        client.ehlo_or_helo_if_needed()
        assert client.mail(sender)[0] == 250
        code, text = client.rcpt(recipient)
        return code, text.decode()


def test_who_is_new_waits_once(lab, server):
    code, text = recipient_reply(lab, server, "new@elsewhere.example")
    assert code == 450 and re.fullmatch(r"4\.7\.1 this server does not know you yet, try again in [1-3] seconds", text), text
    assert recipient_reply(lab, server, "new@elsewhere.example")[0] == 450, "too soon"
    wait_until(lambda: recipient_reply(lab, server, "new@elsewhere.example")[0] == 250, 10, "it passes", step=0.5)
    assert recipient_reply(lab, server, "new@elsewhere.example")[0] == 250
    assert recipient_reply(lab, server, "new+tag@elsewhere.example")[0] == 250, "tags do not count"
    assert recipient_reply(lab, server, "new@elsewhere.example", "alice@a.example")[0] == 450, "another recipient is another matter"
    assert recipient_reply(lab, server, "new@elsewhere.example", "nobody@a.example")[0] == 550, "nobody waits for who is not there"
    server.wait_for_log(r"event=rule .*stage=rcpt .*rule=greylist .*result=defer .*greylist_wait = \d")


def test_what_passed_is_remembered_over_a_restart(lab, server):
    recipient_reply(lab, server, "kept@elsewhere.example")
    wait_until(lambda: recipient_reply(lab, server, "kept@elsewhere.example")[0] == 250, 10, "it passes", step=0.5)
    server.stop()
    server.start()
    assert recipient_reply(lab, server, "kept@elsewhere.example")[0] == 250


def test_a_mail_server_gets_through_by_itself(lab, server, postfix):
    with smtp(lab["client"], lab["postfix"]) as client:
        send_on(client, make_message("by way of postfix"), "someone@p.example", ["bob@a.example"])
    server.wait_for_mail("bob@a.example", "by way of postfix", limit=40)
    assert "this server does not know you yet" in postfix.log_text()


def test_users_and_bounces(lab, server):
    submit(lab["client"], server.host, "from a user", "bob@a.example")
    server.wait_for_mail("bob@a.example", "from a user")
    assert recipient_reply(lab, server, "", "alice@a.example")[0] == 450, "the null path is a sender like others"


def test_explain_tells_it_and_notes_nothing(lab, server):
    def explain(sender):
        return server.cli("explain", "--ip", lab["client"].ip, "--helo", "client.lab", "--from", sender, "--to", "bob@a.example",
                          input=make_message("explained", sender=sender).as_string(), check=False).stdout
    for _ in range(2):
        text = explain("unseen@elsewhere.example")
        assert re.search(r"rule greylist .*applies: defer; client\.stranger = true, greylist_wait = 3\n", text), text
        assert re.search(r"450 4\.7\.1 this server does not know you yet", text), text
    server.stop()  # which saves what it knows
    server.start()
    text = explain("kept@elsewhere.example")
    assert re.search(r"rule greylist .*does not apply; client\.stranger = true, greylist_wait = 0\n", text), text


def test_a_network_that_passed_often_enough_is_known(lab, server):
    server.configure(greylist={**RULES, "known_after": 3})
    heard = len(server.log_text())
    server.reload()
    server.wait_for_log("event=reloaded", after=heard)
    for sender in ("one@w.example", "two@w.example", "three@w.example"):
        wait_until(lambda: recipient_reply(lab, server, sender)[0] == 250, 10, "it passes", step=0.5)
    assert recipient_reply(lab, server, "four@w.example")[0] == 250


def test_a_rule_lets_pass_whom_we_know(lab, server):
    known = {"name": "known", "stage": "rcpt", "when": 'client.name matches "(^|\\.)client\\.lab$"', "action": "accept"}
    server.configure(rule=[known], greylist={**RULES, "known_after": 1000})
    heard = len(server.log_text())
    server.reload()
    server.wait_for_log("event=reloaded", after=heard)
    assert recipient_reply(lab, server, "friend@elsewhere.example", "alice@a.example")[0] == 250


def test_known_senders_do_not_wait():
    """By SPF for a domain of greylist.known, and by a list of the good; what only says so waits."""
    net = Lab(["dns", "client", "friend", "a"], prefix="gr")
    try:
        friend, client = net["friend"].ip, net["client"].ip
        net.start_dns("dns", [f"{name}. IN A {friend}" for name in ("gmail.com", "mail.mine.example", "small.example")] +
                      [f'{name}. IN TXT "v=spf1 ip4:{client} -all"' for name in ("gmail.com", "mail.mine.example", "small.example")] +
                      [f"{reverse(friend)}.wl.lab. IN A 127.0.5.1", "2.0.0.127.wl.lab. IN A 127.0.0.2",
                       f"{reverse(friend)}.in-addr.arpa. IN PTR friend.lab.", f"friend.lab. IN A {friend}"])
        known_good(net)
    finally:
        net.close()


def reverse(ip):
    return ".".join(reversed(ip.split(".")))


def known_good(net):
    white = {"name": "white", "zone": "wl.lab", "weight": -1}
    server = Thurn(net["a"], "a.example", net["dns"], relay={"networks": []}, greylist={"enabled": True}, dnsbl=[white],
                   authentication={"spf_fail": "mark"}).start()
    server.add_account("bob@a.example")
    server.wait_for_log("event=dnsbl_in_order.*list=white")
    assert recipient_reply(net, server, "x@gmail.com")[0] == 250
    assert recipient_reply(net, server, "x@small.example")[0] == 450, "SPF alone is not enough"
    assert recipient_reply(net, server, "y@gmail.com", client="friend")[0] == 250, "listed among the good"
    assert recipient_reply(net, server, "z@small.example", client="friend")[0] == 250
    server.wait_for_log(r'event=rule .*rule=known-sender.*result=accept.*spf\.domain = \S*gmail\.com\S* spf = \S*pass')

    def explain(sender, client):
        return server.cli("explain", "--ip", net[client].ip, "--helo", "client.lab", "--from", sender, "--to", "bob@a.example",
                          input=make_message("explained", sender=sender).as_string(), check=False).stdout
    told = explain("unseen@gmail.com", "client")
    assert re.search(r'rule known-sender \(default\) applies: accept; .*spf = "pass"', told), told
    told = explain("unseen@small.example", "friend")
    assert re.search(r"rule known-sender \(default\) applies: accept; .*dnsbl\.white = -1", told), told

    server.configure(dnsbl=[], greylist={"enabled": True, "known": ["mine.example"]})
    heard = len(server.log_text())
    server.reload()
    server.wait_for_log("event=reloaded", after=heard)
    assert recipient_reply(net, server, "v@gmail.com")[0] == 450
    assert recipient_reply(net, server, "v@mail.mine.example")[0] == 250, "below a known domain"
    assert recipient_reply(net, server, "v@mail.mine.example", client="friend")[0] == 450, "SPF fails"
    examples_of_the_manuals(net, server)
    assert server.stop() == 0


def examples_of_the_manuals(net, server):
    """What docs/policy.md and docs/outside-policy.md say of lists of the good, word for word but for the zone."""
    for page, name in (("policy", "known-good"), ("outside-policy", "good-senders")):
        blocks = re.findall(r"^```toml\n(.*?)^```", (HERE.parent.parent / "docs" / f"{page}.md").read_text(), re.M | re.S)
        example = tomllib.loads(next(block for block in blocks if f'name = "{name}"' in block))
        (listed,) = example["dnsbl"]
        assert listed["zone"] == "list.dnswl.org"
        rule = next(rule for rule in example["rule"] if rule["name"] == name)
        server.configure(dnsbl=[{**listed, "zone": "wl.lab"}], rule=[rule], greylist={"enabled": True, "known": []})
        heard = len(server.log_text())
        server.reload()
        server.wait_for_log("event=reloaded", after=heard)
        server.wait_for_log("event=dnsbl_in_order.*list=white", after=heard)
        assert recipient_reply(net, server, f"{page}@small.example", client="friend")[0] == 250, page
        assert recipient_reply(net, server, f"{page}@small.example")[0] == 450, page
        server.wait_for_log(rf"event=rule .*rule={name}.*result=accept.*dnsbl\.white = -1", after=heard)


def test_mistakes_are_told(server):
    server.configure(greylist={"enabled": True, "delay": "1h", "retry_window": "30m"})
    done = server.cli("check", check=False)
    assert done.returncode == 2 and "greylist.retry_window: must be longer than greylist.delay" in done.stdout + done.stderr
    server.configure(greylist=RULES)
