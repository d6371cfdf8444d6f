"""The examples of the RFCs, in tests/vectors, against the tools."""

import base64
import json
import pathlib
import subprocess

import pytest

from authentication_tools import run_lines
from thurn import BINARY

VECTORS = pathlib.Path(__file__).resolve().parents[1] / "vectors"


def lines(path):
    return [line for line in path.read_text().splitlines() if line and not line.startswith("#")]


def read_zone(path):
    zone = {}
    for name, kind, value in (line.split(" ", 2) for line in lines(path)):
        if kind == "MX":
            preference, host = value.split()
            value = (int(preference), host)
        zone.setdefault(name, []).append((kind, value))
    return zone


@pytest.mark.parametrize("name", ["rfc6376-appendix-a", "rfc8463-appendix-a"])
def test_signed_messages(name, serve):
    folder = VECTORS / name
    server = serve(read_zone(folder / "dns"))

    def verify(message):
        return subprocess.run([BINARY, "tool", "dkim-verify", "--resolver", server.address], input=message, stdout=subprocess.PIPE, check=True, timeout=60).stdout.decode()
    message = (folder / "message").read_bytes()
    assert verify(message) == (folder / "expected").read_text()
    assert verify(message.replace(b"hungry", b"thirsty")).startswith("fail\n")
    assert verify(message.replace(b"Subject: Is", b"Subject: Was")).startswith("fail\n")


def test_chain_of_512_bit_keys(serve):
    """Its keys are not published: a key of ours shows that it is the signature that fails, and not the hash of the body."""
    folder = VECTORS / "rfc8617-appendix-b"
    message = (folder / "message").read_bytes()

    def tool(name, zone, content=message):
        command = [BINARY, "tool", name, "--resolver", serve(zone).address]
        return subprocess.run(command, input=content, stdout=subprocess.PIPE, check=True, timeout=60).stdout.decode()
    zone = {"clochette._domainkey.clochette.example.org": [("TXT", f"v=DKIM1; k=rsa; p={rsa_public_key(1024)}")]}
    short = {"clochette._domainkey.clochette.example.org": [("TXT", f"v=DKIM1; k=rsa; p={rsa_public_key(512)}")]}
    assert tool("arc-verify", {}) == (folder / "expected").read_text()
    assert tool("arc-verify", zone).startswith("fail\nmessage signature 3: signature did not verify\n")
    assert tool("arc-verify", zone, message.replace(b"gang", b"all")).startswith("fail\nmessage signature 3: body hash did not verify\n")
    assert tool("arc-verify", short).splitlines()[1] == "message signature 3: an RSA key of 512 bits"
    assert "rsa-sha1" in tool("dkim-verify", {}).splitlines()[1]


def rsa_public_key(bits):
    key = subprocess.run(["openssl", "genrsa", str(bits)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout
    return base64.b64encode(subprocess.run(["openssl", "rsa", "-pubout", "-outform", "DER"], input=key, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout).decode()


def test_spf_examples(serve):
    zone = read_zone(VECTORS / "rfc7208-appendix-a" / "dns")
    server, wrong, count = None, [], 0
    for line in lines(VECTORS / "rfc7208-appendix-a" / "checks"):
        if line.startswith("record "):
            _, domain, text = line.split(" ", 2)
            zone[domain] = [record for record in zone[domain] if record[0] != "TXT"] + [("TXT", text)]
            server = serve(zone)
            continue
        ip, sender, expected = line.split()
        answer, = run_lines("spf", [{"ip": ip, "helo": "mail.example.com", "mailfrom": sender}], "--resolver", server.address)
        count += 1
        if answer["result"] != expected:
            wrong.append((line, zone["example.com"][-1], answer))
    assert not wrong
    assert count > 40


def test_dmarc_examples(serve):
    server = serve(read_zone(VECTORS / "rfc9989-examples" / "dns"))
    checks = [line.split(" | ") for line in lines(VECTORS / "rfc9989-examples" / "checks")]
    answers = run_lines("dmarc", [json.loads(question) for question, _, _ in checks], "--resolver", server.address)
    told = [" ".join((answer["status"]["result"], answer["policy"] or "-", answer["domain"])) for answer in answers]
    wrong = [(question, expected, why, got) for (question, expected, why), got in zip(checks, told) if got != expected]
    assert not wrong


@pytest.mark.parametrize("line", lines(VECTORS / "rfc9989-examples" / "walk"), ids=lambda line: line.partition(":")[0])
def test_dmarc_walks(line, serve):
    domain, _, names = line.partition(": ")
    server = serve({})
    answer, = run_lines("dmarc", [{"headerFrom": f"a@{domain}", "dkimDomains": [domain]}], "--resolver", server.address)
    assert answer["status"]["result"] == "none"
    asked = {name for name, _ in server.asked if name.startswith("_dmarc.")}
    assert asked == set(names.split())


def test_aggregate_report():
    folder = VECTORS / "rfc9990-sample"
    message = b"From: r@example-reporter.com\r\nMIME-Version: 1.0\r\nContent-Type: text/xml\r\n\r\n" + (folder / "report.xml").read_bytes().replace(b"\n", b"\r\n")
    told = subprocess.run([BINARY, "tool", "report"], input=message, stdout=subprocess.PIPE, check=True, timeout=60).stdout
    assert json.loads(told) == json.loads((folder / "expected").read_text())
