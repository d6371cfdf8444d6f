"""SCRAM with real peers: clients that prove themselves to us, and servers that we prove ourselves to."""

import contextlib
import os
import socket
import subprocess
import threading

import pytest
from clients import converse, submit
from lab import run, wait_until
from peers import Postfix
from thurn import PASSWORD, message_id


@pytest.fixture(scope="module")
def server(make_thurn):
    return make_thurn("a", route=[{"recipient_domain": "b.example", "next_hop": "smtp://mx.b.example:25", "tls": "encrypt", "auth": "env:SMARTHOST_AUTH"}])


@pytest.fixture(scope="module")
def client(lab):
    return lab["client"]


@pytest.fixture(scope="module", autouse=True)
def smarthost_auth():
    os.environ["SMARTHOST_AUTH"] = "relay:mellon, my frïend=2"
    yield
    del os.environ["SMARTHOST_AUTH"]


# Clients

def test_scram_is_offered_under_tls_only(client, server):
    with converse(client, server.host, 587) as conversation:
        assert "SCRAM" not in conversation.say("EHLO client.lab")
        conversation.start_tls()
        assert "AUTH SCRAM-SHA-256-PLUS SCRAM-SHA-256 SCRAM-SHA-1-PLUS SCRAM-SHA-1 PLAIN LOGIN" in conversation.say("EHLO client.lab")


def msmtp(client, server, mechanism, subject, password=PASSWORD):
    command = client.command("msmtp", "--file=/dev/null", f"--host={server.host.ip}", "--port=587", "--tls=on", "--tls-certcheck=off", f"--auth={mechanism}",
                             "--user=alice@a.example", f"--passwordeval=echo {password}", "--from=alice@a.example", "bob@a.example")
    return subprocess.run(command, input=f"From: alice@a.example\nTo: bob@a.example\nSubject: {subject}\n\nHello.\n", text=True, capture_output=True, timeout=60)


@pytest.mark.parametrize("mechanism", ["scram-sha-256", "scram-sha-1", "on"])
def test_msmtp(client, server, mechanism):
    done = msmtp(client, server, mechanism, f"msmtp {mechanism}")
    assert done.returncode == 0, done.stderr
    server.wait_for_mail("bob@a.example", f"msmtp {mechanism}")
    if mechanism != "on":  # on: its own choice
        server.wait_for_log(f"event=auth .*mechanism={mechanism.upper()} .*result=ok")


def test_msmtp_with_the_wrong_password(client, server):
    done = msmtp(client, server, "scram-sha-256", "wrong", password="wrong")
    assert done.returncode != 0 and "535" in done.stdout + done.stderr
    server.wait_for_log(r"event=auth .*mechanism=SCRAM-SHA-256 .*login=alice@a\.example .*result=refused")


class EhloFirst:
    """Stands between gsasl and the server: gsasl says STARTTLS without EHLO before. From there on it passes octets on, both ways."""

    def __init__(self, host, server):
        with host.inside():
            self.listener = socket.create_server((host.ip, 0))
            self.server = socket.create_connection((server.host.ip, 587), timeout=30)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.pass_on, daemon=True).start()

    def pass_on(self):
        client, _ = self.listener.accept()
        client.sendall(self.server.recv(4096))
        line = b""
        while not line.endswith(b"\n"):  # it comes in two pieces
            line += client.recv(1)
        assert line == b"STARTTLS\r\n"
        self.server.sendall(b"EHLO client.lab\r\n")
        self.server.recv(4096)
        self.server.sendall(b"STARTTLS\r\n")
        threading.Thread(target=self.copy, args=(self.server, client), daemon=True).start()
        self.copy(client, self.server)

    @staticmethod
    def copy(source, sink):
        with contextlib.suppress(OSError):
            while octets := source.recv(4096):
                sink.sendall(octets)
            sink.shutdown(socket.SHUT_WR)


def gsasl(client, server, mechanism, password=PASSWORD, login="alice@a.example"):
    port = EhloFirst(client, server).port
    command = client.command("gsasl", "--client", "--smtp", f"--connect={client.ip}:{port}", "--starttls", f"--mechanism={mechanism}",
                             f"--authentication-id={login}", f"--password={password}", "--x509-ca-file=", "--no-client-first")
    return subprocess.run(command, input="", text=True, capture_output=True, timeout=60)


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS"])
def test_gsasl_binds_the_channel(client, server, mechanism):
    done = gsasl(client, server, mechanism)
    assert "235 2.7.0" in done.stdout, done.stdout + done.stderr
    server.wait_for_log(f"event=auth .*mechanism={mechanism} .*result=ok")


@pytest.mark.parametrize("login", ["alice@a.example", "nobody@a.example"])
def test_gsasl_with_the_wrong_password(client, server, login):
    done = gsasl(client, server, "SCRAM-SHA-256-PLUS", password="wrong", login=login)
    assert "535 5.7.8" in done.stdout and "235" not in done.stdout, done.stdout + done.stderr


# CRAM-MD5

