"""Mail authentication between servers: what is checked and signed on the way, with SPF, DKIM and DMARC records in a DNS of its own.

a.example signs and wants all else refused; f.example forwards; b.example receives. q.example asks for quarantine; list.example seals with ARC.
"""

import base64
import contextlib
import email.policy
import importlib
import pathlib
import re
import smtplib
import subprocess

import dkim
import pytest
from authentication_oracles import Rspamd
from clients import make_message, send_on, smtp, submit
from lab import Lab, wait_until
from peers import Postfix
from scripted import ScriptedPeer
from thurn import BINARY, Thurn, message_id
from zone_dns import ZoneDns

HERE = pathlib.Path(__file__).resolve().parent
HOSTS = ["dns", "client", "a", "b", "f", "list"]


def make_key(folder, name, algorithm):
    """A private key in a file, and the text of its DNS record."""
    file = folder / f"{name}.pem"
    kind = ["-algorithm", "ed25519"] if algorithm == "ed25519" else ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]
    subprocess.run(["openssl", "genpkey", *kind, "-out", file], check=True, stderr=subprocess.DEVNULL, timeout=60)
    public = subprocess.run(["openssl", "pkey", "-in", file, "-pubout", "-outform", "DER"], check=True, stdout=subprocess.PIPE, timeout=60).stdout
    octets = public[-32:] if algorithm == "ed25519" else public
    text = f"v=DKIM1; k={algorithm}; p={base64.b64encode(octets).decode()}"
    return file, " ".join(f'"{text[i:i + 200]}"' for i in range(0, len(text), 200))


class Keys:
    def __init__(self, folder):
        self.files, self.records = {}, []
        for domain, selector, algorithm in [("a.example", "r", "rsa"), ("a.example", "e", "ed25519"), ("b.example", "r", "rsa"), ("f.example", "r", "rsa"),
                                            ("list.example", "r", "rsa"), ("q.example", "r", "rsa")]:
            file, record = make_key(folder, f"{domain}.{selector}", algorithm)
            self.files[domain, selector] = file
            self.records.append(f"{selector}._domainkey.{domain}. IN TXT {record}")

    def configured(self, domain):
        return [{"selector": selector, "key": str(file)} for (owner, selector), file in self.files.items() if owner == domain]


def records(lab, keys):
    lines = list(keys.records)
    for domain, host in (("a", "a"), ("b", "b"), ("f", "f"), ("list", "list")):
        lines += [f"{domain}.example. IN MX 10 mx.{domain}.example.", f"mx.{domain}.example. IN A {lab[host].ip}",
                  f'{domain}.example. IN TXT "v=spf1 mx -all"', f'mx.{domain}.example. IN TXT "v=spf1 a -all"',
                  f"{'.'.join(reversed(lab[host].ip.split('.')))}.in-addr.arpa. IN PTR mx.{domain}.example."]
    lines += ['_dmarc.a.example. IN TXT "v=DMARC1; p=reject; rua=mailto:reports@a.example"', '_dmarc.q.example. IN TXT "v=DMARC1; p=quarantine"',
              "q.example. IN MX 10 mx.list.example.", "n.example. IN MX 10 mx.list.example.",
              'q.example. IN TXT "v=spf1 -all"', '_dmarc.n.example. IN TXT "v=DMARC1; p=none"', 'n.example. IN TXT "v=spf1 -all"',
              f"{'.'.join(reversed(lab['client'].ip.split('.')))}.in-addr.arpa. IN PTR client.lab.", f"client.lab. IN A {lab['client'].ip}"]
    return lines


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    return Keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module")
def net(keys):
    subprocess.run([HERE / "install-peers"], check=True, stdout=subprocess.DEVNULL)
    made = Lab(HOSTS, prefix="au")
    try:
        made.start_dns("dns", records(made, keys))
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def servers(net, keys):
    made = {}
    for name in ("a", "b", "f"):
        domain = f"{name}.example"
        server = Thurn(net[name], domain, net["dns"], domain=[{"name": domain, "dkim": keys.configured(domain)}],
                       authentication={"trusted_sealers": ["list.example"]} if name == "b" else {}, relay={"networks": []})
        made[name] = server.start()
        for user in ("alice", "bob"):
            server.add_account(f"{user}@{domain}")
    made["f"].cli("alias", "add", "forward@f.example", "bob@b.example")
    made["f"].cli("alias", "add", "nowhere@f.example", "nobody@b.example")
    made["f"].cli("alias", "add", "old@f.example", "x@list.example")
    yield made
    for server in made.values():
        if server.alive():
            assert server.stop() == 0


