"""TLS beyond the certificate: stapled OCSP responses, tickets, floor and ciphers, and clients that log in by their own certificates."""

import re
import subprocess

import pytest
from clients import make_message, submit
from lab import run, wait_until
from peers import Authority, Postfix
from thurn import message_id


@pytest.fixture(scope="module")
def authority(lab):
    return Authority(lab.folder, "authority")


@pytest.fixture(scope="module")
def pair(authority):
    return authority.sign("mx.a.example", "DNS:mx.a.example")


@pytest.fixture(scope="module")
def server(make_thurn, authority, pair):
    response = authority.say_good(pair[0], authority.folder / "response.der")
    return make_thurn("a", tls={"certificate": str(pair[0]), "private_key": str(pair[1]), "ocsp_response": str(response), "client_ca": str(authority.certificate)},
                      outbound={"tls_certificate": str(pair[0]), "tls_private_key": str(pair[1])})


def s_client(lab, server, *arguments, lines="QUIT\n"):
    command = lab["client"].command("openssl", "s_client", "-connect", f"{server.host.ip}:465", "-servername", "mx.a.example", "-crlf", "-ign_eof", *map(str, arguments))
    return subprocess.run(command, input=lines, text=True, capture_output=True, timeout=30)


def test_ocsp_response_is_stapled_for_who_asks(lab, server, authority):
    told = s_client(lab, server, "-status", "-CAfile", authority.certificate).stdout
    assert "OCSP Response Status: successful" in told and "Cert Status: good" in told, told
    assert "Verify return code: 0 (ok)" in told
    assert "OCSP" not in s_client(lab, server).stdout


def test_unfit_ocsp_response_is_warned_of_and_left_out(lab, make_thurn, authority, pair):
    response = authority.folder / "other.der"
    other = authority.sign("other.example", "DNS:other.example")
    authority.say_good(other[0], response)
    server = make_thurn("b", tls={"certificate": str(pair[0]), "private_key": str(pair[1]), "ocsp_response": str(response)})
    assert f"event=ocsp_not_stapled reason=\"{response}: the OCSP response is not about this certificate\"" in server.log_text()
    assert any(remark["weight"] == "warning" and str(response) in remark["text"] for remark in server.json("check"))
    assert "no response sent" in s_client(lab, server, "-status").stdout
    fresh = authority.say_good(pair[0], authority.folder / "fresh.der")
    fresh.rename(response)
    wait_until(lambda: "OCSP Response Status: successful" in s_client(lab, server, "-status").stdout, 15, "the new response is stapled", step=0.5)


def test_tickets_resume_sessions(lab, server):
    kept = lab.folder / "session.pem"
    for version in ("-tls1_2", "-tls1_3"):
        first = s_client(lab, server, version, "-sess_out", kept, lines="EHLO client.lab\nQUIT\n").stdout
        assert "New, TLSv1" in first, first
        assert "Reused, TLSv1" in s_client(lab, server, version, "-sess_in", kept).stdout


def test_floor_and_ciphers(lab, make_thurn, pair):
    server = make_thurn("b", tls={"certificate": str(pair[0]), "private_key": str(pair[1]), "minimum_version": "1.3", "ciphersuites": "TLS_CHACHA20_POLY1305_SHA256"})
    assert "Cipher is TLS_CHACHA20_POLY1305_SHA256" in s_client(lab, server).stdout
    assert s_client(lab, server, "-tls1_2").returncode != 0
    server.stop()


def test_unknown_ciphers_are_refused_with_their_place(server):
    kept = server.settings["tls"]
    try:
        server.configure(tls={"ciphersuites": "NONSENSE"})
        done = server.cli("check", check=False)
        assert done.returncode == 2 and "tls.ciphersuites" in done.stderr + done.stdout and "NONSENSE" in done.stderr + done.stdout
    finally:
        server.settings["tls"] = kept
        server.configure()


# Client certificates

