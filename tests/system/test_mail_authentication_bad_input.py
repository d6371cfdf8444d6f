"""What nobody means well by: header fields of megabytes, thousands of signatures, absurd keys, huge and looped DNS answers. Each must end as
the RFCs say, asking a bounded number of questions, in bounded time (the limits are in docs/mail-authentication.md)."""

import base64
import time

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from authentication_tools import Tools, run_lines, sign
from zone_dns import ZoneDns

DOMAIN = "a.example"
NOW = "1800000000"
SECONDS = 20  # on a loaded machine; each takes well under one on an idle one
PLAIN = b"From: anna@a.example\r\nSubject: one\r\n\r\nbody\r\n"


def public(key, form=serialization.PublicFormat.SubjectPublicKeyInfo):
    return base64.b64encode(key.public_bytes(serialization.Encoding.DER, form)).decode()


def spki(modulus, exponent):
    """A key of any size, which no library would make."""
    def der(tag, content):
        size = len(content)
        length = bytes([size]) if size < 128 else bytes([0x80 | 3]) + size.to_bytes(3, "big")
        return bytes([tag]) + length + content

    def integer(number):
        return der(2, number.to_bytes(number.bit_length() // 8 + 1, "big"))
    algorithm = der(0x30, bytes.fromhex("06092a864886f70d010101") + b"\x05\x00")
    return base64.b64encode(der(0x30, algorithm + der(3, b"\0" + der(0x30, integer(modulus) + integer(exponent))))).decode()


@pytest.fixture(scope="module")
def signed(tmp_path_factory):
    """sign(message) with the key of the selector s."""
    file = tmp_path_factory.mktemp("key") / "key.pem"
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    file.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))

    def make(message=PLAIN, **more):
        field, = sign([message], DOMAIN, "s", file, "--now", NOW, **more)
        return field + message
    make.record = f"v=DKIM1; p={public(key.public_key())}"
    return make


def signature(**tags):
    all_tags = {"v": "1", "a": "rsa-sha256", "d": DOMAIN, "s": "s", "h": "from", "bh": base64.b64encode(bytes(32)).decode(), "b": "AAAA", **tags}
    return ("DKIM-Signature: " + "; ".join(f"{name}={value}" for name, value in all_tags.items()) + "\r\n").encode()


HUGE = 5_000_000
OTHER_KEY = base64.b64encode(bytes.fromhex("30820122300d06092a864886f70d01010105000382010f00")).decode()