def results(message, server="b"):
    """Our Authentication-Results as {method: [text, …]}."""
    found = {}
    for field in message.get_all("Authentication-Results", []):
        identity, *parts = [" ".join(part.split()) for part in field.split(";")]
        if identity == f"mx.{server}.example":
            for part in parts:
                found.setdefault(part.split("=")[0], []).append(part)
    return found


def reconfigure(server, **settings):
    heard = len(server.log_text())
    server.configure(**settings)
    server.reload()
    server.wait_for_log("event=reloaded", after=heard)


def from_outside(net, server, message, sender="alice@a.example", to="bob@b.example", host="client", ehlo="client.lab"):
    with smtp(net[host], server.host, ehlo=ehlo) as client:
        return send_on(client, message, sender, [to])


def refused(*arguments, **options):
    with pytest.raises(smtplib.SMTPResponseException) as caught:
        from_outside(*arguments, **options)
    return caught.value.smtp_code, caught.value.smtp_error.decode()


def signed_by_a(net, servers, subject, body="Hello.\r\n"):
    """A message of alice's as b.example got it: with a.example's signatures."""
    submit(net["client"], servers["a"].host, subject, "bob@b.example", body=body)
    return servers["b"].wait_for_mail("bob@b.example", subject)


def raw(server, address, subject):
    for file in (server.maildir(address) / "new").iterdir():
        octets = file.read_bytes().replace(b"\n", b"\r\n")
        if f"Subject: {subject}\r\n".encode() in octets:
            return octets[octets.index(b"DKIM-Signature"):]
    raise AssertionError(subject)


def test_mail_between_two_of_ours_passes_everything(net, servers):
    message = signed_by_a(net, servers, "all good")
    found = results(message)
    assert found["iprev"] == [f"iprev=pass (mx.a.example) policy.iprev={net['a'].ip}"]
    assert [text for text in found["spf"] if "smtp.mailfrom=alice@a.example" in text][0].startswith("spf=pass")
    assert [text for text in found["spf"] if "smtp.helo=mx.a.example" in text][0].startswith("spf=pass")
    assert len(found["dkim"]) == 2 and all(text.startswith("dkim=pass") and "header.d=a.example" in text for text in found["dkim"])
    assert {re.search(r"header\.a=(\S+)", text)[1] for text in found["dkim"]} == {"rsa-sha256", "ed25519-sha256"}
    assert found["dmarc"] == ["dmarc=pass (p=reject) header.from=a.example"]
    assert results(message, "a")["auth"] == ["auth=pass smtp.auth=alice@a.example"]


def test_the_trace_tells_every_check_and_lookup(net, servers):
    message = signed_by_a(net, servers, "explained")
    story = servers["b"].trace(message_id(message["Received"]))
    for told in ("iprev", "pass for alice@a.example: a.example mx", "pass d=a.example s=r a=rsa-sha256", "pass d=a.example s=e a=ed25519-sha256",
                 "pass for a.example, policy reject of a.example, aligned by SPF with a.example, aligned by DKIM with a.example",
                 "TXT a.example: \"v=spf1 mx -all\"", "TXT _dmarc.a.example: \"v=DMARC1; p=reject"):
        assert told in story, story


def test_a_forgery_is_refused_with_a_reason_for_people(net, servers):
    code, text = refused(net, servers["b"], make_message("forged"))
    assert code == 550 and text.startswith("5.7.1 ")
    assert "mail from a.example must be authenticated (its DMARC policy is reject)" in text.replace("\n", " ")
    servers["b"].wait_for_log(r"message_refused.*rule=authentication\.dmarc")
    identifier = re.search(r"\((\w{13})\)", text)[1]
    servers["b"].wait_for_trace(identifier, "refused", "authentication.dmarc", "reject", "fail for alice@a.example")


