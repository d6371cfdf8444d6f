"""Listeners for others than ordinary clients: LMTP, load balancers, mail proxies; and what clients may ask beside sending mail."""

import smtplib
import stat

import pytest
from clients import converse, make_message, send_on, smtp
from lab import run
from peers import Postfix
from scripted import ScriptedPeer
from thurn import PASSWORD, message_id

HAPROXY = """
global
    log stdout format raw local0
defaults
    mode tcp
    timeout connect 5s
    timeout client 30s
    timeout server 30s
{sections}
"""


@pytest.fixture(scope="module")
def server(lab, make_thurn):
    client, balancer = f"{lab['client'].ip}/32", lab["b"].ip
    return make_thurn(
        "a",
        listener=[{"bind": ["0.0.0.0:25", "[::]:25"], "role": "mx", "xclient_from": [lab["client"].ip], "xforward_from": [balancer]},
                  {"bind": ["0.0.0.0:587", "[::]:587"], "role": "submission"},
                  {"bind": ["0.0.0.0:465", "[::]:465"], "role": "submission", "tls": "implicit"},
                  {"bind": ["0.0.0.0:24"], "role": "lmtp", "networks": [client, balancer], "xforward_from": [balancer]},
                  {"bind": ["0.0.0.0:2525"], "role": "mx", "proxy_protocol_from": [balancer]},
                  {"bind": ["0.0.0.0:4465"], "role": "submission", "tls": "implicit", "proxy_protocol_from": [balancer]}],
        relay={"networks": [balancer, client], "domains": ["down.example"]},
        smtp={"vrfy": "on", "expn": "authenticated"},
        login_protection={"failures": 5, "window": "1h", "delay": "1s"},
        queue={"retry": ["1h"]})


@pytest.fixture(scope="module")
def client(lab):
    return lab["client"]


@pytest.fixture(scope="module")
def balancer(lab, server):
    """HAProxy on the host b: port 2501 speaks version 1 to our mx, 2502 version 2 with a checksum, 2465 version 2 before TLS."""
    ways = {2501: (2525, "send-proxy"), 2502: (2525, "send-proxy-v2 proxy-v2-options crc32c"), 2465: (4465, "send-proxy-v2"), 2503: (25, "send-proxy")}
    sections = "".join(f"listen to{port}\n    bind *:{port}\n    server thurn {server.host.ip}:{to} {how}\n" for port, (to, how) in ways.items())
    folder = lab.folder / "haproxy"
    folder.mkdir()
    (folder / "haproxy.cfg").write_text(HAPROXY.format(sections=sections))
    process = lab["b"].start("haproxy", "-db", "-f", folder / "haproxy.cfg", log=folder / "log")
    for port in ways:
        lab["b"].wait_for_port(port, process=process)
    yield lab["b"]
    process.terminate()
    process.wait(10)


def accepted(server, subject_id):
    return server.wait_for_log(f"event=accepted.*id={subject_id}.*").group()


# LMTP

def test_lmtp_client_gets_a_reply_for_each_recipient(client, server):
    said = client.run("swaks", "--protocol", "LMTP", "--server", server.host.ip, "--port", "24", "--from", "someone@b.example", "--helo", "client.lab",
                      "--to", "alice@a.example,nobody@a.example,bob@a.example", "--header", "Subject: by lmtp", check=False).stdout
    assert said.count("<-  250 2.0.0 queued as ") == 2 and "550 5.1.1" in said, said
    for user in ("alice", "bob"):
        assert "with LMTP" in server.wait_for_mail(f"{user}@a.example", "by lmtp")["Received"]


def test_lmtp_neither_relays_nor_talks_to_strangers(lab, client, server):
    with converse(client, server.host, 24) as talk:
        assert talk.say("LHLO client.lab").startswith("250")
        talk.say("MAIL FROM:<alice@a.example>")
        assert talk.say("RCPT TO:<box@p.example>").startswith("550 5.7.1")
        assert talk.say("RCPT TO:<box@down.example>").startswith("550 5.7.1")
    with converse(lab["exim"], server.host, 24, greeted=False) as talk:
        assert talk.reply().startswith("554 5.7.1")


