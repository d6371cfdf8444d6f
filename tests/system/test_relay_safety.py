"""Relay safety as a property: whatever configuration is taken, no stranger outside relay.networks gets mail to a foreign domain accepted."""

import ipaddress
import random
import re
import socketserver
import threading

import pytest
from clients import Conversation, submit
from lab import wait_until
from scripted import ScriptedPeer

CONFIGURATIONS = 60
FOREIGN = "elsewhere.example"  # its mail host is the client's, where a listener waits for what must not come
FORWARDS = "forwards.example"  # where aliases and rules of the configuration itself send mail on to
XCLIENT, PROXY, YES = 2525, 2526, 10023
STRANGER, STRANGER6 = "198.51.100.7", "2001:db8:ffff::7"


@pytest.fixture(scope="module")
def server(make_thurn, lab):
    return make_thurn("a", relay={"networks": []}, listener=listeners(lab))


def listeners(lab):
    """They stay while the rest changes. The last two believe the client whom it comes for."""
    client = [f"{lab['client'].ip}/32"]
    return [{"bind": ["0.0.0.0:25", "[::]:25"], "role": "mx"}, {"bind": ["0.0.0.0:587", "[::]:587"], "role": "submission"},
            {"bind": ["0.0.0.0:465", "[::]:465"], "role": "submission", "tls": "implicit"},
            {"bind": [f"0.0.0.0:{XCLIENT}"], "role": "mx", "xclient_from": client, "xforward_from": client}, {"bind": [f"0.0.0.0:{PROXY}"], "role": "mx", "proxy_protocol_from": client}]


@pytest.fixture(scope="module")
def elsewhere(lab):
    with ScriptedPeer(lab["client"]) as peer:
        yield peer


class Yes(socketserver.StreamRequestHandler):
    """A policy server that permits everything."""

    def handle(self):
        for line in self.rfile:
            if line == b"\n":
                self.server.asked += 1
                self.wfile.write(b"action=OK\n\n")


@pytest.fixture(scope="module")
def yes(lab):
    socketserver.ThreadingTCPServer.daemon_threads = True
    with lab["a"].inside():
        server = socketserver.ThreadingTCPServer((lab["a"].ip, YES), Yes)
    server.asked = 0
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def some_networks(draw, lab):
    """With some that take in more than their author may have thought."""
    all_there_are = ["127.0.0.0/8", "::1/128", f"{lab['b'].ip}/32", f"{lab['a'].ip}/32", "192.0.2.0/24", "2001:db8::/32", "0.0.0.0/0", "::/0", "0.0.0.0/1", "128.0.0.0/1",
                     "10.0.0.0/8", "fd00::/8", "::ffff:0:0/96", f"{lab['client'].ip}/32", f"{lab['client'].ip6}/128", "2000::/3"]
    return draw.sample(all_there_are, draw.randint(0, 3))


def some_rules(draw):
    """Such as let pass, redirect and mark: none of them is asked whether this server relays. `redirect` sends on what is for us, and nothing else."""
    stages = {"connect": "", "helo": "helo", "mail": "sender.domain", "rcpt": "recipient.domain", "data": "", "content": ""}
    rules = []
    for number in range(draw.randint(0, 4)):
        stage = draw.choice(list(stages))
        rule = {"name": f"rule{number}", "stage": stage, "action": draw.choice(["accept", "none"]), "score": 1}
        if stage == "rcpt" and draw.random() < 0.3:
            rule.update(action="redirect", to=f"redirected@{FORWARDS}")
        if stages[stage] and draw.random() < 0.5:
            rule["when"] = f'{stages[stage]} like "*{FOREIGN}*"'
        rules.append(rule)
    return rules or [{"name": "nothing", "stage": "connect", "score": 1}]


