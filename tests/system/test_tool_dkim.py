"""`thurn tool dkim-*`, `arc-*` and `thurn dkim` beside dkimpy, an implementation that shares nothing with ours, both ways, keys from a real DNS server."""

import base64
import importlib
import pathlib
import random
import re
import stat
import subprocess

import pytest
from thurn import BINARY

DOMAIN = "signed.example"
SELECTORS = ("s1", "s1-ed25519")


@pytest.fixture(scope="module")
def dkim():
    return importlib.import_module("dkim")  # install-peers brings it


@pytest.fixture(scope="module")
def keys(lab, tmp_path_factory):
    """Keys thurn made, a zone with the lines it printed, and a server that has them; the zone's lines by name for dkimpy."""
    folder = tmp_path_factory.mktemp("dkim")
    config = folder / "thurn.toml"
    config.write_text(f'hostname = "mx.{DOMAIN}"\ndata_dir = "{folder}/data"\nallow_root = true\n')
    made = subprocess.run([BINARY, "dkim", "generate", DOMAIN, "--config", config], stdout=subprocess.PIPE, text=True, check=True, timeout=60)
    lines = made.stdout.splitlines()
    again = subprocess.run([BINARY, "dkim", "dns", DOMAIN, "--config", config], stdout=subprocess.PIPE, text=True, check=True, timeout=20)
    assert sorted(lines) == sorted(again.stdout.splitlines()) and len(lines) == 2
    return Keys(lab, folder / "data" / "keys", lines)


