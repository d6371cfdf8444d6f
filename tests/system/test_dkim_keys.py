"""`thurn dkim` and `thurn srs`: keys from making to removing. What is printed is read by others: dnspython as zone, dkimpy and opendkim as records."""

import base64
import json
import os
import pathlib
import pwd
import shutil
import stat
import subprocess
import tempfile
import time

import dns.zone
import pytest
from clients import make_message, smtp
from thurn import BINARY
from zone_dns import ZoneDns

DOMAIN = "signed.example"
MESSAGE = b"From: Anna <anna@signed.example>\r\nSubject: one\r\n\r\nhello\r\n"


class Keys:
    """`thurn` on a data folder of its own, and a name server that has what was published."""

    def __init__(self, folder, **settings):
        self.folder, self.keys = folder, folder / "data" / "keys"
        self.config = folder / "thurn.toml"
        settings = {"hostname": "mx.signed.example", "data_dir": str(folder / "data"), "allow_root": True} | settings
        self.config.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items()))
        self.said = ""
        self.dns = ZoneDns({})

    def start(self, *words):
        return subprocess.Popen([BINARY, *words, "--config", self.config], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self, *words, code=0):
        process = self.start(*words)
        out, errors = process.communicate(timeout=120)
        self.said += out + errors
        assert code in (None, process.returncode), (words, out, errors)
        self.errors = errors
        return out

    def list(self, *words, **options):
        return {key["selector"]: key for key in json.loads(self.run("dkim", "list", "--json", *words, **options))}

    def states(self):
        return {selector: key["state"] for selector, key in self.list().items()}

    def active(self):
        return {selector for selector, state in self.states().items() if state == "active"}

    def file(self, selector, domain=DOMAIN):
        return self.keys / f"{domain}.{selector}.pem"

    def publish(self, lines):
        """Takes lines of a zone file as an administrator would put them into a zone."""
        self.dns.zone = {name: [("TXT", strings)] for name, strings in records(lines).items()}

    def check(self, code=0, *words):
        out = self.run("dkim", "check", DOMAIN, "--resolver", self.dns.address, "--json", *words, code=code)
        return {record["selector"]: record["result"] for record in json.loads(out)}


def records(lines):
    """The zone's TXT records as another's parser reads them: a list of strings by name."""
    text = "$TTL 60\n@ IN SOA ns.example. nobody.example. 1 3600 600 86400 5\n@ IN NS ns.example.\n" + lines
    zone = dns.zone.from_text(text, origin=".", relativize=False)
    found = {}
    for name, _, rdata in zone.iterate_rdatas("TXT"):
        assert name.to_text() not in found, "one record a name"
        found[name.to_text().rstrip(".")] = list(rdata.strings)
    return found


@pytest.fixture
def keys(tmp_path):
    made = Keys(tmp_path)
    yield made
    made.dns.close()


def sign(keys, selector):
    words = [BINARY, "tool", "dkim-sign", "--domain", DOMAIN, "--selector", selector, "--key", keys.file(selector)]
    return subprocess.run(words, input=MESSAGE, stdout=subprocess.PIPE, check=True, timeout=60).stdout


def dkimpy_verifies(message, published):
    import dkim
    return dkim.verify(message, dnsfunc=lambda name, timeout=5: b"".join(published.get((name.decode() if isinstance(name, bytes) else name).rstrip("."), [])) or None)


