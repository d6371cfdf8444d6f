"""Policy servers outside: the real postgrey and postfwd by Postfix's policy delegation, web hooks, and such that fail in every way."""

import contextlib
import http.server
import json
import shutil
import socket
import ssl
import threading

import pytest
from clients import make_message, send_on, smtp, submit
from lab import wait_until
from peers import Authority
from scripted import FailingServer
from thurn import message_id

PORT = 10023
STRANGERS = "client.stranger"


def rcpt(lab, sender, recipient="alice@b.example"):
    """The reply to RCPT: code and text."""
    with smtp(lab["client"], lab["b"]) as client:
        client.ehlo_or_helo_if_needed()
        assert client.mail(sender)[0] == 250
        code, text = client.rcpt(recipient)
        return code, text.decode()


def send(lab, subject, sender="carl@p.example", to="alice@b.example"):
    with smtp(lab["client"], lab["b"]) as client:
        return message_id(send_on(client, make_message(subject, "Hello.\r\n", sender, to), sender, [to]))


def server_at(lab, **more):
    return {"name": "outside", "socket": f"inet:{lab['b'].ip}:{PORT}", **more}


# postgrey

@pytest.fixture(scope="module")
def postgrey(lab, tmp_path_factory):
    """postgrey on host b, at a local socket: who is new waits for two seconds."""
    folder = tmp_path_factory.mktemp("postgrey")
    place = lab.folder / "postgrey.sock"
    lab["b"].start(shutil.which("postgrey") or "/usr/sbin/postgrey", f"--unix={place}", f"--dbdir={folder}", "--delay=2", "--auto-whitelist-clients=0", "--user=root", "--group=root",
                   "--whitelist-clients=/dev/null", "--whitelist-recipients=/dev/null", "--greylist-text=Greylisted by postgrey for %s seconds", log=folder / "log")
    wait_until(place.exists, 30, lambda: f"postgrey listens; {(folder / 'log').read_text()}")
    return f"unix:{place}"


def test_postgrey_puts_off_first_and_lets_pass_then(lab, make_thurn, postgrey):
    server = make_thurn("b", relay={"networks": []}, policy_server=[{"name": "postgrey", "socket": postgrey, "when": STRANGERS}])
    code, text = rcpt(lab, "new@elsewhere.example")
    assert code == 450 and "Greylisted by postgrey for " in text, text
    wait_until(lambda: rcpt(lab, "new@elsewhere.example")[0] == 250, 20, "it passes", step=0.5)
    identifier = send(lab, "behind postgrey", "new@elsewhere.example")
    server.wait_for_mail("alice@b.example", "behind postgrey")
    server.wait_for_trace(identifier, "none by policy_server.postgrey", "postgrey said: ")
    assert rcpt(lab, "new@elsewhere.example", "nobody@b.example")[0] == 550, "nobody waits for who is not there"
    assert rcpt(lab, "new@elsewhere.example", "somebody@e.example")[0] == 550, "nobody is let relay"
    submit(lab["client"], server.host, "of a user", "alice@b.example", sender="bob@b.example")
    server.wait_for_mail("alice@b.example", "of a user")


def test_a_rule_that_rejects_behind_postgrey_wins_over_its_delay(lab, make_thurn, postgrey):
    rules = [{"name": "grey", "stage": "rcpt", "when": STRANGERS, "ask": "postgrey"},
             {"name": "unwanted", "stage": "rcpt", "when": 'sender like "unwanted@*"', "action": "reject"}]
    server = make_thurn("b", relay={"networks": []}, policy_server=[{"name": "postgrey", "socket": postgrey}], rule=rules)
    assert rcpt(lab, "unwanted@elsewhere.example")[0] == 550
    assert rcpt(lab, "wanted@elsewhere.example")[0] == 450
    server.wait_for_log(r"event=rule .*rule=grey .*result=defer .*postgrey said: DEFER_IF_PERMIT .*Greylisted")


# postfwd

@pytest.fixture(scope="module")
def postfwd(lab):
    folder = lab.folder / "postfwd"  # it reads as nobody
    folder.mkdir()
    lab.folder.chmod(lab.folder.stat().st_mode | 0o711)
    (folder / "rules").write_text("id=R1; protocol_state==RCPT; sender==rejected@elsewhere.example; action=REJECT 5.7.77 postfwd says no\n"
                                  "id=R2; protocol_state==RCPT; sender==marked@elsewhere.example; action=PREPEND X-Postfwd: $$client_name\n"
                                  "id=R3; protocol_state==END-OF-MESSAGE; size>=20000; action=HOLD too large\n")
    (folder / "rules").chmod(0o644)
    shutil.chown(folder, "nobody")
    lab["b"].run(shutil.which("postfwd1") or "/usr/sbin/postfwd1", "--daemon", "--interface", lab["b"].ip, "--port", "10040", "--file", folder / "rules", "--nodns", "--user", "nobody",
                 "--group", "nogroup", "--pidfile", folder / "pid")
    lab["b"].wait_for_port(10040, limit=30)
    return f"inet:{lab['b'].ip}:10040"


