"""Each time limit has a key of its own: with only that one short, a host that hangs at its very step is given up on, and a client too."""

import socket
import time

import pytest
from clients import converse, make_message, send_on, smtp
from lab import wait_until
from scripted import HANG, ScriptedPeer
from thurn import message_id

LONG = "60s"
KEYS = ["connect_timeout", "greeting_timeout", "hello_timeout", "mail_timeout", "rcpt_timeout", "data_timeout", "content_timeout", "ending_timeout", "command_timeout"]
PORTS = {key: port for port, key in enumerate(KEYS, start=2600)}
STARTTLS = "250-scripted.lab\r\n250-PIPELINING\r\n250 STARTTLS"


def deaf(reader):
    """Takes nothing of the content."""
    time.sleep(8)


class Deaf(ScriptedPeer):
    _read_content = staticmethod(deaf)


# key → how the peer hangs, and what the outcome says of it
STEPS = {
    "greeting_timeout": ({"greeting": HANG}, "silent"),
    "hello_timeout": ({"EHLO": HANG}, "silent"),
    "mail_timeout": ({"MAIL": HANG}, "silent in the envelope"),
    "rcpt_timeout": ({"RCPT": HANG}, "silent in the envelope"),
    "data_timeout": ({"DATA": HANG}, "silent in the envelope"),
    "content_timeout": ({}, "silent"),
    "ending_timeout": ({"content": HANG}, "silent after the final dot"),
    "command_timeout": ({"EHLO": STARTTLS, "STARTTLS": HANG}, "silent"),
}


@pytest.fixture(scope="module")
def server(lab, make_thurn):
    nobody = "10.77.0.250"
    routes = [{"recipient_domain": f"{key.replace('_', '-')}.case", "next_hop": f"smtp://{nobody if key == 'connect_timeout' else lab['faulty'].ip}:{port}"} for key, port in PORTS.items()]
    return make_thurn("a", relay={"networks": [f"{lab['client'].ip}/32"]}, route=routes, outbound=dict.fromkeys(KEYS, LONG), queue={"retry": ["1h"]})


def first_attempt(server, identifier):
    return wait_until(lambda: next((event for event in server.json("trace", identifier) if event["event"] == "attempted"), None), 6, lambda: server.trace(identifier))


def send(lab, server, key, octets):
    with smtp(lab["client"], server.host) as session:
        return message_id(send_on(session, octets, "alice@a.example", [f"x@{key.replace('_', '-')}.case"]))


@pytest.mark.parametrize("key", KEYS)
def test_only_the_step_of_the_key_ends_early(lab, server, key):
    """With all others at a minute: who hangs at this step is given up on within a few seconds (RFC 5321 §4.5.3.2)."""
    answers, said = STEPS.get(key, ({}, ""))
    server.configure(outbound={**dict.fromkeys(KEYS, LONG), key: "1s"})
    logged = len(server.log_text())
    server.reload()
    server.wait_for_log("event=reloaded", after=logged)
    peer = (Deaf if key == "content_timeout" else ScriptedPeer)(lab["faulty"], PORTS[key], **answers)
    try:
        octets = b"Subject: x\r\n\r\n" + (b"x" * 98 + b"\r\n") * (300_000 if key == "content_timeout" else 1)
        identifier = send(lab, server, key, octets)
        attempt = first_attempt(server, identifier)
        status = wait_until(lambda: next((event["status"] for event in server.json("trace", identifier) if event["event"] == "settled"), None), 6)
        assert status.startswith("451 4.4.") and said in status, status
        assert "connection failed" in str(attempt) or "deferred" in str(attempt), attempt
        assert not peer.messages
    finally:
        peer.close()
        server.cli("queue", "delete", identifier)


@pytest.mark.parametrize("short", ["command_timeout", "content_timeout"])
def test_client_that_is_silent_is_told_so(lab, make_thurn, short):
    """Between commands the one limit counts, within content the other; a chunk is content, too."""
    other = make_thurn("b", limits={"command_timeout": LONG, "content_timeout": LONG, short: "1s"})
    envelope = ["EHLO client.lab", "MAIL FROM:<x@elsewhere.example>", "RCPT TO:<bob@b.example>"]
    silences = {"greeted": [], "in the envelope": envelope, "in content": [*envelope, "DATA"], "in a chunk": [*envelope, "BDAT 100\r\nx"]}
    for place, lines in silences.items():
        ends = place.startswith("in a chunk") or place.startswith("in content")
        with converse(lab["client"], other.host) as talk:
            for line in lines:
                if line.startswith("BDAT"):
                    talk.send(line)
                else:
                    assert talk.say(line)[0] in "23", line
            talk.socket.settimeout(3)
            if ends == (short == "content_timeout"):
                assert talk.reply().startswith("421 4.4.2"), place
            else:
                with pytest.raises((TimeoutError, socket.timeout)):
                    talk.socket.recv(100)