def opendkim_says(keys, selector):
    """`opendkim-testkey`: does the record fit the private key? It reads DNS through libunbound, here from our name server."""
    resolver, config = keys.folder / "unbound.conf", keys.folder / "opendkim.conf"
    host, port = keys.dns.address.split(":")
    resolver.write_text(f'server:\n  do-not-query-localhost: no\nforward-zone:\n  name: "."\n  forward-addr: {host}@{port}\n')
    config.write_text(f"ResolverConfiguration {resolver}\n")
    return subprocess.run(["opendkim-testkey", "-x", config, "-d", DOMAIN, "-s", selector, "-k", keys.file(selector), "-v"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)


def test_first_keys_sign_at_once_and_are_for_their_owner_alone(keys):
    printed = keys.run("dkim", "generate", DOMAIN)
    assert "sign from now on" in keys.errors and f"thurn dkim check {DOMAIN}" in keys.errors
    assert keys.states() == {"s1": "active", "s1-ed25519": "active"}
    assert {key["bits"] for key in keys.list().values()} == {2048, 256} and {key["until"] for key in keys.list().values()} == {None}
    assert stat.S_IMODE(keys.keys.stat().st_mode) == 0o700
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in keys.keys.iterdir())
    assert sorted(printed.splitlines()) == sorted(keys.run("dkim", "dns", DOMAIN).splitlines())
    assert "there is a key" in (keys.run("dkim", "generate", DOMAIN, code=1) or keys.errors)


def test_others_read_the_records_and_verify_what_the_keys_sign(keys):
    published = records(keys.run("dkim", "generate", DOMAIN))
    assert set(published) == {f"s1._domainkey.{DOMAIN}", f"s1-ed25519._domainkey.{DOMAIN}"}
    assert [len(part) for part in published[f"s1._domainkey.{DOMAIN}"]][:-1] == [255]
    for selector in ("s1", "s1-ed25519"):
        assert dkimpy_verifies(sign(keys, selector), published)
    in_json = {record["name"]: record for record in json.loads(keys.run("dkim", "dns", DOMAIN, "--json"))}
    for name, strings in published.items():
        assert [part.encode() for part in in_json[name]["strings"]] == strings and in_json[name]["text"].encode() == b"".join(strings)


def test_opendkim_finds_the_record_right_and_tells_a_wrong_one(keys):
    lines = keys.run("dkim", "generate", DOMAIN, "--algorithm", "rsa")
    keys.publish(lines)
    right = opendkim_says(keys, "s1")
    assert right.returncode == 0, right.stdout  # also when it says that the answer had no DNSSEC
    other = keys.run("dkim", "generate", DOMAIN, "--algorithm", "rsa", "--selector", "s2")
    keys.publish(other.replace("s2._domainkey", "s1._domainkey"))
    assert opendkim_says(keys, "s1").returncode != 0 and keys.check(1) == {"s1": "different", "s2": "missing"}


def test_check_tells_what_dns_has(keys):
    lines = keys.run("dkim", "generate", DOMAIN)
    assert keys.check(1) == {"s1": "missing", "s1-ed25519": "missing"}
    assert keys.list()["s1"]["published"] is None
    keys.publish(lines)
    assert keys.check() == {"s1": "published", "s1-ed25519": "published"}
    assert keys.list()["s1"]["published"] is not None
    name = f"s1._domainkey.{DOMAIN}"
    (record,) = keys.dns.zone[name]
    for wrong, result in (([("TXT", "v=DKIM1; p=")], "revoked"), ([record, ("TXT", "v=DKIM1; p=AAAA")], "several"),
                          ([("TXT", "v=spf1 -all")], "malformed"), (["TIMEOUT"], "unknown")):
        keys.dns.zone[name] = wrong
        assert keys.check(1) == {"s1": result, "s1-ed25519": "published"}
    keys.dns.zone[name] = [("CNAME", "elsewhere.example")]
    keys.dns.zone["elsewhere.example"] = [record]
    assert keys.check()["s1"] == "published"
    table = keys.run("dkim", "check", DOMAIN, "--resolver", keys.dns.address)
    assert name in table and "WRONG" not in table
    assert "there is no key" in (keys.run("dkim", "check", "other.example", "--resolver", keys.dns.address, code=1) or keys.errors)