def test_a_broken_signature_is_refused_when_nothing_else_vouches(net, servers):
    signed_by_a(net, servers, "to be broken")
    octets = raw(servers["b"], "bob@b.example", "to be broken")
    assert from_outside(net, servers["b"], octets, sender="x@n.example")  # as it was: DKIM passes for whoever carries it
    code, text = refused(net, servers["b"], octets.replace(b"Hello.", b"Hallo."), sender="x@n.example")
    assert code == 550 and "DKIM is fail" in text.replace("\n", " ")


def test_quarantine_goes_to_junk(net, servers):
    from_outside(net, servers["b"], make_message("doubtful", sender="x@q.example"), sender="x@q.example")
    server = servers["b"]
    junk = server.maildir("bob@b.example") / ".Junk" / "new"
    wait_until(lambda: junk.exists() and any("Subject: doubtful" in file.read_text() for file in junk.iterdir()), what="the message is in Junk")
    assert not [message for message in server.mail("bob@b.example") if message["Subject"] == "doubtful"]


def test_quarantine_can_be_held_for_the_operator(net, servers):
    server = servers["b"]
    reconfigure(server, authentication={"quarantine": "hold"})
    try:
        identifier = message_id(from_outside(net, server, make_message("held back", sender="x@q.example"), sender="x@q.example"))
        held = [message for message in server.queued() if message["id"] == identifier]
        assert "mail from q.example must be authenticated" in str(held) and "held" in str(held), held
        assert not [message for message in server.mail("bob@b.example") if message["Subject"] == "held back"]
        server.cli("queue", "release", identifier)
        assert "dmarc=fail" in str(server.wait_for_mail("bob@b.example", "held back")["Authentication-Results"])
    finally:
        reconfigure(server, authentication={"quarantine": "junk"})


EIGHT_BIT = ("From: alice@%b\r\nTo: x@list.example\r\nSubject: umlauts\r\nMIME-Version: 1.0\r\n"
             "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGr\u00fc\u00dfe\r\n").encode()


def what_an_old_host_gets(net, send):
    """What a host of list.example without 8BITMIME is sent when `send` was called."""
    with ScriptedPeer(net["list"], 25, EHLO="250 mx.list.example") as peer:
        send()
        return wait_until(lambda: peer.messages and peer.messages[-1].content, 30, "the message was sent")


def submit_eight_bit(net, servers, to):
    with smtp(net["client"], servers["a"].host, 587, "starttls", "alice@a.example") as client:
        client.ehlo_or_helo_if_needed()
        assert client.mail("alice@a.example", ["BODY=8BITMIME"])[0] == 250
        assert client.rcpt(to)[0] == 250
        assert client.data(EIGHT_BIT % b"a.example")[0] == 250


def tool(net, name, octets):
    return subprocess.run(net["client"].command(BINARY, "tool", name, "--resolver", f"{net['dns'].ip}:53"), input=octets, stdout=subprocess.PIPE,
                          check=True, timeout=30).stdout.decode().splitlines()


def test_a_seal_outlives_a_conversion(net, servers):
    sent = what_an_old_host_gets(net, lambda: submit_eight_bit(net, servers, "old@f.example"))
    assert b"Gr=C3=BC=C3=9Fe" in sent and sent.count(b"ARC-Seal:") == 1
    assert tool(net, "arc-verify", sent)[0] == "pass"
    assert tool(net, "dkim-verify", sent)[0] == "fail"  # what a.example signed was of eight bits
    assert b"dmarc=pass" in sent[sent.index(b"ARC-Authentication-Results:"):]


def test_a_conversion_makes_no_signature_true_that_was_made_up(net, servers):
    """A stranger names our domain and selector in a signature of his; after the conversion it must be as false as before."""
    forged = (b"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=f.example; s=r; h=from;\r\n bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA\r\n"
              + EIGHT_BIT % b"f.example")
    sent = what_an_old_host_gets(net, lambda: from_outside(net, servers["f"], forged, sender="x@n.example", to="old@f.example"))
    assert b"Gr=C3=BC=C3=9Fe" in sent
    assert tool(net, "dkim-verify", sent)[0] == "fail"
    chain = tool(net, "arc-verify", sent)
    assert chain[0] == "pass" and b"dkim=fail" in sent[sent.index(b"ARC-Authentication-Results:"):]