# name: (message from signed(), its key records, the result, a part of the reason)
DKIM = {
    "a field of megabytes": (lambda signed: signed(b"X-Huge: " + b"x" * HUGE + b"\r\n" + PLAIN), None, "pass", ""),
    "a signed field of megabytes": (lambda signed: signed(PLAIN.replace(b"one", b"x" * HUGE)), None, "pass", ""),
    "a folded field of megabytes": (lambda signed: signed(PLAIN.replace(b"one", b"x\r\n " * 500_000 + b"x")), None, "pass", ""),
    "a body line of megabytes": (lambda signed: signed(PLAIN + b"x" * HUGE), None, "pass", ""),
    "a body of white space": (lambda signed: signed(PLAIN + b" \t" * 1_000_000 + b"\r\n" * 1_000_000), None, "pass", ""),
    "200000 fields": (lambda signed: signed(b"A: b\r\n" * 200_000 + PLAIN), None, "pass", ""),
    "a DKIM-Signature of megabytes": (lambda _: b"DKIM-Signature: v=1; b=" + b"A" * HUGE + b"\r\n" + PLAIN, None, "permerror", "a= is missing"),
    "100000 tags": (lambda _: b"DKIM-Signature: v=1" + b"".join(b"; t%d=1" % n for n in range(100_000)) + b"\r\n" + PLAIN, None, "permerror", "too many tags"),
    "100000 names in h=": (lambda _: signature(h="from:" * 100_000 + "from") + PLAIN, None, "permerror", "too many fields"),
    "b= of nonsense": (lambda _: signature(b="!" * 1000) + PLAIN, None, "permerror", "b= is not base64"),
    "bh= too long": (lambda _: signature(bh="A" * 100_000) + PLAIN, None, "permerror", "bh= is no hash"),
    "t= of many digits": (lambda _: signature(t="9" * 100_000) + PLAIN, None, "permerror", "t= is no time"),
    "l= of many digits": (lambda _: signature(l="9" * 70) + PLAIN, None, "permerror", "l= is no length"),
    "d= too long": (lambda _: signature(d="a." * 200 + "example") + PLAIN, None, "permerror", "d= is no domain name"),
    "d= and s= too long together": (lambda _: signature(d="a." * 100 + "example", s="b." * 100 + "c") + PLAIN, None, "permerror", "longer than a name can be"),
    "d= with octets of no name": (lambda _: signature(d="a\x01.example") + PLAIN, None, "permerror", ""),
    "NUL octets": (lambda signed: signed(PLAIN.replace(b"body", b"bo\0dy")).replace(b"one", b"o\0ne"), None, "fail", "signature did not verify"),
    "a line that is no field": (lambda signed: signed().replace(b"Subject", b"no field here\r\nSubject"), None, "permerror", "a line that is no field"),
    "two From fields, one signed": (lambda signed: b"From: mallory@b.example\r\n" + signed(h="from:subject"), None, "policy", "a From field is not signed"),
    "two From fields, one added": (lambda signed: b"From: mallory@b.example\r\n" + signed(), None, "fail", "signature did not verify"),
    "no From": (lambda signed: signed().replace(b"From:", b"Form:"), None, "fail", "signature did not verify"),
    "a key of 512 bits": (lambda signed: signed(), [f"p={spki((1 << 511) + 1, 65537)}"], "fail", "an RSA key of 512 bits"),
    "a key of 12000 bits": (lambda signed: signed(), [f"p={spki((1 << 11999) + 1, 65537)}"], "permerror", ""),
    "a key of 200000 bits": (lambda signed: signed(), [f"p={spki((1 << 199999) + 1, 65537)}"], "permerror", ""),
    "a key with a long exponent": (lambda signed: signed(), [f"p={spki((1 << 2047) + 1, (1 << 2000) + 1)}"], "permerror", ""),
    "a key that is zero": (lambda signed: signed(), [f"p={spki(0, 65537)}"], ("permerror", "fail"), ""),
    "a key cut off": (lambda signed: signed(), [f"p={OTHER_KEY}"], "permerror", ""),
    "a key of nonsense": (lambda signed: signed(), ["p=" + "A" * 60_000], "permerror", ""),
    "a key that is not base64": (lambda signed: signed(), ["p=@@@@"], "permerror", "p= is not base64"),
    "a key record of 10000 tags": (lambda signed: signed(), ["v=DKIM1; " + "".join(f"t{n}=;" for n in range(8000)) + "p="], "permerror", "too many tags"),
    "octets over 127 in a key record": (lambda signed: signed(), [b"v=DKIM1; p=\xff\xfe"], "permerror", "p= is not base64"),
    "a control character in a key record": (lambda signed: signed(), [b"v=DKIM1; p=AAAA\x07"], "permerror", "control characters"),
    "another record beside the key's": (lambda signed: signed(), ["v=spf1 -all", None], "pass", ""),
    "the key as one of four": (lambda signed: signed(), [f"n={n}; p=" for n in range(3)] + [None], "pass", ""),
    "the key behind others": (lambda signed: signed(), [f"n={n}; p=" for n in range(20)] + [None], ("permerror", "pass"), ""),  # DNS keeps no order
    "500 key records": (lambda signed: signed(), [f"n={n}; p=" for n in range(500)], "permerror", "key revoked"),
    "no record": (lambda signed: signed(), [], "permerror", "no key for signature"),
    "a name that leads to itself": (lambda signed: signed(), "loop", ("temperror", "permerror"), ""),
}


def key_zone(records, own):
    name = f"s._domainkey.{DOMAIN}"
    if records == "loop":
        return {name: [("CNAME", "x.example")], "x.example": [("CNAME", name)]}
    # Strings of odd length: what a record says does not depend on where it is cut.
    found = [own if record is None else record for record in (records if records is not None else [None])]
    return {name: [("TXT", record) for record in found]}


@pytest.mark.parametrize("name", DKIM)
def test_dkim(name, signed):
    build, records, result, reason = DKIM[name]
    with Tools({}, now=NOW) as tools:
        tools.server.zone = key_zone(records, signed.record)
        message = build(signed)
        begin = time.monotonic()
        answer, = tools.dkim([message])
        assert time.monotonic() - begin < SECONDS
        first = answer["signatures"][0]
        assert first["result"] in ([result] if isinstance(result, str) else result), first
        assert reason in first["reason"], first