@pytest.fixture(scope="module")
def old_fashioned(make_thurn):
    server = make_thurn("b", submission={"cram_md5": True})
    server.add_account("late@b.example")
    server.configure(submission={"cram_md5": False})  # for the command line; the running server goes on as it is
    server.add_account("never@b.example")
    return server


def test_cram_md5_is_not_offered_unless_wanted(client, server):
    with converse(client, server.host, 587) as conversation:
        conversation.say("EHLO client.lab")
        conversation.start_tls()
        assert "CRAM-MD5" not in conversation.say("EHLO client.lab")
        assert conversation.say("AUTH CRAM-MD5").startswith("504 5.5.4")


def swaks(client, server, user, password=PASSWORD, mechanism="CRAM-MD5"):
    return run(*client.command("swaks", "--server", server.host.ip, "--port", "587", "-tls", "--auth", mechanism, "--auth-user", user, "--auth-password", password,
                               "--from", user, "--to", "alice@b.example", "--header", f"Subject: swaks {user}"), check=False)


def test_cram_md5_by_swaks_msmtp_and_gsasl(client, old_fashioned):
    done = swaks(client, old_fashioned, "late@b.example")
    assert done.returncode == 0, done.stdout
    old_fashioned.wait_for_mail("alice@b.example", "swaks late@b.example")
    old_fashioned.wait_for_log(r"event=auth .*mechanism=CRAM-MD5 login=late@b\.example result=ok")
    assert "235 2.7.0" in gsasl(client, old_fashioned, "CRAM-MD5", login="late@b.example").stdout
    command = client.command("msmtp", "--file=/dev/null", f"--host={old_fashioned.host.ip}", "--port=587", "--tls=on", "--tls-certcheck=off", "--auth=cram-md5",
                             "--user=late@b.example", f"--passwordeval=echo {PASSWORD}", "--from=late@b.example", "alice@b.example")
    done = subprocess.run(command, input="Subject: msmtp cram\n\nHello.\n", text=True, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    old_fashioned.wait_for_mail("alice@b.example", "msmtp cram")


@pytest.mark.parametrize("login, password", [("late@b.example", "wrong"), ("never@b.example", PASSWORD), ("nobody@b.example", PASSWORD)])
def test_cram_md5_tells_nobody_why_it_refuses(client, old_fashioned, login, password):
    done = swaks(client, old_fashioned, login, password)
    assert done.returncode != 0 and "535 5.7.8 Authentication failed" in done.stdout, done.stdout
    if login == "never@b.example":
        assert swaks(client, old_fashioned, login, mechanism="PLAIN").returncode == 0


# Smarthosts

class DovecotAuth:
    """Dovecot's auth server alone, at `socket`, with one user whose password it keeps for `mechanism` only."""

    def __init__(self, host, socket, mechanism, user, password):
        folder = host.lab.folder / f"dovecot-auth-{mechanism}"
        folder.mkdir()
        scheme = {"plain": "SHA512-CRYPT", "login": "SHA512-CRYPT"}.get(mechanism, mechanism.upper())
        hashed = run("doveadm", "pw", "-s", scheme, "-p", password).stdout.strip()
        (folder / "passwd").write_text(f"{user}:{hashed}\n")
        (folder / "passwd").chmod(0o644)
        (folder / "conf").write_text(f"""
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols =
ssl = no
auth_mechanisms = {mechanism}
service auth {{
  unix_listener {socket} {{
    mode = 0666
  }}
}}
passdb {{
  driver = passwd-file
  args = {folder}/passwd
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home=/nonexistent
}}
""")
        self.process = host.start("dovecot", "-F", "-c", folder / "conf", log=folder / "output")
        wait_until(socket.exists, 20, "Dovecot's auth server listens")

    def stop(self):
        self.process.terminate()
        self.process.wait(20)


@pytest.fixture(scope="module")
def smarthost(lab):
    """Postfix, which takes mail only from who logs in. Each test starts it anew: thurn keeps connections for a while, and logs in once on each."""
    path = lab.folder / "smarthost-auth"
    peer = Postfix(lab["b"], "b.example", settings={
        "smtpd_sasl_auth_enable": "yes", "smtpd_sasl_type": "dovecot", "smtpd_sasl_path": path, "smtpd_tls_auth_only": "yes",
        "mynetworks": "127.0.0.0/8", "smtpd_recipient_restrictions": "permit_sasl_authenticated, reject"})
    peer.socket = path
    return peer


@pytest.mark.parametrize("mechanism", ["scram-sha-256", "scram-sha-1", "cram-md5", "plain", "login"])
def test_thurn_logs_in_at_postfix_with_dovecot(lab, server, smarthost, mechanism):
    auth = DovecotAuth(lab["b"], smarthost.socket, mechanism, "relay", "mellon, my frïend=2")
    smarthost.start()
    try:
        identifier = message_id(submit(lab["client"], server.host, f"by {mechanism}", "someone@b.example"))
        smarthost.wait_for_mail(f"by {mechanism}")
        assert f"sasl_method={mechanism.upper()}, sasl_username=relay" in smarthost.log_text()
        server.wait_for_trace(identifier, "delivered")
    finally:
        smarthost.stop()
        auth.stop()