def test_the_trace_tells_what_was_signed_sealed_and_rewritten(net, servers):
    told = submit(net["client"], servers["a"].host, "traced", "forward@f.example")
    servers["a"].wait_for_trace(message_id(told), "signed", "d=a.example s=r a=rsa-sha256", "d=a.example s=e a=ed25519-sha256")
    message = servers["b"].wait_for_mail("bob@b.example", "traced")
    passed_on, = re.findall(r"by mx\.f\.example\b.*? id (\w{13})", " ".join(str(message).split()))
    story = servers["f"].wait_for_trace(passed_on, "sealed", "i=1 d=f.example s=r cv=none", "sender rewritten")
    assert "@f.example for bob@b.example, as forward@f.example sends it on" in story


def test_the_trace_tells_why_nothing_was_signed(net, servers):
    servers["a"].configure(submission={"check_author": False})
    heard = len(servers["a"].log_text())
    servers["a"].reload()
    servers["a"].wait_for_log("event=reloaded", after=heard)
    with smtp(net["client"], servers["a"].host, 587, "starttls", "alice@a.example") as client:
        strange = send_on(client, make_message("unsigned", sender="alice@other.example"), "alice@a.example", ["bob@a.example"])
        nobody = send_on(client, b"Subject: nobody\r\n\r\nx\r\n", "alice@a.example", ["bob@a.example"])
    servers["a"].wait_for_trace(message_id(strange), "not signed", "there is no key for other.example")
    servers["a"].wait_for_trace(message_id(nobody), "not signed", "there is no author's domain in From")


@pytest.mark.parametrize("start", [b"no field\r\n", b" folded\r\n", b"\r\n"])
def test_a_message_that_does_not_begin_with_a_field_has_no_author_and_no_signature(net, servers, start):
    signed_by_a(net, servers, f"to begin wrongly {start}")
    octets = start + raw(servers["b"], "bob@b.example", f"to begin wrongly {start}")
    assert tool(net, "dkim-verify", octets)[0] == "none" and tool(net, "arc-verify", octets)[0] == "none"
    code, text = refused(net, servers["b"], octets, sender="x@n.example")
    assert code == 550 and "there is no From" in text


def test_what_a_conversion_breaks_is_signed_anew(net, servers, keys):
    """A host without 8BITMIME gets the message in quoted-printable, with a signature that holds."""
    sent = what_an_old_host_gets(net, lambda: submit_eight_bit(net, servers, "x@list.example"))
    assert b"Gr=C3=BC=C3=9Fe" in sent and sent.count(b"DKIM-Signature:") == 2
    told = tool(net, "dkim-verify", sent)
    assert len(told) == 3 and all(line.startswith("pass") for line in told), told


def test_p_none_is_delivered_and_marked(net, servers):
    from_outside(net, servers["b"], make_message("tolerated", sender="x@n.example"), sender="x@n.example")
    found = results(servers["b"].wait_for_mail("bob@b.example", "tolerated"))
    assert found["dmarc"] == ["dmarc=fail (p=none) header.from=n.example"]
    assert any(text.startswith("spf=fail") for text in found["spf"]) and found["dkim"] == ["dkim=none"]


@pytest.mark.parametrize("header, why", [
    ("Subject: nobody\r\n", "there is no From"),
    ("From: a@n.example\r\nFrom: b@n.example\r\nSubject: two\r\n", "several From fields"),
    ("From: a@n.example, b@q.example\r\nSubject: two\r\n", "several domains"),
    ("From: undisclosed\r\nSubject: none\r\n", "cannot be read"),
])
def test_mail_without_one_author_is_refused(net, servers, header, why):
    code, text = refused(net, servers["b"], header.encode() + b"\r\nx\r\n", sender="x@n.example")
    assert code == 550 and text.startswith("5.7.1 ") and why in text