def test_a_rotation_goes_through_its_stages(keys):
    keys.publish(keys.run("dkim", "generate", DOMAIN))
    old = keys.active()
    new_lines = keys.run("dkim", "rotate", DOMAIN, "--prepublish", "4s", "--keep", "4s")
    began = time.time()
    day = {time.strftime("%Y%m%d", time.gmtime(moment)) for moment in (began - 60, began)}
    new = set(keys.list()) - old
    assert len(new) == 2 and {name[:8] for name in new} <= day and {name[8:] for name in new} == {"r", "e"}
    assert {keys.list()[name]["state"] for name in new} == {"prepublished"} and keys.active() == old
    assert set(keys.check(1).values()) == {"published", "missing"}  # the new records are wanted before they are used
    keys.publish(keys.run("dkim", "dns", DOMAIN))
    assert set(keys.check().values()) == {"published"}

    seen = []
    while time.time() < began + 60:
        states = keys.states()
        active = {selector for selector, state in states.items() if state == "active"}
        assert active in (old, new), "always both kinds, and never a moment without"
        stage = (active == new, {states[selector] for selector in old} & {"retired", "removable"})
        if not seen or seen[-1] != stage:
            seen.append(stage)
        if stage[1] == {"removable"}:
            break
        if not stage[1]:
            assert "no key" in keys.run("dkim", "remove", DOMAIN)
        time.sleep(0.2)
    assert seen == [(False, set()), (True, {"retired"}), (True, {"removable"})]

    listed = keys.run("dkim", "list", DOMAIN)
    assert listed.count("take its record out of DNS") == 2
    remaining = keys.run("dkim", "dns", DOMAIN)
    assert {name.split(".")[0] for name in records(remaining)} == new and remaining.count("removable") == 2
    keys.publish(remaining)
    assert set(keys.check().values()) == {"published", "missing"}  # and that is as it should be
    assert keys.run("dkim", "remove", DOMAIN).count("removed") == 2
    assert set(keys.list()) == new and not any(keys.file(selector).exists() for selector in old)
    for selector in new:
        assert dkimpy_verifies(sign(keys, selector), records(new_lines))


def test_a_rotation_asked_for_twice_is_one_rotation(keys):
    keys.run("dkim", "generate", DOMAIN)
    first = keys.run("dkim", "rotate", DOMAIN)
    before = (keys.keys / "dkim.keys").read_text()
    assert sorted(keys.run("dkim", "rotate", DOMAIN).splitlines()) == sorted(first.splitlines())
    assert "Nothing was changed" in keys.errors and (keys.keys / "dkim.keys").read_text() == before


def test_rotations_at_the_same_time_do_not_both_take_over(keys):
    keys.run("dkim", "generate", DOMAIN, "--algorithm", "ed25519")
    running = [keys.start("dkim", "rotate", DOMAIN) for _ in range(8)]
    ended = [(process.communicate(timeout=120), process.returncode) for process in running]
    assert sum(code == 0 and "made " in errors for (_, errors), code in ended) == 1
    assert all(code == 0 or "cannot be changed now" in errors for (_, errors), code in ended), ended
    assert sorted(keys.states().values()) == ["active", "prepublished"]


def test_further_keys_wait_until_their_records_can_be_known(keys):
    keys.run("dkim", "generate", DOMAIN, "--algorithm", "rsa")
    keys.run("dkim", "generate", DOMAIN, "--algorithm", "ed25519", "--selector", "ed")
    assert keys.states() == {"s1": "active", "ed": "prepublished"}
    keys.run("dkim", "generate", DOMAIN, "--selector", "now", "--algorithm", "ed25519", "--active-in", "0s")
    keys.run("dkim", "generate", "later.example", "--algorithm", "ed25519", "--active-in", "12h")
    assert keys.states()["now"] == "active"
    (later,) = keys.list("later.example").values()
    assert later["state"] == "prepublished" and later["signs_from"] == later["until"]
    keys.run("dkim", "rotate", "later.example", "--algorithm", "both")
    assert "Nothing was changed" in keys.errors