class Keys:
    def __init__(self, lab, folder, lines):
        self.lab, self.folder, self.lines = lab, folder, lines
        self.texts = {line.split(" ", 1)[0]: b"".join(part.encode() for part in re.findall(r'"([^"]*)"', line)) for line in lines}
        host = lab["dead"]  # nothing else listens there
        self.resolver = f"{host.ip}:5353"
        zone = folder / "zone"
        zone.write_text("$TTL 60\n. IN SOA ns.lab. nobody.lab. 1 3600 600 86400 5\n. IN NS ns.lab.\n" + "\n".join(lines) + "\n")
        config = folder / "unbound.conf"
        config.write_text(f"""
server:
    interface: {host.ip}
    port: 5353
    access-control: 0.0.0.0/0 allow
    do-daemonize: no
    username: ""
    chroot: ""
    pidfile: ""
    use-syslog: no
    module-config: "iterator"
remote-control:
    control-enable: no
auth-zone:
    name: "."
    zonefile: "{zone}"
    for-downstream: yes
    for-upstream: no
""")
        host.wait_for_port(5353, process=host.start("unbound", "-c", config, log=folder / "unbound.log"))

    def file(self, selector):
        return self.folder / f"{DOMAIN}.{selector}.pem"

    def lookup(self, name, timeout=5):
        """As dkimpy asks."""
        return self.texts.get(name.decode() if isinstance(name, bytes) else name)

    def dkimpy_key(self, selector):
        """dkimpy takes RSA keys as PEM, Ed25519 keys as 32 octets in base64."""
        if selector == "s1":
            return self.file(selector).read_bytes()
        lines = self.file(selector).read_text().splitlines()[1:-1]
        return base64.b64encode(base64.b64decode("".join(lines))[-32:])

    def tool(self, name, message, *options):
        words = self.lab["client"].command(BINARY, "tool", name, *options)
        done = subprocess.run(words, input=message, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def verify(self, message, what="dkim-verify", *options):
        return self.tool(what, message, "--resolver", self.resolver, *options).decode().splitlines()

    def sign(self, message, selector, *options):
        return self.tool("dkim-sign", message, "--domain", DOMAIN, "--selector", selector, "--key", self.file(selector), *options)

    def seal(self, message, selector="s1"):
        return self.tool("arc-seal", message, "--domain", DOMAIN, "--selector", selector, "--key", self.file(selector), "--resolver", self.resolver)


def generated_message(seed):
    """Headers and bodies with all that canonicalization is about: odd folds, white space, case, empty lines, 8-bit octets, no end.

    White space behind the last line end is left out: no mail by SMTP ends so, and dkimpy counts it as text where RFC 6376 §3.4.4 does not."""
    chance = random.Random(seed)
    spaces = [b" ", b"  ", b"\t", b" \t ", b"\r\n ", b"\r\n\t ", b" \r\n  "]
    words = [b"one", b"Two", b"three,", "vier\u00e4".encode(), b"<a@b.example>", b";", b"=", b"b=x;", b"."]

    def text(count):
        return b"".join(chance.choice(words) + chance.choice(spaces) for _ in range(count))
    names = [b"Subject", b"To", b"cc", b"Message-ID", b"MIME-Version", b"References", b"List-Id", b"X-Other", b"Received", b"Received", b"DATE"]
    chance.shuffle(names)
    header = b"From: Anna <anna@signed.example>\r\n" + b"".join(
        name + chance.choice([b":", b": ", b":  "]) + text(chance.randrange(1, 12)).rstrip() + chance.choice([b"", b" "]) + b"\r\n" for name in names[:chance.randrange(12)])
    ends = [b"\r\n", b" \r\n", b"\t\r\n", b"\r\n\r\n", b"\r\n \r\n"]
    lines = [text(chance.randrange(8)).replace(b"\r\n", b"") + chance.choice(ends) for _ in range(chance.randrange(20))]
    return header + b"\r\n" + b"".join(lines) + chance.choice([b"", b"", b"end", b"\r\n\r\n\r\n"])


MESSAGES = [generated_message(seed) for seed in range(40)] + [b"From: a@signed.example\r\n\r\n", b"From: a@signed.example\r\n\r\n\r\n"]


def test_keys_are_for_their_owner_alone(keys):
    for selector in SELECTORS:
        assert stat.S_IMODE(keys.file(selector).stat().st_mode) == 0o600
    assert max(len(part) for line in keys.lines for part in re.findall(r'"([^"]*)"', line)) == 255


def test_what_thurn_signs_dkimpy_verifies(keys, dkim):
    for message in MESSAGES:
        for selector in SELECTORS:
            signed = keys.sign(message, selector)
            assert signed.endswith(message) and signed.count(b"DKIM-Signature:") == 1
            assert dkim.verify(signed, dnsfunc=keys.lookup), signed


def test_what_dkimpy_signs_thurn_verifies(keys, dkim):
    forms = [(header, body) for header in (b"simple", b"relaxed") for body in (b"simple", b"relaxed")]
    for message in MESSAGES:
        signed = message
        for selector in SELECTORS:
            algorithm = b"rsa-sha256" if selector == "s1" else b"ed25519-sha256"
            for form in forms:
                signer = dkim.DKIM(signed, signature_algorithm=algorithm)
                signed = signer.sign(selector.encode(), DOMAIN.encode(), keys.dkimpy_key(selector), canonicalize=form) + signed
        best, *each = keys.verify(signed)
        assert best == "pass" and len(each) == 8 and all(line.startswith("pass d=signed.example ") for line in each), (each, signed)


def test_both_tell_changed_messages(keys, dkim):
    message = b"From: Anna <anna@signed.example>\r\nSubject: one\r\n\r\nfirst line\r\nlast line\r\n"
    for selector in SELECTORS:
        signed = keys.sign(message, selector)
        for old, new in ((b"first", b"other"), (b"Subject: one", b"Subject: two"), (b"Anna", b"Mallory"), (b"last line\r\n", b"last line\r\nmore\r\n"),
                         (b"From: Anna", b"From: Mallory <m@signed.example>\r\nFrom: Anna")):
            changed = signed.replace(old, new, 1)
            assert changed != signed
            best, line = keys.verify(changed)
            assert best == "fail" and line.startswith("fail d=signed.example"), (old, line)
            assert not dkim.verify(changed, dnsfunc=keys.lookup)


def test_what_the_tool_says_of_odd_messages(keys):
    assert keys.verify(b"From: a@signed.example\r\n\r\nx\r\n") == ["none"]
    assert keys.verify(b"") == ["none"]
    assert keys.verify(b"DKIM-Signature: nonsense\r\nFrom: a\r\n\r\n") == ["permerror", "permerror (a tag without \"=\")"]
    nowhere = keys.sign(b"From: a@signed.example\r\n\r\nx\r\n", "s1").replace(b"d=signed.example", b"d=nowhere.example")
    assert [line.split()[0] for line in keys.verify(nowhere)] == ["permerror", "permerror"]
    # Nobody answers on that port: the key cannot be had just now.
    host = keys.lab["dead"]
    silent = keys.tool("dkim-verify", keys.sign(b"From: a@signed.example\r\n\r\nx\r\n", "s1"), "--resolver", f"{host.ip}:9").decode()
    assert silent.splitlines()[0] == "temperror"


def test_time_is_the_time_given(keys, dkim):
    message = b"From: a@signed.example\r\n\r\nx\r\n"
    signed = keys.sign(message, "s1", "--now", "2000000000")
    assert b"t=2000000000;" in signed
    assert keys.verify(signed)[0] == "fail"  # in the future
    assert keys.verify(signed, "dkim-verify", "--now", "2000000001")[0] == "pass"


def test_line_feeds_are_kept(keys):
    message = b"From: a@signed.example\nSubject: x\n\nhello\n"
    signed = keys.sign(message, "s1")
    assert b"\r" not in signed and signed.endswith(message)
    assert keys.verify(signed)[0] == keys.verify(signed.replace(b"\n", b"\r\n"))[0] == "pass"


RESULTS = b"Authentication-Results: signed.example; spf=pass smtp.mailfrom=b.example;\r\n\tarc=%s\r\n"
BASE = b"From: a@signed.example\r\nSubject: x\r\n\r\nhello\r\n"


def dkimpy_seal(dkim, keys, message, chain):
    headers = dkim.arc_sign(RESULTS % chain + message, b"s1", DOMAIN.encode(), keys.file("s1").read_bytes(), DOMAIN.encode())
    assert headers
    return b"".join(headers) + message


def test_chains_of_thurn_are_whole_for_dkimpy(keys, dkim):
    message = BASE
    for number in range(1, 4):
        message = keys.seal(message)
        assert keys.verify(message, "arc-verify")[:2] == ["pass", "oldest-pass=0"]
        verdict, results, reason = dkim.arc_verify(message, dnsfunc=keys.lookup)
        assert verdict == b"pass" and len(results) == number, reason
    assert b"ARC-Authentication-Results: i=3; signed.example;\r\n\tarc=pass\r\n" in message
    changed = message.replace(b"hello", b"other")
    assert keys.verify(changed, "arc-verify")[0] == "fail" and dkim.arc_verify(changed, dnsfunc=keys.lookup)[0] == b"fail"


def test_chains_of_dkimpy_and_mixed_ones_are_whole_for_thurn(keys, dkim):
    message = dkimpy_seal(dkim, keys, BASE, b"none")
    assert keys.verify(message, "arc-verify") == ["pass", "oldest-pass=0", "i=1 d=signed.example s=s1"]
    message = keys.seal(message)
    message = dkimpy_seal(dkim, keys, message, b"pass")
    assert keys.verify(message, "arc-verify")[0] == "pass"
    assert dkim.arc_verify(message, dnsfunc=keys.lookup)[0] == b"pass"


def test_a_failed_chain_is_sealed_as_failed(keys, dkim):
    message = keys.seal(keys.seal(BASE)).replace(b"hello", b"other")
    sealed = keys.seal(message)
    assert b"cv=fail" in sealed and keys.verify(sealed, "arc-verify")[0] == "fail"
    assert keys.verify(BASE, "arc-verify") == ["none"]


def test_results_of_ours_are_sealed(keys):
    sealed = keys.seal(RESULTS % b"none" + BASE)
    assert b"ARC-Authentication-Results: i=1; signed.example;\r\n\tspf=pass smtp.mailfrom=b.example;\r\n\tarc=none\r\n" in sealed


def test_the_commands_of_dkimpy_ask_the_same_server(keys, dkim):
    """`dkimverify` as people run it, with DNS on port 53 of a host of its own."""
    host = keys.lab["faulty"]
    config = pathlib.Path(keys.folder / "unbound53.conf")
    config.write_text((keys.folder / "unbound.conf").read_text().replace(keys.lab["dead"].ip, "127.0.0.1").replace("port: 5353", "port: 53"))
    process = host.start("unbound", "-c", config, log=keys.folder / "unbound53.log")
    host.wait_for_port(53, address="127.0.0.1", process=process)
    resolv = keys.folder / "resolv.conf"
    resolv.write_text("nameserver 127.0.0.1\n")
    signed = keys.sign(BASE, "s1-ed25519")
    words = ["ip", "netns", "exec", host.namespace, "sh", "-c", 'mount --bind "$1" /etc/resolv.conf && shift && exec "$@"', "sh", str(resolv), "dkimverify"]
    done = subprocess.run(words, input=signed, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    process.kill()
    assert b"signature ok" in done.stdout, done.stdout
