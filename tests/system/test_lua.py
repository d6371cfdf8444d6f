"""Scripts in Lua: the examples, each run by the server, and such that fail."""

import http.server
import pathlib
import threading

from clients import make_message, send_on, smtp
from lab import wait_until
from thurn import message_id, render_toml

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "examples" / "lua"


def rcpt(lab, sender="carl@p.example", recipient="alice@b.example"):
    """The reply to RCPT: code and text."""
    with smtp(lab["client"], lab["b"]) as client:
        client.ehlo_or_helo_if_needed()
        code, text = client.mail(sender)
        if code == 250:
            code, text = client.rcpt(recipient)
        return code, text.decode()


def send(lab, subject, sender="carl@p.example", to="alice@b.example", ehlo="client.lab"):
    with smtp(lab["client"], lab["b"], ehlo=ehlo) as client:
        return message_id(send_on(client, make_message(subject, "Hello.\r\n", sender, to), sender, [to]))


def written(lab, text):
    """Where the server can read it at a reload, too."""
    (lab.folder / "mine.lua").write_text(text)
    lab.folder.chmod(lab.folder.stat().st_mode | 0o711)
    return {"name": "mine", "file": str(lab.folder / "mine.lua")}


def example(name, **more):
    return {"name": name, "file": str(EXAMPLES / f"{name}.lua"), **more}


def test_a_rate_of_its_own(lab, make_thurn):
    make_thurn("b", relay={"networks": []}, script=[example("senders-per-domain", when="client.stranger")])
    with smtp(lab["client"], lab["b"]) as client:
        client.ehlo_or_helo_if_needed()
        client.mail("carl@p.example")
        codes = [client.rcpt(address) for address in ["alice@b.example", "bob@b.example"] * 11]
    assert [code for code, _ in codes] == [250] * 20 + [450] * 2
    assert codes[-1][1].startswith(b"4.7.28 too much mail at once")


def test_dns_and_score(lab, make_thurn):
    server = make_thurn("b", relay={"networks": []}, script=[example("helo-of-sender", stages=["mail"])],
                        rule=[{"name": "sum", "stage": "content", "when": 'score >= 2 and tags = "odd-helo"', "action": "junk"}])
    told = server.cli("explain", "--ip", "203.0.113.77", "--helo", "elsewhere.example", "--from", "carl@p.example", "--to", "alice@b.example", input="From: carl@p.example\r\nSubject: x\r\n\r\n", check=False).stdout
    assert "rule sum" in told and "junk" in told, told
    told = server.cli("explain", "--ip", lab["client"].ip, "--helo", "elsewhere.example", "--from", "carl@p.example", "--to", "alice@b.example", input="From: carl@p.example\r\nSubject: x\r\n\r\n", check=False).stdout
    assert "rule sum" in told and "junk" not in told.split("rule sum")[1], told


def test_a_replay_knows_what_a_script_left(lab, make_thurn, tmp_path):
    settings = {"relay": {"networks": []}, "script": [written(lab, "return {score = 2.5, tag = 'odd'}") | {"stages": ["mail"]}]}
    server = make_thurn("b", **settings)
    identifier = send(lab, "scored")
    server.wait_for_trace(identifier, 'mail: none by script.mine (score = 2.5, tag = "odd"): ')
    new = tmp_path / "new.toml"
    new.write_text(render_toml(server.settings | {"rule": [{"name": "sum", "stage": "rcpt", "when": 'score >= 2.5 and tags = "odd"', "action": "reject"}]}))
    told = server.json("config", "test", new, "--replay", "1h")
    assert [(one["count"], one["now"]["rule"]) for one in told["changes"]] == [(1, "sum")] and told["unjudged"] == [], told


def test_a_web_service(lab, make_thurn):
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            body = b"yes\n" if "blocked%40" in self.path else b"no\n"
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    web = http.server.ThreadingHTTPServer(("", 0), Handler, bind_and_activate=False)
    web.socket.close()
    web.socket = lab["b"].listen(8077)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    try:
        text = (EXAMPLES / "ask-crm.lua").read_text().replace("127.0.0.1:8077", f"{lab['b'].ip}:8077")
        server = make_thurn("b", script=[written(lab, text)])
        assert rcpt(lab, "blocked@elsewhere.example") == (550, "5.7.1 please call us instead")
        assert rcpt(lab, "blocked@elsewhere.example")[0] == 550
        assert rcpt(lab, "fine+x@elsewhere.example")[0] == 250
        assert asked == ["/blocked?sender=blocked%40elsewhere.example", "/blocked?sender=fine%2Bx%40elsewhere.example"]
    finally:
        web.shutdown()
        web.server_close()
    assert rcpt(lab, "other@elsewhere.example")[0] == 250
    server.wait_for_log(r"event=script_said .*the CRM does not answer")


def test_the_header(lab, make_thurn):
    server = make_thurn("b", relay={"networks": []}, script=[example("invoices", stages=["content"], when="client.stranger")])
    send(lab, "hello")
    server.wait_for_mail("alice@b.example", "hello")
    identifier = send(lab, "Your Invoice")
    server.wait_for_trace(identifier, "junk by script.invoices", "invoices said: junk")
    server.wait_for_empty_queue()
    assert [file for file in server.maildir("alice@b.example").rglob("*") if file.is_file() and b"X-Invoice: not authenticated" in file.read_bytes()]
    server.wait_for_log(r"event=script_said .*an invoice of carl@p.example")


def test_an_error_puts_off_and_tells_the_line(lab, make_thurn):
    script = written(lab, "local t = fact('sender')\nlocal function f(x)\n  return x.y.z\nend\nf({})\n")
    server = make_thurn("b", script=[script])
    code, text = rcpt(lab)
    assert code == 451 and text.startswith("4.3.0 "), text
    server.wait_for_log(r"event=script_failed .*rule=script\.mine .*mine\.lua:3: attempt to index a nil value")
    told = server.cli("explain", "--ip", "192.0.2.1", "--from", "carl@p.example", "--to", "alice@b.example", input="Subject: x\r\n\r\n", check=False).stdout
    assert "mine.lua:3: attempt to index" in told and "451 4.3.0" in told, told


def test_a_reload_takes_a_new_script_and_refuses_a_wrong_one(lab, make_thurn):
    server = make_thurn("b", script=[written(lab, "return 'reject', 'first'")])
    assert rcpt(lab) == (550, "5.7.1 first")
    written(lab, "return 'reject',, 'second'")
    server.reload()
    server.wait_for_log(r"event=reload_failed .*mine\.lua:1: unexpected symbol near ','")
    assert rcpt(lab) == (550, "5.7.1 first")
    tested = server.run("config", "test", server.config, check=False)
    assert tested.returncode != 0 and "mine.lua:1: unexpected symbol" in tested.stderr + tested.stdout
    written(lab, "return 'reject', 'second'")
    server.reload()
    server.wait_for_log("event=reloaded")
    assert rcpt(lab) == (550, "5.7.1 second")


def test_an_endless_script_harms_nobody(lab, make_thurn):
    server = make_thurn("b", script=[written(lab, "if fact('sender'):find('^endless') then while true do end end")])
    assert rcpt(lab, "endless@elsewhere.example")[0] == 451
    assert rcpt(lab)[0] == 250
    server.wait_for_log(r"more than 1000000 instructions")
    wait_until(server.alive)