def test_postfwd_refuses_marks_and_holds(lab, make_thurn, postfwd):
    server = make_thurn("b", policy_server=[{"name": "postfwd", "socket": postfwd, "stages": ["rcpt", "content"]}])
    assert rcpt(lab, "rejected@elsewhere.example") == (550, "5.7.77 postfwd says no")
    send(lab, "marked", "marked@elsewhere.example")
    assert server.wait_for_mail("alice@b.example", "marked")["X-Postfwd"] == "client.lab"
    with smtp(lab["client"], lab["b"]) as client:
        identifier = message_id(send_on(client, make_message("large", "x" * 70 + "\r\n" * 30000), "carl@p.example", ["alice@b.example"]))
    held = next(one for one in server.queued() if one["id"] == identifier)
    assert held["recipients"][0]["reason"].startswith("held: policy_server.postfwd.content: "), held


# Servers that fail

HALF_AN_ANSWER = b"action=OK\n"


@pytest.mark.parametrize("trouble", FailingServer.troubles)
def test_a_server_that_fails_loses_and_lets_in_nothing(lab, make_thurn, trouble):
    with contextlib.nullcontext() if trouble == "absent" else contextlib.closing(FailingServer(lab["b"], PORT, trouble, HALF_AN_ANSWER)):
        server = make_thurn("b", policy_server=[server_at(lab, time_limit="1s")])
        code, text = rcpt(lab, "carl@p.example")
        assert code == 451 and text.startswith("4.3.5 "), text
        server.wait_for_log(r"event=policy_server_failed .*rule=policy_server\.outside")
        server.configure(policy_server=[server_at(lab, time_limit="1s", default_action="accept")])
        server.reload()
        server.wait_for_log("event=reloaded")
        send(lab, f"in spite of {trouble}")
        server.wait_for_mail("alice@b.example", f"in spite of {trouble}")


def test_a_connection_that_was_closed_between_two_questions_is_no_failure(lab, make_thurn):
    listener, asked = lab["b"].listen(PORT), []

    def serve():
        with contextlib.suppress(OSError):
            while True:
                peer, _ = listener.accept()
                asked.append(peer.recv(65536))
                peer.sendall(b"action=DUNNO\n\n")
                peer.close()

    threading.Thread(target=serve, daemon=True).start()
    try:
        make_thurn("b", policy_server=[server_at(lab)])
        for _ in range(3):
            assert rcpt(lab, "carl@p.example")[0] == 250
        assert len(asked) == 3
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()


class Delegate:
    """A policy server on host b that answers with `answer(attributes)`."""

    def __init__(self, host, answer):
        self.listener = host.listen(PORT)
        threading.Thread(target=self.serve, args=(answer,), daemon=True).start()

    def serve(self, answer):
        with contextlib.suppress(OSError):
            while True:
                peer, _ = self.listener.accept()
                threading.Thread(target=self.talk, args=(peer, answer), daemon=True).start()

    @staticmethod
    def talk(peer, answer):
        with contextlib.suppress(OSError), peer, peer.makefile("r") as lines:
            asked = {}
            for line in lines:
                if line.strip():
                    name, _, value = line.strip().partition("=")
                    asked[name] = value
                else:
                    peer.sendall(f"action={answer(asked)}\n\n".encode())
                    asked = {}

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def test_copies_are_sent_and_filters_are_not_passed_over(lab, make_thurn):
    def answer(asked):
        return {"copied@p.example": "BCC bob@b.example", "filtered@p.example": "FILTER smtp:[127.0.0.1]:10025"}.get(asked["sender"], "DUNNO")

    with contextlib.closing(Delegate(lab["b"], answer)):
        server = make_thurn("b", policy_server=[server_at(lab)])
        send(lab, "with a copy", "copied@p.example")
        for who in ("alice", "bob"):
            assert "bob" not in str(server.wait_for_mail(f"{who}@b.example", "with a copy")["Received"])
        send(lab, "with none", "other@p.example")
        server.wait_for_mail("alice@b.example", "with none")
        code, text = rcpt(lab, "filtered@p.example")
        assert code == 451 and text.startswith("4.3.5 "), text
        server.wait_for_log(r'event=rule .*stage=rcpt .*rule=policy_server\.outside result=defer reason=".*outside said: FILTER smtp:\[127\.0\.0\.1\]:10025 at ')


# Web hooks

