"""Password guessing: from one address, from a thousand, while people log in; lockouts over restarts; bans by hand."""

import concurrent.futures
import datetime
import json
import re
import shutil
import smtplib
import subprocess
import time

import pytest
from clients import Conversation, converse, smtp
from lab import run, wait_until
from thurn import PASSWORD, ROOT

ADDRESSES = 1000
USERS = [f"user{n}@a.example" for n in range(5)]


@pytest.fixture(scope="module")
def client(lab):
    return lab["client"]


@pytest.fixture(scope="module")
def attacker(lab):
    """A host with a thousand more addresses, 10.66.0.0/22, which the server reaches by way of it."""
    host = lab["exim"]
    lines = [f"addr add 10.66.{n // 250}.{n % 250 + 1}/32 dev lo" for n in range(ADDRESSES)]
    run("ip", "-n", host.namespace, "-batch", "-", input="\n".join(lines) + "\n")
    run("ip", "-n", lab["a"].namespace, "route", "add", "10.66.0.0/22", "via", host.ip)
    yield host
    run("ip", "-n", lab["a"].namespace, "route", "del", "10.66.0.0/22")
    run("ip", "-n", host.namespace, "-batch", "-", input="\n".join(line.replace("addr add", "addr del") for line in lines) + "\n")


@pytest.fixture(scope="module")
def server(lab, make_thurn, attacker):
    server = make_thurn("a", login_protection={"failures": 5, "account_failures": 40, "window": "1h", "delay": "1s", "lockout": "1m"},
                        limits={"connections_per_ip": 100})
    for user in USERS:
        server.add_account(user)
    return server


def submission(host, server, source):
    """A connection from one of the host's addresses, under TLS; None when it was turned away."""
    import socket
    with host.inside():
        talk = Conversation(socket.create_connection((server.host.ip, 587), 30, source_address=(source, 0)))
    if not talk.reply().startswith("220"):
        return None
    talk.say("EHLO guesser.lab")
    talk.start_tls()
    talk.say("EHLO guesser.lab")
    return talk


def guess(host, server, source, login, password="wrong"):
    """The reply to AUTH PLAIN; empty when turned away before."""
    import base64
    talk = submission(host, server, source)
    if talk is None:
        return ""
    with talk:
        return talk.say("AUTH PLAIN " + base64.b64encode(f"\0{login}\0{password}".encode()).decode())


def log_in(host, server, user, password=PASSWORD):
    """Seconds that it took."""
    begun = time.monotonic()
    with smtp(host, server.host, 465, "implicit", user, password):
        return time.monotonic() - begun


def test_people_log_in_while_a_thousand_addresses_guess(client, attacker, server):
    for user in USERS:
        log_in(client, server, user)
    sources = [f"10.66.{n // 250}.{n % 250 + 1}" for n in range(ADDRESSES)]
    with concurrent.futures.ThreadPoolExecutor(60) as pool:
        attack = [pool.submit(guess, attacker, server, source, USERS[n % 2]) for n, source in enumerate(sources)]
        times = []
        while any(not one.done() for one in attack):
            times += [log_in(client, server, user) for user in USERS]
        replies = [one.result() for one in attack]
    codes = {code: sum(reply.startswith(code) for reply in replies) for code in ("535", "454")}
    assert codes["535"] + codes["454"] == ADDRESSES, set(replies)
    # Two logins with 40 guesses each. One is forgotten in 90 s, and each loop may be at one when the lock closes.
    assert 80 <= codes["535"] <= 90, codes
    assert len(times) >= 5 and max(times) < 8, f"nobody is slowed down or locked out: {max(times):.1f} s"
    for user in USERS[:2]:
        server.wait_for_log(rf"event=login_attack .*client=10\.66\.\S+ .*login={user} .*count=40 until=\S+")
    assert guess(attacker, server, "10.66.3.250", USERS[0], PASSWORD).startswith("454 4.7.0"), "the right password is not looked at"
    assert guess(attacker, server, "10.66.3.249", USERS[2], PASSWORD).startswith("235 2.7.0"), "others are let in from there"


def test_an_address_is_locked_out_for_a_growing_time_and_over_restarts(attacker, server):
    source, lengths = "10.66.0.7", []
    server.cli("bans", "remove", source, check=False)
    for lockout in range(2):
        for _ in range(10):
            if guess(attacker, server, source, "nobody@a.example") == "":
                break
        ban = next(ban for ban in server.json("bans", "list") if ban["subject"] == source)
        assert ban["by"] == "failures" and ban["of"] == "network" and ban["failures"] <= 5
        begun, until = (datetime.datetime.fromisoformat(ban[key].replace("Z", "+00:00")) for key in ("since", "until"))
        lengths.append((until - begun).total_seconds())
        if lockout == 0:
            server.stop()
            offline = server.json("bans", "list")
            assert ban in offline, "it is kept, and can be listed without a server"
            server.start()
            assert guess(attacker, server, source, "nobody@a.example") == "", "still locked out"
            wait_until(lambda: all(ban["subject"] != source for ban in server.json("bans", "list")), 70, "the lockout ends", step=1)
    assert lengths == [60, 120]
    with converse(attacker, server.host, 25) as talk:
        assert talk.say("NOOP").startswith("250"), "only logins are locked"