def test_another_rotation_may_have_kinds_and_names_of_its_own(keys):
    keys.run("dkim", "generate", DOMAIN, "--algorithm", "rsa", "--selector", "old")
    keys.run("dkim", "rotate", DOMAIN, "--algorithm", "both", "--selector", "next", "--prepublish", "0s")
    assert keys.states() == {"old": "retired", "next": "active", "next-ed25519": "active"}
    keys.run("dkim", "rotate", DOMAIN, "--prepublish", "0s", "--keep", "0s")
    assert {selector[8:] for selector in keys.active()} == {"r", "e"}
    keys.run("dkim", "rotate", DOMAIN, "--prepublish", "0s")
    assert {selector[8:] for selector in keys.active()} == {"-2r", "-2e"}


def test_a_rotation_is_called_off_by_removing_the_next_keys(keys):
    keys.run("dkim", "generate", DOMAIN)
    before = keys.list()
    keys.run("dkim", "rotate", DOMAIN)
    assert {key["until"] is None for key in keys.list().values()} == {False}
    new = set(keys.list()) - set(before)
    first, second = sorted(new)
    assert "goes on signing" not in keys.run("dkim", "remove", DOMAIN, first, "--force")  # the other still takes over
    assert keys.run("dkim", "remove", DOMAIN, second, "--force").count("goes on signing") == 2
    assert keys.list() == before


def test_keys_in_use_are_removed_by_force_only(keys):
    keys.run("dkim", "generate", DOMAIN)
    keys.run("dkim", "remove", DOMAIN, "s1", code=1)
    assert "is active" in keys.errors and "--force" in keys.errors and keys.file("s1").exists()
    keys.run("dkim", "remove", DOMAIN, "s1", "--force")
    assert set(keys.list()) == {"s1-ed25519"} and not keys.file("s1").exists()
    keys.run("dkim", "remove", DOMAIN, "s1", code=1)
    assert "there is no key s1" in keys.errors


@pytest.mark.parametrize("algorithm", ["rsa", "ed25519"])
def test_a_key_made_elsewhere_is_taken_up(keys, algorithm):
    elsewhere = keys.folder / "elsewhere.pem"
    options = ["-pkeyopt", "rsa_keygen_bits:3072"] if algorithm == "rsa" else []
    subprocess.run(["openssl", "genpkey", "-algorithm", algorithm, *options, "-out", elsewhere], check=True, capture_output=True)
    printed = keys.run("dkim", "import", DOMAIN, "mail", elsewhere)
    assert keys.states() == {"mail": "active"} and stat.S_IMODE(keys.file("mail").stat().st_mode) == 0o600
    assert keys.list()["mail"]["bits"] == (3072 if algorithm == "rsa" else 256)
    assert dkimpy_verifies(sign(keys, "mail"), records(printed))
    keys.run("dkim", "import", DOMAIN, "mail", elsewhere, code=1)
    keys.run("dkim", "import", DOMAIN, "nothing", keys.config, code=2)
    keys.run("dkim", "import", DOMAIN, "nothing", keys.folder / "nothing", code=1)
    # A file that lies there already is listed and no more, until it is taken up.
    shutil.copy(elsewhere, keys.file("by-hand"))
    keys.run("dkim", "list")
    assert "by-hand.pem is not in the list" in keys.errors and "by-hand" not in keys.states()
    keys.run("dkim", "import", DOMAIN, "by-hand", keys.file("by-hand"))
    assert keys.states()["by-hand"] == "prepublished"


def test_keys_that_the_configuration_names_are_shown_and_checked(keys):
    elsewhere = keys.folder / "elsewhere.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", elsewhere], check=True, capture_output=True)
    with keys.config.open("a") as file:
        file.write(f'[[domain]]\nname = "{DOMAIN}"\ndkim = [{{ selector = "mine", key = "{elsewhere}" }}]\n')
    keys.run("dkim", "generate", DOMAIN, "--algorithm", "ed25519")
    assert keys.states() == {"s1": "active", "mine": "active"} and keys.list()["mine"]["configured"]
    assert "named in the configuration" in keys.run("dkim", "list")
    keys.publish(keys.run("dkim", "dns", DOMAIN))
    assert keys.check() == {"s1": "published", "mine": "published"}
    assert keys.list()["s1"]["published"] and not keys.list()["mine"]["published"]
    elsewhere.unlink()
    keys.run("dkim", "check", DOMAIN, "--resolver", keys.dns.address, code=1)
    keys.run("dkim", "list", code=1)
    assert str(elsewhere) in keys.errors