def test_of_many_signatures_ten_are_looked_at(signed):
    message = b"".join(signature(s=f"s{number}") for number in range(5000)) + signed()
    with Tools({}, now=NOW) as tools:
        answer, = tools.dkim([message])
        assert [each["result"] for each in answer["signatures"]] == ["permerror"] * 10 + ["neutral"]
        assert answer["signatures"][10]["reason"] == "4991 more signatures were not looked at"
        assert len({name for name, _ in tools.server.asked}) == 10


ARC_FIELDS = b"ARC-Seal: i=%d; a=rsa-sha256; cv=none; d=a.example; s=s%d; b=AAAA\r\nARC-Message-Signature: i=%d; a=rsa-sha256; d=a.example; s=t%d; h=from; bh=" \
    + base64.b64encode(bytes(32)) + b"; b=AAAA\r\nARC-Authentication-Results: i=%d; a.example; none\r\n"

# name: (message, questions at most, reason)
ARC = {
    "5000 sets": (b"".join(ARC_FIELDS % ((n,) * 5) for n in range(1, 5001)) + PLAIN, 0, "an ARC field without an instance from 1 to 50"),
    "one set 5000 times": (ARC_FIELDS % ((1,) * 5) * 5000 + PLAIN, 0, "an ARC set has a field twice"),
    "50 sets without keys": (b"".join(ARC_FIELDS.replace(b"cv=none", b"cv=pass" if n > 1 else b"cv=none") % ((n,) * 5) for n in range(1, 51)) + PLAIN, 100, ""),
    "an instance of many digits": (b"ARC-Seal: i=" + b"1" * HUGE + b"; cv=none\r\n" + PLAIN, 0, "an ARC field without an instance from 1 to 50"),
    "comments a million deep": (b"ARC-Authentication-Results: " + b"(" * 1_000_000 + b"i=1; a.example; none\r\n" + PLAIN, 0, "an ARC field without an instance from 1 to 50"),
}


@pytest.mark.parametrize("name", ARC)
def test_arc(name):
    message, most, reason = ARC[name]
    with Tools({}, now=NOW) as tools:
        begin = time.monotonic()
        answer, = tools.arc([message])
        assert time.monotonic() - begin < SECONDS
        assert answer["result"] == "fail" and reason in answer["reason"], answer
        assert len({asked for asked, _ in tools.server.asked}) <= most


def include_tree(fanout):
    return {f"n{number}.example": [("TXT", "v=spf1 " + " ".join(f"include:n{number * fanout + child}.example" for child in range(1, fanout + 1)) + " -all")] for number in range(400)}


# name: (zone, sender's domain, result, questions at most)
SPF = {
    "a record that includes itself": ({"e.example": [("TXT", "v=spf1 include:e.example -all")]}, "e.example", "permerror", 12),
    "a record that redirects to itself": ({"e.example": [("TXT", "v=spf1 redirect=e.example")]}, "e.example", "permerror", 12),
    "two that include each other": ({"e.example": [("TXT", "v=spf1 include:f.example")], "f.example": [("TXT", "v=spf1 include:e.example")]}, "e.example", "permerror", 12),
    "a tree of includes": (include_tree(3), "n0.example", "permerror", 12),
    "a name that leads to itself": ({"e.example": [("CNAME", "f.example")], "f.example": [("CNAME", "e.example")]}, "e.example", ("temperror", "none"), 4),
    "two records": ({"e.example": [("TXT", "v=spf1 -all"), ("TXT", "v=spf1 +all")]}, "e.example", "permerror", 2),
    "300 records": ({"e.example": [("TXT", f"v=spf1 ip4:10.0.{n % 256}.1 -all") for n in range(300)]}, "e.example", "permerror", 2),
    "a record of 60000 octets": ({"e.example": [("TXT", "v=spf1 " + "ip4:10.1.2.3 " * 4600 + "-all")]}, "e.example", "fail", 2),
    "a record of 60000 octets of look-ups": ({"e.example": [("TXT", "v=spf1 " + "a:x.example " * 5000 + "-all")]}, "e.example", "permerror", 12),
    "octets over 127": ({"e.example": [("TXT", "v=spf1 a:b\u00fccher.example -all")]}, "e.example", "permerror", 2),
    "control characters": ({"e.example": [("TXT", b"v=spf1 a:\x01.example -all")]}, "e.example", "permerror", 2),
    "300 mail exchangers": ({"e.example": [("TXT", "v=spf1 mx -all")] + [("MX", (n, f"m{n}.example")) for n in range(300)]}, "e.example", "permerror", 13),
    "300 reverse names": ({"e.example": [("TXT", "v=spf1 ptr -all")], "9.113.0.203.in-addr.arpa": [("PTR", f"m{n}.example") for n in range(300)]}, "e.example", "fail", 13),
    "a macro that grows": ({"e.example": [("TXT", "v=spf1 exists:" + "%{s}." * 200 + "e.example -all")]}, "e.example", "fail", 4),
    "a sender of a megabyte": ({"e.example": [("TXT", "v=spf1 exists:%{l}.e.example -all")]}, "x" * 1_000_000 + ".example", "none", 1),
}