def test_nobody_learns_which_logins_exist(attacker, server):
    replies = {login: [guess(attacker, server, f"10.66.1.{number}", login) for number in (11, 12)] for login in (USERS[3], "nobody3@a.example")}
    known, unknown = replies.values()
    assert known == unknown and known[0].startswith("535 5.7.8")


def test_bans_by_hand(attacker, client, server):
    added = server.json("bans", "add", "10.66.2.0/24", "--reason", "a test", "--for", "1h")
    assert added[0]["subject"] == "10.66.2.0/24" and added[0]["by"] == "hand" and added[0]["reason"] == "a test"
    with attacker.inside():
        import socket
        for port in (25, 587):
            with Conversation(socket.create_connection((server.host.ip, port), 20, source_address=("10.66.2.9", 0))) as talk:
                reply = talk.reply()
                assert reply.startswith("554 5.7.1 your address is banned from this server") and "a test" not in reply
    server.wait_for_log(r"event=connection_refused .*client=10\.66\.2\.9 .*reason=bans")
    assert re.search(r"10\.66\.2\.0/24 .*hand .*a test", server.cli("bans", "list").stdout)
    server.kill()
    server.start()
    assert any(ban["subject"] == "10.66.2.0/24" for ban in server.json("bans", "list")), "saved at once, so even kill -9 costs nothing"
    assert "no longer banned" in server.cli("bans", "remove", "10.66.2.0/24").stdout
    assert server.cli("bans", "remove", "10.66.2.0/24", check=False).returncode == 1
    assert guess(attacker, server, "10.66.2.9", USERS[4], PASSWORD).startswith("235")


def test_a_login_banned_by_hand(client, server):
    server.cli("bans", "add", "User4@a.example")
    with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
        log_in(client, server, USERS[4])
    assert refused.value.smtp_code == 525
    server.cli("bans", "remove", "user4@a.example")
    log_in(client, server, USERS[4])


def test_bans_without_a_server(client, server):
    server.stop()
    try:
        server.cli("bans", "add", "192.0.2.1", "198.51.100.0/24", "2001:db8::/64", "someone@a.example")
        assert {"192.0.2.1", "198.51.100.0/24", "2001:db8::/64", "someone@a.example"} <= {ban["subject"] for ban in server.json("bans", "list")}
    finally:
        server.start()
    assert {"192.0.2.1", "someone@a.example"} <= {ban["subject"] for ban in server.json("bans", "list")}
    for mistake in ("192.0.2", "192.0.2.1/24", "0.0.0.0/0"):
        assert server.cli("bans", "add", mistake, check=False).returncode == 2


def test_nftables_takes_the_list(attacker, server):
    assert shutil.which("nft"), "install-peers brings it"
    server.cli("bans", "add", "192.0.2.1", "198.51.100.0/24", "2001:db8::/64", "someone@a.example")
    commands = server.cli("bans", "list", "--nft").stdout
    for _ in range(2):  # as a timer says it, again and again
        done = subprocess.run(["ip", "netns", "exec", attacker.namespace, "nft", "-f", "-"], input=commands, text=True, capture_output=True)
        assert done.returncode == 0, done.stderr
    listed = run("ip", "netns", "exec", attacker.namespace, "nft", "-j", "list", "table", "inet", "thurn").stdout
    text = json.dumps(json.loads(listed))
    assert "192.0.2.1" in text and "198.51.100.0" in text and "2001:db8::" in text and "someone" not in text
    run("ip", "netns", "exec", attacker.namespace, "nft", "delete", "table", "inet", "thurn")


def test_the_fail2ban_example_finds_them(attacker, server):
    assert shutil.which("fail2ban-regex"), "install-peers brings it"
    source = "10.66.2.77"
    for _ in range(3):
        assert guess(attacker, server, source, "nobody@a.example").startswith("535")
    log = server.folder / "for-fail2ban"
    log.write_text(server.log_text())
    done = subprocess.run(["fail2ban-regex", "--print-all-matched", log, ROOT / "examples" / "fail2ban" / "filter.d" / "thurn.conf"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    refused = len(re.findall(r"event=auth session=\S+ client=\S+ .*result=(?:refused|locked_out|banned)", server.log_text()))
    matched = int(re.search(r"Lines: .*, (\d+) matched", done.stdout).group(1))
    assert matched >= refused >= 3, done.stdout[-2000:]
    lines = done.stdout.split("Matched line(s)")[1].split("Missed line(s)")[0]
    assert source in lines and "result=ok" not in lines