def test_lmtp_over_a_local_socket(lab, make_thurn):
    path = lab.folder / "lmtp-of-thurn"
    server = make_thurn("b", listener=[{"bind": [f"unix:{path}"], "role": "lmtp", "tls": "off", "socket_mode": "0600"}])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with smtplib.LMTP(str(path)) as client:
        client.ehlo("client.lab")
        client.mail("carol@far.example")
        assert [client.rcpt(user)[0] for user in ("alice@b.example", "nobody@b.example", "carol@far.example", "bob@b.example")] == [250, 550, 550, 250]
        code, reply = client.data(make_message("by a local socket", sender="carol@far.example", to="alice@b.example").as_string())
        assert code == 250 and client.getreply()[0] == 250, "a reply for each of the two"
    for user in ("alice", "bob"):
        mail = server.wait_for_mail(f"{user}@b.example", "by a local socket")
        assert "with LMTP" in mail["Received"] and "[" not in mail["Received"].split(" by ")[0], "no address where there is none"
    done = run("swaks", "--protocol", "LMTP", "--socket", path, "--from", "carol@far.example", "--to", "alice@b.example", "--header", "Subject: by swaks")
    assert "250 2." in done.stdout
    server.wait_for_mail("alice@b.example", "by swaks")
    server.stop()
    assert not path.exists()


# Load balancers

@pytest.mark.parametrize("port", [2501, 2502])
def test_client_behind_haproxy_is_seen(client, server, balancer, port):
    with smtp(client, balancer, port) as session:
        identifier = message_id(send_on(session, make_message(f"through {port}"), "someone@b.example", ["bob@a.example"]))
    received = server.wait_for_mail("bob@a.example", f"through {port}")["Received"]
    assert f"[{client.ip}]" in received and balancer.ip not in received
    assert f"client={client.ip} " in accepted(server, identifier)
    story = server.wait_for_trace(identifier, "by PROXY")
    assert client.ip in story and balancer.ip in story


def test_postfix_behind_haproxy_is_seen(client, server, balancer):
    transports = "{a.example = smtp:[%s]:2502}" % balancer.ip
    peer = Postfix(client, "c.example", {"transport_maps": f"inline:{{ {transports} }}", "smtp_tls_security_level": "encrypt"}).start()
    try:
        with smtp(client, client) as session:
            send_on(session, make_message("by Postfix"), "someone@c.example", ["bob@a.example", "alice@a.example"])
        received = server.wait_for_mail("bob@a.example", "by Postfix").get_all("Received")[0]
        assert f"[{client.ip}]" in received and "with ESMTPS" in received and balancer.ip not in received
        assert f"client={client.ip} " in accepted(server, message_id(received))
    finally:
        peer.stop()


def test_clients_of_haproxy_do_not_share_its_rights(lab, balancer):
    with converse(lab["exim"], balancer, 2501) as talk:
        talk.say("EHLO stranger.lab")
        talk.say("MAIL FROM:<someone@b.example>")
        assert talk.say("RCPT TO:<box@p.example>").startswith("550 5.7.1"), "the load balancer is in relay.networks, its client is not"


def test_submission_through_haproxy_under_implicit_tls(client, server, balancer):
    with smtp(client, balancer, 2465, "implicit", "alice@a.example") as session:
        send_on(session, make_message("submitted through 2465"), "alice@a.example", ["bob@a.example"])
    assert f"[{client.ip}]" in server.wait_for_mail("bob@a.example", "submitted through 2465")["Received"]
    assert server.wait_for_log(f"event=auth .*client={client.ip}.*listener=submissions.*result=ok")


def test_load_balancer_must_speak_the_protocol_and_others_must_not(lab, client, server, balancer):
    with converse(lab["b"], server.host, 2525, greeted=False) as talk:
        talk.send("EHLO b.lab\r\n")
        assert talk.reply() == ""
    server.wait_for_log(f"event=proxy_refused.*client={lab['b'].ip}")
    with converse(client, balancer, 2503, greeted=False) as talk:  # HAProxy speaks it to port 25, which did not ask for it
        assert "421 4.7.0" in talk.reply() + talk.reply()
    with converse(client, server.host, 2525) as talk:
        assert talk.say("PROXY TCP4 192.0.2.1 192.0.2.2 1 2").startswith("421 4.7.0")
        assert talk.reply() == ""


# XCLIENT and XFORWARD

def test_xclient_makes_the_connection_anothers(client, server):
    with converse(client, server.host) as talk:
        assert "XCLIENT NAME ADDR" in talk.say("EHLO proxy.lab")
        assert talk.say("XCLIENT NAME=far.example ADDR=203.0.113.9 PORT=4711 HELO=far.example").startswith("220 ")
        talk.say("EHLO proxy.lab")
        talk.say("MAIL FROM:<someone@b.example>")
        assert talk.say("RCPT TO:<box@p.example>").startswith("550 5.7.1"), "the proxy may relay, that client may not"
        talk.say("RCPT TO:<bob@a.example>")
        talk.say("DATA")
        identifier = message_id(talk.say("From: someone@b.example\r\nSubject: by xclient\r\n\r\nHello.\r\n."))
        assert talk.say(f"XCLIENT ADDR={client.ip} LOGIN=alice@a.example").startswith("220 ")
        talk.say("EHLO proxy.lab")
        assert talk.say("MAIL FROM:<bob@a.example>").startswith("553 5.7.1"), "it is that login, with its addresses"
    assert "from far.example (far.example [203.0.113.9])" in " ".join(server.wait_for_mail("bob@a.example", "by xclient")["Received"].split())
    assert "by XCLIENT" in server.wait_for_trace(identifier, "203.0.113.9:4711")