def some_settings(draw, lab):
    networks = some_networks(draw, lab)
    domain = {"name": "a.example"}
    if draw.random() < 0.6:
        domain["catch_all"] = draw.choice(["bob@a.example", f"caught@{FORWARDS}"])
    stages = draw.sample(["connect", "helo", "mail", "rcpt", "data", "content"], draw.randint(1, 6))
    servers = [{"name": "yes", "socket": f"inet:{lab['a'].ip}:{YES}", "stages": stages}] if draw.random() < 0.5 else []
    return {"relay": {"networks": networks, "domains": draw.sample(["p.example", "e.example", "sub.a.example"], draw.randint(0, 2))}, "domain": [domain],
            "smtp": {"addresses": draw.choice(["strict", "lenient"]), "vrfy": draw.choice(["off", "on"])},
            "submission": {"senders": draw.choice(["own", "domain", "any"]), "check_author": draw.random() < 0.5},
            "greylist": {"enabled": False}, "forwarding": {"srs": draw.random() < 0.5},
            "authentication": {"check": draw.random() < 0.5}, "rule": some_rules(draw), "policy_server": servers, "route": [{"recipient_domain": FORWARDS, "next_hop": "discard:"}],
            "limits": {"errors": 100000, "commands": 100000, "recipients": 10000}, "rate": [{"name": "none", "of": "messages", "per": ["login"], "limit": "100000/1h", "action": "none", "alarm": True}]}


def some_recipient(draw, lab):
    """A foreign mailbox in one of the disguises that opened some relay once."""
    local, domain = draw.choice(["victim", "postmaster", "bob", "vi.ctim", "SRS0=HHH=TT=elsewhere.example=victim"]), FOREIGN
    domain = draw.choice([domain, domain.upper(), domain + ".", domain.title(), f"[{lab['client'].ip}]", f"[IPv6:{lab['client'].ip6}]", f"[{lab['client'].ip}].", "elsewhere。example",
                          "ｅlsewhere.example", "elsewhere.example:25", "elsewhere.example#a.example", "elsewhere.example/a.example", "elsewhere.example\\@a.example", "sub.elsewhere.example"])
    ours = draw.choice(["a.example", "A.EXAMPLE", "a.example.", f"[{lab['a'].ip}]", "mx.a.example", "sub.a.example", "p.example"])
    foreign = f"{local}@{domain}"
    return draw.choice([f"<{foreign}>", foreign, f"<{local}%{domain}@{ours}>", f"<{domain}!{local}@{ours}>", f'<"{foreign}"@{ours}>', f'<"{local}%{domain}"@{ours}>',
                        f"<@{ours}:{foreign}>", f"<@{ours},@{ours}:{foreign}>", f"<{foreign}@{ours}>", f"<{ours}:{foreign}>", f'<"{local}"@{domain}>', f'<"{local}\\@{domain}"@{ours}>',
                        f"<<{foreign}>>", f"<{foreign}%{ours}@{ours}>", f"<bob@{ours}@{domain}>", f"<bob@{ours}>{foreign}", f"<{foreign}> <bob@{ours}>", f"<bob@{ours},{foreign}>",
                        f"<bob@{ours}({foreign})>", f"<({ours}){foreign}>", f"<{local}@{domain}\t>", f"< {foreign}>", f"<bob@{ours};{foreign}>", f"<|{foreign}@{ours}>"])


def is_inside(networks, address):
    address = ipaddress.ip_address(address)
    mapped = ipaddress.ip_address(f"::ffff:{address}") if address.version == 4 else address
    return any(address in network or mapped in network for network in map(ipaddress.ip_network, networks))


def is_ours(recipient, relayed):
    """What stands behind the last @ is our domain, or one that the configuration relays."""
    domain = recipient.rstrip(">\t ").rsplit("@", 1)[-1].lower().rstrip(".")
    return domain == "a.example" or domain in relayed


class Way:
    """How the client comes, and as whom: `as_whom` is the address that counts."""

    def __init__(self, address, port, as_whom, proxied="", claimed=()):
        self.address, self.port, self.as_whom, self.proxied, self.claimed = address, port, as_whom, proxied, claimed


def ways(lab):
    """As itself, and as a front end that may say for whom it comes, and says it of strangers."""
    a, client = lab["a"], lab["client"]
    return [Way(a.ip, 25, client.ip), Way(a.ip6, 25, client.ip6), Way(a.ip, XCLIENT, client.ip),
            Way(a.ip, XCLIENT, STRANGER, claimed=[f"XCLIENT NAME=stranger.example ADDR={STRANGER}"]),
            Way(a.ip, XCLIENT, STRANGER6, claimed=[f"XCLIENT NAME=[UNAVAILABLE] ADDR=IPV6:{STRANGER6}", "XFORWARD NAME=localhost ADDR=127.0.0.1 SOURCE=LOCAL"]),
            Way(a.ip, PROXY, STRANGER, proxied=f"PROXY TCP4 {STRANGER} {a.ip} 4711 25\r\n"), Way(a.ip, PROXY, STRANGER6, proxied=f"PROXY TCP6 {STRANGER6} {a.ip6} 4711 25\r\n")]