# Who reads one of these as bank@q.example's is deceived; who takes part of the others for the author lets two readers disagree.
ONE_AUTHOR = {
    "plain": "From: x@n.example", "in any case": "fROM : X@N.Example", "with white space before the colon": "From \t: x@n.example", "folded": "From:\r\n x@n.example",
    "a name with an address": 'From: "bank@q.example" <x@n.example>', "a name that ends early": 'From: "bank@q.example\\" <bank@q.example>" <x@n.example>',
    "an encoded name": "From: =?utf-8?q?bank=40q=2Eexample?= <x@n.example>", "an encoded name with brackets": "From: =?utf-8?b?PGJhbmtAcS5leGFtcGxlPg==?= <x@n.example>",
    "comments": "From: (bank@q.example) x@n.example (<bank@q.example>)", "a comment within": "From: x@(q.example)n.example", "a comment within a comment": "From: (a (bank@q.example) b) <x@n.example>",
    "a quoted local part": 'From: "bank@q.example"@n.example', "brackets in a local part": 'From: "x <bank@q.example>"@n.example', "a route": "From: <@q.example:x@n.example>",
    "two of one domain": "From: x@n.example, y@n.example", "a group": "From: bank@q: x@n.example;", "Sender and Reply-To": "Sender: bank@q.example\r\nFrom: x@n.example\r\nReply-To: bank@q.example",
    "a resent one": "Resent-From: bank@q.example\r\nFrom: x@n.example", "one that only looks like it": "From: x@n.example\r\nFrom-: bank@q.example\r\nX-From: bank@q.example",
}
NO_ONE_AUTHOR = {
    "two fields": "From: x@n.example\r\nFrom: bank@q.example", "two fields, otherwise spelt": "From: x@n.example\r\nfrom : bank@q.example", "two addresses": "From: x@n.example, bank@q.example",
    "two in brackets": "From: <bank@q.example><x@n.example>", "two @": "From: bank@q.example@n.example", "nothing": "From:", "one without a domain": "From: x@n.example, root", "an empty group": "From: undisclosed:;",
    "a name alone": "From: bank", "brackets without an end": "From: <x@n.example", "quotes without an end": 'From: "bank@q.example <x@n.example>', "a comment without an end": "From: x@n.example (bank@q.example",
    "semicolons": "From: x@n.example; bank@q.example", "white space": "From: x@n.example bank@q.example", "null": "From: <>",
}


ASKING = {"name": "asks", "stage": "content", "when": 'sender = "asks@n.example" and author.domain != ""', "action": "reject", "text": "<{author.domain}> <{dkim}> <{helo}>"}


@pytest.fixture(scope="module")
def marking(servers):
    """b.example, which takes mail without one author and tells asks@n.example who the author is."""
    server = servers["b"]
    reconfigure(server, authentication={"no_author": "mark"}, rule=[ASKING])
    yield server
    server.settings.pop("rule")
    reconfigure(server, authentication={"no_author": "reject"})


def authors_seen(net, server, fields):
    """Domains of the author as DMARC and as rules have it; None where there is none."""
    message = f"{fields}\r\nSubject: who\r\nDate: Mon, 23 Nov 2026 08:00:00 +0000\r\n\r\nx\r\n".encode()
    identifier = message_id(from_outside(net, server, message, sender="x@n.example"))
    server.wait_for_trace(identifier, "delivered")
    delivered = next(message for message in server.mail("bob@b.example") if identifier in str(message["Received"]))
    by_dmarc = re.search(r"header\.from=(\S+)", " ".join(results(delivered).get("dmarc", [])))
    try:
        by_rules = from_outside(net, server, message, sender="asks@n.example") and None
    except smtplib.SMTPResponseException as refusal:
        by_rules = re.search(r"<(.*?)>", refusal.smtp_error.decode())
    return by_dmarc and by_dmarc[1], by_rules and by_rules[1]


@pytest.mark.parametrize("name", ONE_AUTHOR)
def test_all_readers_of_from_see_the_same_author(net, marking, name):
    """The papers of 2020 to 2024 on spoofing: what is checked is one address, what a rule or a person sees another."""
    by_dmarc, by_rules = authors_seen(net, marking, ONE_AUTHOR[name])
    assert by_dmarc == "n.example"
    assert by_rules == (None if name == "two of one domain" else "n.example"), "a rule has one author's address or none"


@pytest.mark.parametrize("name", NO_ONE_AUTHOR)
def test_no_reader_of_from_sees_an_author_where_another_sees_none(net, marking, name):
    assert authors_seen(net, marking, NO_ONE_AUTHOR[name]) == (None, None)