def test_xclient_and_xforward_are_for_those_who_are_listed(lab, server):
    with converse(lab["exim"], server.host) as talk:
        hello = talk.say("EHLO stranger.lab")
        assert "XCLIENT" not in hello and "XFORWARD" not in hello
        assert talk.say("XCLIENT ADDR=127.0.0.1 LOGIN=alice@a.example").startswith("500 ")
        assert talk.say("XFORWARD ADDR=127.0.0.1").startswith("500 ")


def test_postfix_tells_by_xforward_and_by_lmtp(lab, client, server):
    transports = "{bob@a.example = lmtp:inet:[%s]:24}, {alice@a.example = smtp:[%s]:25}" % (server.host.ip, server.host.ip)
    peer = Postfix(lab["b"], "b.example", {"transport_maps": f"inline:{{ {transports} }}", "smtp_send_xforward_command": "yes", "lmtp_send_xforward_command": "yes"}).start()
    try:
        with smtp(client, lab["b"]) as session:
            send_on(session, make_message("filtered"), "someone@b.example", ["bob@a.example", "alice@a.example"])
        for user, protocol in (("alice", "ESMTP"), ("bob", "LMTP")):
            received = server.wait_for_mail(f"{user}@a.example", "filtered").get_all("Received")[0]
            identifier = message_id(received)
            assert f"with {protocol}" in received
            assert f"forwarded_client={client.ip} forwarded_id=" in accepted(server, identifier)
            story = server.wait_for_trace(identifier, "forwarded for")
            assert f"client.lab [{client.ip}]" in story
    finally:
        peer.stop()


# VRFY, EXPN, ETRN

def test_vrfy_and_expn_as_configured(client, server):
    server.cli("alias", "add", "team@a.example", "alice@a.example", "bob@a.example")
    with converse(client, server.host) as talk:
        assert "\n250-VRFY" in talk.say("EHLO client.lab")
        assert talk.say("VRFY alice@a.example") == "250 2.1.5 <alice@a.example>"
        assert talk.say("VRFY nobody@a.example").startswith("550 5.1.1")
        assert talk.say("VRFY box@p.example").startswith("252 ")
        assert talk.say("EXPN team@a.example").startswith("502 ")
    with smtp(client, server.host, 587, "starttls", "alice@a.example") as session:
        code, text = session.expn("team@a.example")
        assert code == 250 and b"<alice@a.example>" in text and b"<bob@a.example>" in text


def test_etrn_sends_what_waits_for_a_relayed_domain(lab, client, server):
    with smtp(client, server.host) as session:
        identifier = message_id(send_on(session, make_message("backed up"), "someone@b.example", ["someone@down.example"]))
    server.wait_for_log(f"event=deferred id={identifier}|id={identifier}.*event=deferred")
    peer = ScriptedPeer(lab["dead"])
    try:
        with converse(client, server.host) as talk:
            assert "\n250-ETRN" in talk.say("EHLO client.lab")
            assert talk.say("ETRN p.example").startswith("459 ")
            assert talk.say("ETRN down.example").startswith("250 2.0.0")
            assert talk.say("ETRN down.example").startswith("458 ")
        assert "backed up" in peer.wait_for_messages(1)[0].content.decode()
    finally:
        peer.close()
    with converse(lab["exim"], server.host) as talk:
        assert "ETRN" not in talk.say("EHLO stranger.lab")


# Guessing passwords

def test_guessing_is_slowed_down_and_cut(lab, client, server):
    guesser, guesses = lab["exim"], []
    for _ in range(5):
        with smtp(guesser, server.host, 465, "implicit") as session:
            code, _ = session.docmd("AUTH", "PLAIN AG5vYm9keUBhLmV4YW1wbGUAd3Jvbmc=")
            guesses.append(code)
    assert guesses == [535] * 5
    with converse(guesser, server.host, 587, greeted=False) as talk:
        assert talk.reply().startswith("421 4.7.0 too many failed logins from your address")
    assert "ms=" in server.wait_for_log("event=auth_delayed.*login=nobody@a.example.*").group()
    server.wait_for_log(f"event=banned .*client={guesser.ip} .*subject={guesser.ip} .*count=5 until=")
    with smtp(client, server.host, 465, "implicit", "alice@a.example", PASSWORD) as session:
        assert session.noop()[0] == 250, "others log in as ever"