def taken_of(lab, way, recipients):
    """Those that RCPT takes from the client, which hands a message over for them."""
    with Conversation(lab["client"].connect(way.address, way.port)) as talk:
        talk.send(way.proxied)
        assert talk.reply().startswith("220")
        assert talk.say("EHLO client.lab").startswith("250")
        for line in way.claimed:
            assert talk.say(line)[:3] == ("220" if line.startswith("XCLIENT") else "250"), line
            assert talk.say("EHLO client.lab").startswith("250")
        assert talk.say("MAIL FROM:<> SMTPUTF8").startswith("250")  # nothing comes back of what cannot be delivered
        taken = [recipient for recipient in recipients if talk.say(f"RCPT TO:{recipient}").startswith("2")]
        if taken:
            assert talk.say("DATA").startswith("354")
            assert talk.say("From: someone@w.example\r\nSubject: through\r\n\r\nhello\r\n.").startswith("2")
    return taken


def is_taken(server, settings):
    """False: the configuration is refused, and why is told."""
    server.configure(**settings)
    tested = server.run("config", "test", server.config, check=False)
    if tested.returncode != 0:
        assert "relay.networks" in tested.stdout + tested.stderr, tested
        return False
    heard = len(server.log_text())
    server.reload()
    server.wait_for_log("event=reloaded", after=heard)
    return True


def test_no_stranger_relays_through_any_configuration(lab, server, elsewhere, yes):
    draw = random.Random(5321)
    tried = refused = own = 0
    for number in range(CONFIGURATIONS):
        settings = some_settings(draw, lab)
        if not is_taken(server, settings):
            refused += 1
            continue
        for way in ways(lab):
            if is_inside(settings["relay"]["networks"], way.as_whom):
                continue
            recipients = [some_recipient(draw, lab) for _ in range(20)]
            taken = taken_of(lab, way, [*recipients, "<bob@a.example>"])
            assert taken and taken[-1] == "<bob@a.example>", (number, "ordinary mail passes")
            foreign = [recipient for recipient in taken if not is_ours(recipient, settings["relay"]["domains"])]
            assert not foreign, (number, settings, foreign)
            tried += len(recipients)
            own += len(taken) - 1
    assert tried > 1000 and refused > 0 and own > 0, (tried, refused, own)
    assert elsewhere.connections == 0, elsewhere.commands
    assert yes.asked > 100, "it was asked, and said OK"
    for target in ("caught", "redirected"):
        assert re.search(rf"event=delivered .*to={target}@{FORWARDS}", server.log_text()), f"what the configuration itself sends on goes on: {target}"
    submit(lab["client"], server.host, "by a user", f"victim@{FOREIGN}")  # what relays for users would have been seen
    wait_until(lambda: elsewhere.messages, what="a user's mail gets there")


def test_nmap_finds_nothing(lab, server):
    """The scripts that those run who look for open relays, and for whom to write to."""
    server.configure(relay={"networks": [], "domains": []}, rule=[{"name": "nothing", "stage": "connect", "score": 1}], domain=[{"name": "a.example"}], smtp={"vrfy": "off"},
                     limits={"errors": 20, "commands": 1000})
    heard = len(server.log_text())
    server.reload()
    server.wait_for_log("event=reloaded", after=heard)
    found = lab["client"].run("nmap", "-Pn", "-n", "-p25,587", "--script", "smtp-open-relay,smtp-enum-users,smtp-commands", "--script-args",
                              f"smtp-open-relay.domain={FOREIGN},smtp-enum-users.domain=a.example", lab["a"].ip, timeout=180).stdout
    assert "25/tcp  open" in found and "smtp-commands: mx.a.example" in found, found
    assert re.findall(r"smtp-open-relay: (.*)", found) == ["Server doesn't seem to be an open relay, all tests failed", "Server isn't an open relay, authentication needed"], found
    assert re.findall(r"smtp-enum-users:\s*\|_\s*(.*)", found) == ["Couldn't find any accounts", "Couldn't perform user enumeration, authentication needed"], found