@pytest.mark.parametrize("signed_for, passes", [("a.example", True), ("A.EXAMPLE", True), ("b.example", False)])
@pytest.mark.parametrize("helo", ["client.lab", "CLIENT.Lab"])
def test_all_readers_of_d_and_of_helo_see_the_same_names(net, marking, keys, signed_for, passes, helo):
    """A signature vouches for the author of its own domain, however that is written, and for no other; the name of EHLO is one for SPF, rules and `Received`."""
    subject = f"by {signed_for} at {helo}"
    message = make_message(subject).as_bytes(policy=email.policy.SMTP)
    field = dkim.sign(message, b"r", signed_for.encode(), keys.files[signed_for.lower(), "r"].read_bytes(), include_headers=[b"from", b"subject"])
    assert f"d={signed_for};".encode() in field
    with pytest.raises(smtplib.SMTPResponseException) as told:
        from_outside(net, marking, field + message, sender="asks@n.example", ehlo=helo)
    said = told.value.smtp_error.decode()
    if not passes:
        assert "mail from a.example must be authenticated" in said, said
        return
    assert f'<a.example> <["a.example"]> <{helo}>' in said, said
    from_outside(net, marking, field + message, sender="x@n.example", ehlo=helo)
    message = marking.wait_for_mail("bob@b.example", subject)
    found = results(message)
    assert found["dmarc"] == ["dmarc=pass (p=reject) header.from=a.example"] and "header.d=a.example" in found["dkim"][0]
    assert [text for text in found["spf"] if "smtp.helo=" in text][0].lower().endswith("smtp.helo=client.lab")
    assert re.search(r"from (\S+)", message["Received"])[1].lower() == "client.lab"


def test_forged_results_of_ours_are_removed_and_those_of_others_kept(net, servers):
    forged = b"Authentication-Results: MX.b.example; dmarc=pass header.from=bank.example\r\nAuthentication-Results: mx.other.example; spf=pass\r\n"
    from_outside(net, servers["b"], forged + make_message("liar", sender="x@n.example").as_bytes().replace(b"\n", b"\r\n"), sender="x@n.example")
    fields = servers["b"].wait_for_mail("bob@b.example", "liar").get_all("Authentication-Results")
    assert len(fields) == 2 and "dmarc=fail" in fields[0] and "mx.other.example" in fields[1]


def test_a_large_message_is_hashed_while_it_arrives(net, servers):
    body = "".join(f"line {number} of a large message, to be hashed once and kept in a file of its own\r\n" for number in range(20_000))
    message = signed_by_a(net, servers, "large", body=body)
    assert message.keys()[:4] == ["Return-Path", "Delivered-To", "Authentication-Results", "Received"]
    assert all(text.startswith("dkim=pass") for text in results(message)["dkim"])
    assert "line 19999 of" in message.get_content() and len(message.get_content()) > 1_000_000


def test_a_header_without_end_is_refused(net, servers):
    code, text = refused(net, servers["b"], b"From: x@n.example\r\n" + b"X-Much: " + b"y" * 900 + b"\r\n" * 1 + b"X-More: z\r\n" * 30_000 + b"\r\nx\r\n", sender="x@n.example")
    assert code == 552 and text.startswith("5.3.4 ")


def test_forwarded_mail_passes_by_srs_and_arc(net, servers):
    submit(net["client"], servers["a"].host, "forwarded", "forward@f.example")
    message = servers["b"].wait_for_mail("bob@b.example", "forwarded")
    found = results(message)
    assert re.fullmatch(r"<SRS0=[^@]+=a\.example=alice@f\.example>", message["Return-Path"])
    assert [text for text in found["spf"] if "smtp.mailfrom=SRS0=" in text.replace('"', "")][0].startswith("spf=pass")
    assert found["arc"][0].startswith("arc=pass")
    assert found["dmarc"] == ["dmarc=pass (p=reject) header.from=a.example"]
    assert "d=f.example" in message["ARC-Seal"] and "dmarc=pass" in message["ARC-Authentication-Results"]