def test_a_damaged_key_is_named_and_the_others_go_on(keys):
    keys.run("dkim", "generate", DOMAIN)
    keys.run("dkim", "generate", "other.example", "--algorithm", "ed25519")
    keys.file("s1").write_text("damaged")
    listed = json.loads(keys.run("dkim", "list", "--json", code=1))
    assert [key["problem"] is None for key in listed if key["selector"] == "s1" and key["domain"] == DOMAIN] == [False]
    assert str(keys.file("s1")) in keys.errors and len(listed) == 3
    assert len(records(keys.run("dkim", "dns", DOMAIN, code=1))) == 1
    assert len(records(keys.run("dkim", "dns", "other.example"))) == 1
    with (keys.keys / "dkim.keys").open("a") as file:
        file.write("nonsense\n")
    keys.run("dkim", "generate", "third.example", code=1)
    assert "dkim.keys, line" in keys.errors


def test_words_that_make_no_sense_are_refused(keys):
    keys.run("dkim", "generate", "no domain", code=2)
    keys.run("dkim", "generate", "[192.0.2.1]", code=2)
    for selector in ("x.y", "../x", "a b", "x" * 64):
        keys.run("dkim", "generate", DOMAIN, f"--selector={selector}", code=2)
    keys.run("dkim", "generate", DOMAIN)
    for option in ("--prepublish", "--keep"):
        keys.run("dkim", "rotate", DOMAIN, option, "2", code=2)
    keys.run("dkim", "generate", DOMAIN, "--selector", "z", "--active-in", "soon", code=2)
    assert "soon" in keys.errors and set(keys.list()) == {"s1", "s1-ed25519"}
    keys.run("dkim", "rotate", "other.example", code=1)
    assert "thurn dkim generate other.example" in keys.errors
    keys.run("dkim", "list", "other.example", code=1)
    assert keys.run("dkim", "generate", "Bücher.Example").count("._domainkey.xn--bcher-kva.example. IN TXT") == 2


def test_no_command_tells_a_private_key_or_a_secret(keys):
    keys.publish(keys.run("dkim", "generate", DOMAIN))
    keys.run("dkim", "rotate", DOMAIN, "--prepublish", "0s", "--keep", "0s")
    for words in (["list"], ["list", "--json"], ["dns"], ["dns", "--json"], ["remove", DOMAIN]):
        keys.run("dkim", *words)
    keys.check(1)
    for words in (["rotate"], ["list"], ["list", "--json"], ["rotate"], ["list"]):
        keys.run("srs", *words)
    secrets = [line.split()[0] for line in (keys.keys / "srs.keys").read_text().splitlines() if not line.startswith("#")]
    assert len(secrets) == 2
    for file in keys.keys.glob("*.pem"):
        lines = file.read_text().splitlines()
        assert lines[0].startswith("-----BEGIN")
        secrets += [line for line in lines[1:-1]] + [base64.b64encode(base64.b64decode("".join(lines[1:-1]))[-32:]).decode()]
    assert secrets and not any(secret in keys.said for secret in secrets)