def msmtp(lab, server, pair, subject, login="alice@a.example", way=("--auth=external",)):
    command = lab["client"].command("msmtp", "--file=/dev/null", f"--host={server.host.ip}", "--port=587", "--tls=on", "--tls-certcheck=off", *way, f"--user={login}",
                                    *([f"--tls-cert-file={pair[0]}", f"--tls-key-file={pair[1]}"] if pair else []), "--from=alice@a.example", "bob@a.example")
    return subprocess.run(command, input=make_message(subject).as_string(), text=True, capture_output=True, timeout=60)


def test_login_by_certificate(lab, server, authority):
    done = msmtp(lab, server, authority.sign("alice", "email:alice@a.example"), "by certificate")
    assert done.returncode == 0, done.stderr
    mail = server.wait_for_mail("bob@a.example", "by certificate")
    server.wait_for_log(r"event=auth .*mechanism=EXTERNAL login=alice@a\.example result=ok")
    received = " ".join(mail["Received"].split())
    assert re.search(r"\(TLSv1\.3 with TLS_\w+, client certificate verified\)", received), received
    server.wait_for_trace(message_id(received), "client certificate verified")


def test_certificate_of_a_stranger_is_not_told_as_verified(lab, server):
    stranger = Authority(lab.folder, "unknown")
    for subject, pair in (("with a stranger's", stranger.sign("alice", "email:alice@a.example")), ("without one", None)):
        done = msmtp(lab, server, pair, subject, way=("--auth=plain", "--passwordeval=echo correct horse battery"))
        assert done.returncode == 0, done.stderr
        received = " ".join(server.wait_for_mail("bob@a.example", subject)["Received"].split())
        assert re.search(r"\(TLSv1\.3 with TLS_\w+\)", received), received


@pytest.mark.parametrize("whose", ["email:nobody@a.example", "email:alice@b.example"])
def test_certificate_of_no_account(lab, server, authority, whose):
    done = msmtp(lab, server, authority.sign(whose.replace(":", "-"), whose), "of no account", login=whose.partition(":")[2])
    assert done.returncode != 0 and "535" in done.stderr + done.stdout, done.stderr


def test_certificate_does_not_make_one_somebody_else(lab, server, authority):
    done = msmtp(lab, server, authority.sign("alice", "email:alice@a.example"), "as bob", login="bob@a.example")
    assert done.returncode != 0 and "535" in done.stderr + done.stdout, done.stderr


def test_certificate_without_a_mailbox_or_of_a_stranger_does_not_count(lab, server, authority):
    stranger = Authority(lab.folder, "stranger")
    for certificate, key in (stranger.sign("alice", "email:alice@a.example"), authority.sign("host", "DNS:alice.a.example")):
        told = s_client(lab, server, "-cert", certificate, "-key", key, lines="EHLO client.lab\nQUIT\n").stdout
        assert "250-AUTH " in told and "EXTERNAL" not in told, told


def test_disabled_account_cannot_log_in_by_certificate(lab, server, authority):
    pair = authority.sign("bob", "email:bob@a.example")
    server.cli("account", "disable", "bob@a.example")
    try:
        done = msmtp(lab, server, pair, "disabled", login="bob@a.example")
        assert done.returncode != 0 and "535" in done.stderr + done.stdout
    finally:
        server.cli("account", "enable", "bob@a.example")


def test_own_certificate_is_shown_to_servers_that_ask(lab, server, authority):
    postfix = Postfix(lab["b"], "b.example", {"smtpd_tls_ask_ccert": "yes", "smtpd_tls_CAfile": f"{authority.certificate}"}).start()
    try:
        submit(lab["client"], server.host, "with our certificate", "someone@b.example")
        received = " ".join(" ".join(postfix.wait_for_mail("with our certificate").get_all("Received")).split())
        assert '(Client CN "mx.a.example", Issuer "authority" (verified OK))' in received
    finally:
        postfix.stop()