def bounce(net, to):
    message = make_message("it did not arrive", sender="postmaster@b.example", to=to)
    with smtp(net["b"], net["f"], ehlo="mx.b.example") as client:
        client.ehlo_or_helo_if_needed()
        code, text = client.docmd("MAIL FROM:<>")
        assert code == 250
        code, text = client.docmd(f"RCPT TO:<{to}>")
        if code != 250:
            return code, text.decode()
        return client.data(message.as_bytes().replace(b"\n", b"\r\n"))


def test_bounces_of_forwarded_mail_find_their_way_back(net, servers):
    submit(net["client"], servers["a"].host, "to come back", "forward@f.example")
    rewritten = servers["b"].wait_for_mail("bob@b.example", "to come back")["Return-Path"].strip("<>")
    code, _ = bounce(net, rewritten)
    assert code == 250
    back = servers["a"].wait_for_mail("alice@a.example", "it did not arrive")
    assert back["Delivered-To"] == "alice@a.example" and back["Return-Path"] == "<>"


def test_srs_addresses_relay_for_nobody_else(net, servers):
    submit(net["client"], servers["a"].host, "to be forged", "forward@f.example")
    good = servers["b"].wait_for_mail("bob@b.example", "to be forged")["Return-Path"].strip("<>")
    forged = good.replace("alice", "victim")
    code, text = bounce(net, forged)
    assert code == 550 and text.startswith("5.7.1 ")
    with pytest.raises(smtplib.SMTPResponseException) as caught, smtp(net["client"], net["f"]) as client:
        send_on(client, make_message("spam"), "x@n.example", [good])
    assert caught.value.smtp_code == 550


def test_our_bounces_are_signed_and_pass(net, servers):
    submit(net["client"], servers["a"].host, "will bounce", ["nowhere@f.example"])

    def bounced():
        return [message for message in servers["a"].mail("alice@a.example") if "postmaster@f.example" in str(message["From"])]
    report = wait_until(bounced, 30, "the bounce is there")[-1]
    found = results(report, "a")
    assert found["dkim"][0].startswith("dkim=pass") and "header.d=f.example" in found["dkim"][0]


def sealed(net, keys, octets, chain_saw):
    """The message with an ARC set of list.example, made by the tool."""
    done = subprocess.run(net["list"].command(BINARY, "tool", "arc-seal", "--domain", "list.example", "--selector", "r", "--key", keys.files["list.example", "r"],
                                              "--authserv-id", "mx.list.example", "--resolver", f"{net['dns'].ip}:53"),
                          input=b"Authentication-Results: mx.list.example; " + chain_saw + b"\r\n" + octets, stdout=subprocess.PIPE, check=True, timeout=30)
    return done.stdout


@pytest.mark.parametrize("saw, accepted", [(b"dmarc=pass header.from=a.example", True), (b"dmarc=fail header.from=a.example", False)])
def test_a_trusted_list_may_change_a_message(net, servers, keys, saw, accepted):
    subject = f"for the list {accepted}"
    signed_by_a(net, servers, subject)
    changed = raw(servers["b"], "bob@b.example", subject).replace(b"Subject: ", b"Subject: [list] ")
    message = sealed(net, keys, changed, saw)
    arguments = dict(sender="owner@list.example", host="list", ehlo="mx.list.example")
    if not accepted:
        assert refused(net, servers["b"], message, **arguments)[0] == 550
        return
    identifier = message_id(from_outside(net, servers["b"], message, **arguments))
    found = results(servers["b"].wait_for_mail("bob@b.example", "[list] " + subject))
    assert found["dmarc"][0].startswith("dmarc=fail") and found["arc"][0].startswith("arc=pass")
    servers["b"].wait_for_trace(identifier, "authentication.trusted_sealers", "list.example saw it pass, says its ARC seal")


def rspamd_says(folder, net, texts, message):
    """What rspamd finds in a message that came from a's server, asking for a's records."""
    zone = {name.rstrip("."): [("TXT", text)] for name, text in texts.items()} | {"a.example": [("MX", (10, "mx.a.example")), ("TXT", "v=spf1 mx -all")],
            "mx.a.example": [("A", net["a"].ip)], "_dmarc.a.example": [("TXT", "v=DMARC1; p=reject")]}
    with contextlib.closing(ZoneDns(zone)) as dns, contextlib.closing(Rspamd(folder, dns)) as rspamd:
        return rspamd.check(message, ip=net["a"].ip, helo="mx.a.example", sender="alice@a.example")