def test_secrets_for_senders_are_rotated(keys):
    assert "no secret yet" in keys.run("srs", "list")
    keys.run("srs", "rotate")
    keys.run("srs", "rotate")
    listed = json.loads(keys.run("srs", "list", "--json"))
    assert [secret["writes"] for secret in listed] == [True, False]
    assert listed[0]["read_until"] is None and listed[1]["read_until"] > listed[1]["made"]
    file = keys.keys / "srs.keys"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    # What all addresses have outlived is dropped with the next rotation; what somebody put there by hand stays.
    file.write_text(file.read_text() + "a-secret-that-is-old 2020-01-01T00:00:00Z\na-secret-put-there-by-hand\na-secret-older-still 2019-01-01T00:00:00Z\n")
    keys.run("srs", "rotate")
    kept = [line.split()[0] for line in file.read_text().splitlines() if not line.startswith("#")]
    assert len(kept) == 6 and kept[3:] == ["a-secret-that-is-old", "a-secret-put-there-by-hand", "a-secret-older-still"]
    text = file.read_text().replace(time.strftime("%Y-"), "2021-")
    file.write_text(text)
    keys.run("srs", "rotate")
    kept = [line.split()[0] for line in file.read_text().splitlines() if not line.startswith("#")]
    assert "a-secret-that-is-old" not in kept and "a-secret-put-there-by-hand" in kept
    file.write_text("short\n")
    keys.run("srs", "rotate", code=1)
    assert "srs.keys, line 1" in keys.errors and file.read_text() == "short\n"


