"""Logins by token: OAUTHBEARER and XOAUTH2 with curl and msmtp, the tokens told apart by an identity provider of ours, which is asked or whose keys are read."""

import base64
import email.policy
import http.server
import json
import subprocess
import threading
import time
import urllib.parse

import jwt
import pytest
from clients import converse, make_message
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

AUDIENCE = "mail"
CLIENT = "thurn:client secret"


class Provider(http.server.ThreadingHTTPServer):
    """Gives out tokens, and answers at /introspect (RFC 7662) and /keys (RFC 7517). `fault`: "down" or "slow"."""

    daemon_threads = True

    def __init__(self, host):
        with host.inside():
            super().__init__(("127.0.0.1", 0), Answer)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.keys = {}
        self.add_key("first", rsa.generate_private_key(65537, 2048), "RS256")
        self.add_key("second", ec.generate_private_key(ec.SECP256R1()), "ES256")
        self.add_key("third", ed25519.Ed25519PrivateKey.generate(), "EdDSA")
        self.asked = []
        self.fault = None
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def add_key(self, name, key, algorithm):
        self.keys[name] = (key, algorithm)

    def token(self, email="alice@a.example", key="first", **claims):
        private, algorithm = self.keys[key]
        body = {"iss": self.url, "aud": AUDIENCE, "exp": int(time.time()) + 300, "email": email, **claims}
        return jwt.encode(body, private, algorithm, headers={"kid": key})

    def key_set(self):
        makers = {"RS256": jwt.algorithms.RSAAlgorithm, "EdDSA": jwt.algorithms.OKPAlgorithm}
        entries = []
        for name, (key, algorithm) in self.keys.items():
            if algorithm == "ES256":
                numbers = key.public_key().public_numbers()
                x, y = (base64.urlsafe_b64encode(number.to_bytes(32, "big")).rstrip(b"=").decode() for number in (numbers.x, numbers.y))
                entry = {"kty": "EC", "crv": "P-256", "x": x, "y": y}
            else:
                entry = json.loads(makers[algorithm].to_jwk(key.public_key()))
            entries.append({**entry, "kid": name, "use": "sig"})
        return {"keys": entries}

    def introspect(self, token):
        for key, algorithm in self.keys.values():
            try:
                claims = jwt.decode(token, key.public_key(), algorithms=[algorithm], audience=AUDIENCE)
                return {"active": True, **claims}
            except jwt.PyJWTError:
                continue
        return {"active": False}


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        self.reply(200 if self.path == "/keys" else 404, self.server.key_set())

    def do_POST(self):
        self.server.asked.append(self.path)
        form = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        if self.server.fault == "slow":
            time.sleep(8)
        expected = "Basic " + base64.b64encode(CLIENT.encode()).decode()
        if self.headers.get("Authorization") != expected:
            return self.reply(401, {})
        self.reply(500 if self.server.fault == "down" else 200, self.server.introspect(form["token"][0]))

    def reply(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def provider(lab):
    made = Provider(lab["a"])
    yield made
    made.shutdown()


@pytest.fixture(scope="module", params=["introspection", "keys"])
def server(request, lab, make_thurn, provider):
    secret = lab.folder / "oauth-client"
    secret.write_text(CLIENT + "\n")
    means = {"introspection": f"{provider.url}/introspect", "credentials": f"file:{secret}"} if request.param == "introspection" else \
            {"keys": f"{provider.url}/keys", "issuer": provider.url, "audience": AUDIENCE}
    made = make_thurn("a", oauth=means)
    made.means = request.param
    return made


def curl(lab, server, token, subject):
    command = lab["client"].command("curl", "--silent", "--show-error", "--insecure", "--url", f"smtps://{server.host.ip}:465", "--oauth2-bearer", token, "--user", "alice@a.example",
                                    "--mail-from", "alice@a.example", "--mail-rcpt", "bob@a.example", "--upload-file", "-")
    return subprocess.run(command, input=make_message(subject).as_bytes(policy=email.policy.SMTP), capture_output=True, timeout=60)


@pytest.mark.parametrize("key", ["first", "second", "third"])
def test_curl(lab, server, provider, key):
    subject = f"{server.means} {key}"
    done = curl(lab, server, provider.token(key=key), subject)
    assert done.returncode == 0, done.stderr
    server.wait_for_mail("bob@a.example", subject)
    server.wait_for_log(r"event=auth .*mechanism=OAUTHBEARER login=alice@a\.example result=ok")


def msmtp(lab, server, mechanism, token, subject):
    command = lab["client"].command("msmtp", "--file=/dev/null", f"--host={server.host.ip}", "--port=587", "--tls=on", "--tls-certcheck=off", f"--auth={mechanism}",
                                    "--user=alice@a.example", f"--passwordeval=echo {token}", "--from=alice@a.example", "bob@a.example")
    return subprocess.run(command, input=make_message(subject).as_string(), text=True, capture_output=True, timeout=60)


@pytest.mark.parametrize("mechanism", ["oauthbearer", "xoauth2"])
def test_msmtp(lab, server, provider, mechanism):
    subject = f"msmtp {mechanism} {server.means}"
    done = msmtp(lab, server, mechanism, provider.token(), subject)
    assert done.returncode == 0, done.stderr
    server.wait_for_mail("bob@a.example", subject)
    server.wait_for_log(rf"event=auth .*mechanism={mechanism.upper()} login=alice@a\.example result=ok")


@pytest.mark.parametrize("mechanism", ["oauthbearer", "xoauth2"])
@pytest.mark.parametrize("why", ["expired", "of another issuer's key", "for others", "of no account", "of another account", "no token"])
def test_bad_token(lab, server, provider, mechanism, why):
    tokens = {"expired": lambda: provider.token(exp=int(time.time()) - 600), "for others": lambda: provider.token(aud="calendar"),
              "of another issuer's key": lambda: jwt.encode({"iss": provider.url, "aud": AUDIENCE, "exp": int(time.time()) + 300, "email": "alice@a.example"},
                                                            rsa.generate_private_key(65537, 2048), "RS256", headers={"kid": "first"}),
              "of no account": lambda: provider.token("nobody@a.example"), "of another account": lambda: provider.token("bob@a.example"), "no token": lambda: "rubbish"}
    before = len(server.log_text())
    done = msmtp(lab, server, mechanism, tokens[why](), "must not arrive")
    assert done.returncode == 77, (done.returncode, done.stderr)  # EX_NOPERM
    server.wait_for_log(rf"event=auth .*mechanism={mechanism.upper()} .*result=refused .*code=535", after=before)
    assert len([line for line in server.log_text()[before:].splitlines() if "event=auth " in line]) == 1


def test_what_is_wrong_is_told_in_a_challenge(lab, server):
    with converse(lab["client"], server.host, 587) as conversation:
        conversation.say("EHLO client.lab")
        conversation.start_tls()
        assert "OAUTHBEARER XOAUTH2" in conversation.say("EHLO client.lab")
        said = conversation.say("AUTH OAUTHBEARER " + base64.b64encode(b"n,a=alice@a.example,\1auth=Bearer rubbish\1\1").decode())
        assert said.startswith("334 ") and json.loads(base64.b64decode(said[4:]))["status"] == "invalid_token"
        assert conversation.say("AQ==").startswith("535 5.7.8")


def test_token_reaches_no_log(lab, server, provider):
    token = provider.token("nobody@a.example")
    curl(lab, server, token, "must not arrive")
    assert token not in server.log_text() and token.split(".")[2] not in server.log_text()


@pytest.mark.parametrize("server", ["keys"], indirect=True)
def test_new_key_is_fetched(lab, server, provider):
    provider.add_key("fourth", ec.generate_private_key(ec.SECP256R1()), "ES256")
    before = provider.asked.count("/keys")
    for _ in range(3):
        curl(lab, server, jwt.encode({"email": "alice@a.example"}, rsa.generate_private_key(65537, 2048), "RS256", headers={"kid": "unknown"}), "must not arrive")
    assert provider.asked.count("/keys") <= before + 1, "unknown keys must not make us ask all the time"


@pytest.mark.parametrize("server", ["introspection"], indirect=True)
@pytest.mark.parametrize("fault", ["down", "slow"])
def test_provider_in_trouble(lab, server, provider, fault):
    provider.fault = fault
    try:
        with converse(lab["client"], server.host, 587) as conversation:
            conversation.say("EHLO client.lab")
            conversation.start_tls()
            conversation.say("EHLO client.lab")
            said = conversation.say("AUTH OAUTHBEARER " + base64.b64encode(f"n,a=alice@a.example,\1auth=Bearer {provider.token()}\1\1".encode()).decode())
            assert said.startswith("454 4.7.0")
        server.wait_for_log(r"event=auth .*result=unavailable")
    finally:
        provider.fault = None