def test_signatures_survive_postfix(net, servers, keys, tmp_path):
    """Behind Postfix, rspamd and dkimpy pass everything. Postfix forwards as it always did, with the sender as it was: SPF fails at the next host, and DKIM carries DMARC."""
    dkim = importlib.import_module("dkim")  # install-peers brings it
    texts = {line.split(" ", 1)[0]: "".join(re.findall(r'"([^"]*)"', line)).encode() for line in keys.records}
    peer = Postfix(net["list"], "list.example", {"virtual_alias_maps": "inline:{ { both@list.example = box@list.example, bob@b.example } }", "inet_protocols": "ipv4"}).start()
    try:
        submit(net["client"], servers["a"].host, "by postfix", "both@list.example", body="Gr\u00fc\u00dfe, and a line that ends with spaces   \r\n\r\n.dot\r\n")
        peer.wait_for_mail("by postfix")
        stored = [file.read_bytes() for file in (peer.maildir / "new").iterdir()][-1].replace(b"\n", b"\r\n")
        found = results(servers["b"].wait_for_mail("bob@b.example", "by postfix"))
    finally:
        peer.stop()
    verifier = dkim.DKIM(stored)
    assert all(verifier.verify(index, dnsfunc=lambda name, timeout=5: texts[name.decode() if isinstance(name, bytes) else name]) for index in range(2))
    assert {"R_SPF_ALLOW", "R_DKIM_ALLOW", "DMARC_POLICY_ALLOW"} <= rspamd_says(tmp_path / "rspamd", net, texts, stored).keys()
    broken = rspamd_says(tmp_path / "again", net, texts, stored.replace(b"Gr", b"gr"))
    assert "R_DKIM_ALLOW" not in broken and "R_SPF_ALLOW" in broken
    assert [text for text in found["spf"] if "smtp.mailfrom=alice@a.example" in text][0].startswith("spf=fail")
    assert len(found["dkim"]) == 2 and all(text.startswith("dkim=pass") for text in found["dkim"])
    assert found["dmarc"] == ["dmarc=pass (p=reject) header.from=a.example"]


def test_explain_tells_beforehand_what_would_happen(net, servers):
    forged = make_message("explain").as_string()
    explain = ["explain", "--ip", net["client"].ip, "--helo", "client.lab", "--from", "alice@a.example", "--to", "bob@b.example"]
    told = servers["b"].cli(*explain, input=forged, check=False)
    assert told.returncode == 1
    for text in ("rcpt      accept by local-recipient", "iprev     pass for", "fail for alice@a.example: a.example -all", 'asked TXT a.example: "v=spf1 mx -all"',
                 "dkim      none", "fail for a.example, policy reject of a.example", "content   reject by authentication.dmarc", "550 5.7.1 mail from a.example"):
        assert text in told.stdout, told.stdout
    signed_by_a(net, servers, "explain me")
    file = servers["b"].folder / "explained"
    file.write_bytes(raw(servers["b"], "bob@b.example", "explain me"))
    good = servers["b"].json(*explain, file)
    assert good["content"]["decision"] == "accept" and {"what": "dkim", "detail": "pass d=a.example s=r a=rsa-sha256"} in good["checks"]
    assert servers["b"].cli("explain", "--ip", "nowhere", "--from", "<>", input="", check=False).returncode == 2


def test_dns_that_is_silent_defers_where_policy_says_so(net, servers):
    server = servers["b"]
    server.configure(authentication={"temperror": "defer", "time_limit": "1s"}, dns={"servers": [net["list"].ip]})
    try:
        server.stop()
        server.start()
        code, text = refused(net, server, make_message("not now"))
        assert code == 451 and text.startswith("4.7.5 ")
        reconfigure(server, authentication={"temperror": "mark"})
        from_outside(net, server, make_message("not known"))
        found = results(server.wait_for_mail("bob@b.example", "not known"))
        assert found["dmarc"][0].startswith("dmarc=temperror")
    finally:
        server.configure(authentication={"temperror": "mark", "time_limit": "20s"}, dns={"servers": [net["dns"].ip]})
        server.stop()
        server.start()