def test_what_root_makes_is_the_servers():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="thurn-keys-"))
    try:
        folder.chmod(0o755)
        keys = Keys(folder, user="nobody")
        keys.dns.close()
        elsewhere = folder / "elsewhere.pem"
        elsewhere.write_bytes(subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519"], check=True, stdout=subprocess.PIPE).stdout)
        elsewhere.chmod(0o600)  # another program's: root reads it
        keys.run("dkim", "generate", DOMAIN)
        keys.run("dkim", "import", DOMAIN, "mail", elsewhere)
        keys.run("srs", "rotate")
        assert os.geteuid() == 0
        owners = {entry.stat().st_uid for entry in [keys.keys, *keys.keys.iterdir()]}
        assert owners == {pwd.getpwnam("nobody").pw_uid}
    finally:
        shutil.rmtree(folder)


def test_a_running_server_signs_with_the_keys_of_the_moment(lab, make_thurn):
    server = make_thurn("a")

    def signers(subject):
        """The selectors of a message that was just sent, whose signatures all hold by the records of the moment."""
        with smtp(lab["client"], server.host, 587, "starttls", "alice@a.example") as session:
            session.send_message(make_message(subject))
        server.wait_for_mail("bob@a.example", subject)
        (octets,) = [octets for octets in (file.read_bytes() for file in (server.maildir("bob@a.example") / "new").iterdir()) if f"Subject: {subject}".encode() in octets]
        published = records(server.cli("dkim", "dns").stdout)
        fields = server.wait_for_mail("bob@a.example", subject).get_all("DKIM-Signature") or []
        import dkim
        verifier = dkim.DKIM(octets)
        lookup = lambda name, timeout=5: b"".join(published.get(name.decode().rstrip("."), [])) or None  # noqa: E731
        assert all(verifier.verify(idx=index, dnsfunc=lookup) for index in range(len(fields)))
        return {part.strip().removeprefix("s=") for field in fields for part in field.split(";") if part.strip().startswith("s=")}

    def change(*words):
        said = server.cli("dkim", *words).stderr
        assert "The running server has taken it up." in said
        return {key["selector"] for key in server.json("dkim", "list", "a.example") if key["state"] == "active"}

    assert signers("before there are keys") == set()
    assert change("generate", "a.example") == {"s1", "s1-ed25519"} == signers("signed at once")
    assert change("rotate", "a.example", "--prepublish", "2s") == {"s1", "s1-ed25519"}
    time.sleep(2.5)  # nobody need tell the server that the time has come
    after = signers("signed by the next keys")
    assert {selector[8:] for selector in after} == {"r", "e"}
    assert change("remove", "a.example", *after, "--force") == set() == signers("after there were keys")
    assert "The running server has taken it up." in server.cli("srs", "rotate").stderr
    (server.data / "keys" / "srs.keys").write_text("short\n")
    assert "goes on with what it had" in server.cli("dkim", "generate", "a.example", "--selector", "other").stderr
    assert signers("the other keys are taken up all the same") == {"other", "other-ed25519"}


def test_a_server_that_cannot_read_its_secrets_says_which_and_what_to_do(keys):
    keys.keys.mkdir(parents=True)
    (keys.keys / "srs.keys").write_text("short\n")
    keys.run("serve", code=1)
    assert "srs.keys, line 1" in keys.errors and "or set forwarding.srs = false" in keys.errors
    (keys.keys / "srs.keys").unlink()
    (keys.keys / "dkim.keys").mkdir()
    keys.run("serve", code=1)
    assert "dkim.keys" in keys.errors and "take the keys up by thurn dkim import" in keys.errors


def test_check_looks_at_keys_and_their_records(keys):
    keys.config.write_text(keys.config.read_text() + f"dns.servers = [{json.dumps(keys.dns.address)}]\ndns.dnssec = false\n[[domain]]\nname = \"{DOMAIN}\"\n")

    def told(about):
        return [(remark["weight"], remark["text"]) for remark in json.loads(keys.run("check", "--json", code=None)) if remark["about"] == about]

    assert told("dkim") == [("warning", f"{DOMAIN}: its mail is not signed, as there is no key; make one with: thurn dkim generate {DOMAIN}")]
    assert told("forwarding") == []
    lines = keys.run("dkim", "generate", DOMAIN, "--algorithm", "ed25519")
    name = f"s1._domainkey.{DOMAIN}"
    (weight, text), = told("dkim")
    assert weight == "warning" and text.startswith(f"{name}: the record in DNS is missing (no such name); what is signed with it does not verify")
    keys.publish(lines)
    assert told("dkim") == [("ok", f"{name}: published")]
    keys.dns.zone = {name: [("TXT", "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=")]}
    assert "the record in DNS is different" in told("dkim")[0][1]
    keys.dns.zone = {name: ["SERVFAIL"]}
    assert told("dkim") == [("warning", "whether 1 key records are published cannot be told: DNS does not answer")]
    keys.publish(lines)

    keys.file("s1").chmod(0o644)
    (keys.keys / "stray.example.x.pem").write_text("?")
    keys.run("srs", "rotate")
    (keys.keys / "srs.keys").chmod(0o604)
    assert [text.split(": ")[0].rsplit("/")[-1] for weight, text in told("dkim") if weight == "warning"] == ["stray.example.x.pem", f"{DOMAIN}.s1.pem"]
    assert [weight for weight, _ in told("forwarding")] == ["warning", "ok"]
    keys.file("s1").write_text("broken")
    (keys.keys / "srs.keys").write_text("short\n")
    assert [text for weight, text in told("dkim") if weight == "error"][0].startswith(str(keys.file("s1")))
    assert told("forwarding")[-1][0] == "error" and "srs.keys, line 1" in told("forwarding")[-1][1]


def test_what_is_seldom_meant_is_told(keys):
    keys.run("dkim", "generate", DOMAIN, "--algorithm", "ed25519")
    assert f"{DOMAIN} is not a domain of this server" in keys.errors
    keys.config.write_text(keys.config.read_text() + f"dns.servers = [{json.dumps(keys.dns.address)}]\ndns.dnssec = false\n[[domain]]\nname = \"news.{DOMAIN}\"\n")
    subprocess.run(["openssl", "genrsa", "-out", keys.folder / "short.pem", "1024"], check=True, stderr=subprocess.DEVNULL)
    keys.run("dkim", "import", DOMAIN, "short", str(keys.folder / "short.pem"))
    assert "is not a domain" not in keys.errors, "keys of a domain sign for those below it"
    assert f"short._domainkey.{DOMAIN} is an RSA key of 1024 bits" in keys.errors
    remarks = [remark["text"] for remark in json.loads(keys.run("check", "--json", code=None)) if remark["about"] == "dkim"]
    assert [text for text in remarks if "1024 bits" in text][0].startswith(f"short._domainkey.{DOMAIN}: an RSA key of 1024 bits")
    keys.run("dkim", "generate", DOMAIN, "--algorithm", "dsa", code=2)
    assert '"dsa" is none of both, ed25519, rsa' in keys.errors