@pytest.mark.parametrize("name", SPF)
def test_spf(name):
    zone, domain, result, most = SPF[name]
    server = ZoneDns(zone)
    try:
        begin = time.monotonic()
        answer, = run_lines("spf", [{"id": 1, "ip": "203.0.113.9", "helo": "h.example", "mailfrom": f"a@{domain}"}], "--resolver", server.address)
        assert time.monotonic() - begin < SECONDS
        assert answer["result"] in ([result] if isinstance(result, str) else result), answer
        assert len(set(server.asked)) <= most, server.asked
    finally:
        server.close()


# name: (zone, question, result)
DMARC = {
    "several From": ({}, {"headerFrom": ["a@a.example", "b@b.example"]}, "none"),
    "no From": ({}, {}, "none"),
    "an empty From": ({}, {"headerFrom": ""}, "none"),
    "a From of megabytes": ({}, {"headerFrom": "a@" + "b" * HUGE}, "none"),
    "200000 addresses": ({}, {"headerFrom": ", ".join(f"a{n}@d{n}.example" for n in range(200_000))}, "none"),
    "comments a million deep": ({}, {"headerFrom": "(" * 1_000_000 + "a@a.example"}, "none"),
    "a domain of 120 labels": ({}, {"headerFrom": "a@" + "b." * 120 + "example"}, "none"),
    "two records": ({"_dmarc.a.example": [("TXT", "v=DMARC1; p=reject"), ("TXT", "v=DMARC1; p=none")]}, {"headerFrom": "a@a.example"}, "none"),
    "500 other records": ({"_dmarc.a.example": [("TXT", f"v=spf1 ip4:10.0.0.{n % 256}") for n in range(500)] + [("TXT", "v=DMARC1; p=reject")]}, {"headerFrom": "a@a.example"}, "fail"),
    "a record of 60000 octets": ({"_dmarc.a.example": [("TXT", "v=DMARC1; p=reject; " + "x=y; " * 12_000)]}, {"headerFrom": "a@a.example"}, ("fail", "permerror", "none")),
    "60000 octets of report addresses": ({"_dmarc.a.example": [("TXT", "v=DMARC1; p=reject; rua=" + "mailto:a@b.example," * 3_000)]}, {"headerFrom": "a@a.example"}, "fail"),
    "octets over 127": ({"_dmarc.a.example": [("TXT", b"v=DMARC1; p=reject; x=\xff")]}, {"headerFrom": "a@a.example"}, ("fail", "permerror", "none")),
    "a name that leads to itself": ({"_dmarc.a.example": [("CNAME", "_dmarc.b.example")], "_dmarc.b.example": [("CNAME", "_dmarc.a.example")]}, {"headerFrom": "a@a.example"}, ("temperror", "none")),
    "5000 domains that passed": ({"_dmarc.a.example": [("TXT", "v=DMARC1; p=reject")]}, {"headerFrom": "a@a.example", "dkimDomains": [f"b{n}.d{n}.example" for n in range(40)]}, "fail"),
}


@pytest.mark.parametrize("name", DMARC)
def test_dmarc(name):
    zone, question, result = DMARC[name]
    server = ZoneDns(zone)
    try:
        begin = time.monotonic()
        answer, = run_lines("dmarc", [question], "--resolver", server.address)
        assert time.monotonic() - begin < SECONDS
        assert answer["status"]["result"] in ([result] if isinstance(result, str) else result), answer
        assert all(question.count(".") < 9 for question, _ in server.asked if question.startswith("_dmarc.b.b"))
    finally:
        server.close()