class Hook:
    """A web server on host b that answers with `answer(question)`; keeps what it was asked."""

    def __init__(self, host, answer, port=8099, identity=None):
        """`identity`: the files with certificate and key, for https."""
        self.asked = []
        hook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                hook.asked.append((question, dict(self.headers)))
                status, body = answer(question)
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer((host.ip, port), Handler, bind_and_activate=False)
        self.server.daemon_threads = True
        self.server.socket.close()
        self.server.socket = host.listen(port)
        self.url = f"http://{host.ip}:{port}/policy"
        if identity:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*identity)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)  # in the connection's thread
            self.url = f"https://{host.ip}:{port}/policy"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def test_a_web_hook_decides_by_the_facts(lab, make_thurn, tmp_path):
    def answer(question):
        facts = question["facts"]
        if question["stage"] == "rcpt" and facts["sender"].startswith("rejected@"):
            return 200, json.dumps({"action": "reject", "status": "5.7.99", "text": f"not from {facts['client.name']}"}).encode()
        if question["stage"] == "content" and "urgent" in facts["header.Subject"][0]:
            return 200, json.dumps({"action": "junk", "score": 5, "header": "X-Hook: urgent"}).encode()
        return 200, b"{}"

    (tmp_path / "secret").write_text("thurn:sesame\n")
    with Hook(lab["b"], answer) as hook:
        server = make_thurn("b", policy_server=[{"name": "hook", "url": hook.url, "stages": ["rcpt"], "credentials": f"file:{tmp_path / 'secret'}"},
                                                {"name": "look", "url": hook.url, "stages": ["content"], "facts": ["header.Subject"]}])
        assert rcpt(lab, "rejected@elsewhere.example") == (550, "5.7.99 not from client.lab")
        identifier = send(lab, "rather urgent")
        server.wait_for_trace(identifier, "junk by policy_server.look", "look said: junk")
        server.wait_for_empty_queue()
        assert [file for file in server.maildir("alice@b.example").rglob("*") if file.is_file() and b"X-Hook: urgent" in file.read_bytes()]
        first, headers = hook.asked[0]
        assert first["facts"]["client.address"] == lab["client"].ip and first["facts"]["recipient"] == "alice@b.example"
        assert headers["Authorization"] == "Basic dGh1cm46c2VzYW1l" and headers["Content-Type"] == "application/json"
        assert hook.asked[-1][0]["message"] == identifier
        told = server.cli("explain", "--ip", "192.0.2.1", "--from", "carl@p.example", "--to", "alice@b.example", input="Subject: x\r\n\r\n", check=False).stdout
        assert "policy_server.hook" in told and len(hook.asked) == 3, told


@pytest.mark.parametrize("answer", [(500, b"{}"), (200, b"certainly"), (200, b'{"action": "explode"}'), (200, b" " * 100_000)], ids=["status", "text", "action", "size"])
def test_a_web_hook_that_talks_nonsense_puts_off(lab, make_thurn, answer):
    with Hook(lab["b"], lambda _: answer) as hook:
        make_thurn("b", policy_server=[{"name": "hook", "url": hook.url}])
        assert rcpt(lab, "carl@p.example")[0] == 451


# https

def say_no(_):
    return 200, b'{"action": "reject", "text": "heard over TLS"}'


@pytest.fixture(scope="module")
def authority(lab):
    return Authority(lab.folder, "hooks")


@pytest.mark.parametrize("by", ["address", "name"])
def test_a_hook_is_asked_over_tls(lab, make_thurn, authority, by):
    host = lab["b"].ip if by == "address" else "mx.b.example"
    with Hook(lab["b"], say_no, identity=authority.sign(f"good-{by}", f"IP:{host}" if by == "address" else f"DNS:{host}")) as hook:
        make_thurn("b", policy_server=[{"name": "hook", "url": hook.url.replace(lab["b"].ip, host), "ca_file": str(authority.certificate)}])
        for _ in range(2):
            assert rcpt(lab, "carl@p.example") == (550, "5.7.1 heard over TLS")
        assert len(hook.asked) == 2


@pytest.mark.parametrize("trouble, why", [("another name", "IP address mismatch"), ("an unknown authority", "self-signed certificate in chain|unable to get local issuer certificate"),
                                          ("no TLS", "TLS: ")])
def test_a_hook_whose_certificate_is_not_good_for_it_is_not_believed(lab, make_thurn, authority, trouble, why):
    names = "DNS:elsewhere.example,IP:192.0.2.1" if trouble == "another name" else f"IP:{lab['b'].ip}"
    signer = Authority(lab.folder, "strangers") if trouble == "an unknown authority" else authority
    identity = None if trouble == "no TLS" else signer.sign(trouble.replace(" ", "-"), names)
    with Hook(lab["b"], say_no, identity=identity) as hook:
        asked = {"name": "hook", "url": hook.url.replace("http:", "https:"), "ca_file": str(authority.certificate)}
        server = make_thurn("b", policy_server=[asked])
        code, text = rcpt(lab, "carl@p.example")
        assert code == 451 and text.startswith("4.3.5 "), text
        server.wait_for_log(rf'event=policy_server_failed .*rule=policy_server\.hook reason=".*({why})')
        server.configure(policy_server=[{**asked, "default_action": "accept"}])
        server.reload()
        server.wait_for_log("event=reloaded")
        assert rcpt(lab, "carl@p.example")[0] == 250, "what it says is not even heard"
        assert not hook.asked
