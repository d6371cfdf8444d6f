"""A thief has an account's password: the server stops him, tells who should know, and nobody else notices."""

import contextlib
import http.server
import json
import re
import smtplib
import subprocess
import threading
import time

import pytest
from clients import converse, make_message, send_on, smtp
from countries import country_database
from lab import wait_until
from thurn import ROOT, Thurn

ALICE, BOB, CAROL, DAVE = (f"{user}@a.example" for user in ("alice", "bob", "carol", "dave"))
LIMIT = 50
FLOOD = 500
HOOK_PORT = 8099


class Webhook:
    """Answers 503 to the first request, as a service that is just starting, then 200; keeps what it was told."""

    def __init__(self, host):
        self.told = told = []
        self.asked = asked = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                asked.append(self.headers["Content-Type"])
                if len(asked) > 1:
                    told.append(json.loads(body))
                self.send_response(200 if len(asked) > 1 else 503)
                self.end_headers()

            def log_message(self, *_):
                pass
        with host.inside():
            self.server = http.server.ThreadingHTTPServer((host.ip, HOOK_PORT), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture(scope="module")
def client(lab):
    return lab["client"]


@pytest.fixture(scope="module")
def hook(lab):
    made = Webhook(lab["a"])
    yield made
    made.close()


@pytest.fixture(scope="module")
def server(lab, hook):
    metrics = lab.folder / "metrics"
    metrics.mkdir()
    made = Thurn(lab["a"], "a.example", lab["dns"], relay={"networks": []}, route=[{"recipient_domain": "b.example", "next_hop": "discard:"}],
                 account_watch={"new_recipients": LIMIT, "learning": "0s"},
                 alarms={"mail": [CAROL], "webhook": f"http://{lab['a'].ip}:{HOOK_PORT}/alarm"},
                 metrics={"textfile": str(metrics / "thurn.prom"), "interval": "1s"}).start()
    for user in (ALICE, BOB, CAROL):
        made.add_account(user)
    yield made
    if made.alive():
        assert made.stop() == 0


def submission(client, server, user):
    return smtp(client, server.host, 465, "implicit", user)


def send(session, sender, recipient, subject="x"):
    send_on(session, make_message(subject, sender=sender, to=recipient), sender, [recipient])


def held(server, login=ALICE):
    return server.json("quarantine", "list", "--login", login)


def delivered(server, recipients):
    return len(re.findall(rf"event=delivered .*to={recipients}\d+@b\.example", server.log_text()))


def account(server, address):
    return next(entry for entry in server.json("account", "list") if entry["address"] == address)


def send_ordinary_mail(client, server, stop, times):
    """What bob does meanwhile."""
    while not stop.is_set():
        begun = time.monotonic()
        with submission(client, server, BOB) as session:
            send(session, BOB, f"friend{len(times) % 20}@b.example")
        times.append(time.monotonic() - begun)
        time.sleep(0.05)


@contextlib.contextmanager
def meanwhile(client, server):
    stop, times = threading.Event(), []
    thread = threading.Thread(target=send_ordinary_mail, args=(client, server, stop, times))
    thread.start()
    yield times
    stop.set()
    thread.join(30)


def test_a_stolen_account_is_stopped_and_others_are_not(client, server, hook):
    with submission(client, server, ALICE) as session:  # the owner, on an ordinary day
        for number in range(30):
            send(session, ALICE, f"colleague{number % 10}@b.example")
    with meanwhile(client, server) as times, submission(client, server, ALICE) as thief:
        for number in range(FLOOD):
            send(thief, ALICE, f"victim{number}@b.example", "cheap watches")
    wait_until(lambda: delivered(server, "victim") + len(held(server)) == FLOOD, 30, "all that was sent is somewhere", step=0.5)
    through = delivered(server, "victim")
    assert LIMIT - 10 <= through <= LIMIT, "ten were known before; the clock may have struck"
    assert not held(server, BOB) and len(times) >= 5 and max(times) < 5, times
    wait_until(lambda: delivered(server, "friend") == len(times), 20, "all of bob's mail is delivered", step=0.5)

    line = server.wait_for_log(r"event=alarm .*").group(0)
    assert "kind=account" in line and f"login={ALICE}" in line and f"client={client.ip}" in line and "rule=account_watch" in line
    mail = server.wait_for_mail(CAROL)
    assert mail["Subject"] == f"Alarm on mx.a.example: account {ALICE}" and mail["Auto-Submitted"] == "auto-generated"
    assert f"thurn account suspend {ALICE}" in mail.get_payload() and f"over {LIMIT}" in mail.get_payload()
    told = wait_until(lambda: hook.told, 20, "the webhook is told, the second time")[0]
    assert told["kind"] == "account" and told["subject"] == ALICE and told["host"] == "mx.a.example" and f"over {LIMIT}" in told["detail"]
    assert hook.asked[0] == "application/json"
    assert len(server.mail(CAROL)) == 1 and len(hook.told) == 1, "one alarm, not 450"

    alarm = server.json("alarms", "--since", "1h", "--kind", "account")[0]
    assert alarm["subject"] == ALICE and alarm["count"] == 1
    assert server.json("alarms", "--counts")["account"] == 1
    assert re.search(rf"account +1 +{ALICE}", server.cli("alarms").stdout)
    assert f"over {LIMIT}" in account(server, ALICE)["watch"]["held_because"] and account(server, BOB)["watch"]["held_because"] is None
    assert re.search(rf"{ALICE} +enabled, held: ", server.cli("account", "list").stdout)


def test_a_crash_forgets_nothing(client, server):
    before = held(server)
    server.kill()
    assert f"over {LIMIT}" in account(server, ALICE)["watch"]["held_because"], "it can be seen without a server"
    assert server.json("alarms")[0]["subject"] == ALICE
    server.start()
    assert [message["id"] for message in held(server)] == [message["id"] for message in before]
    with submission(client, server, ALICE) as session:
        send(session, ALICE, "colleague1@b.example", "after the restart")
    wait_until(lambda: len(held(server)) == len(before) + 1, 10, "it is held still")


def test_the_account_is_suspended_and_what_it_sent_thrown_away(client, server):
    with submission(client, server, ALICE) as thief:
        server.cli("account", "suspend", ALICE, "--reason", "stolen")
        code, text = thief.mail(ALICE)
        assert code == 550 and b"5.7.13" in text
    with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
        with submission(client, server, ALICE):
            pass
    assert refused.value.smtp_code == 525 and b"5.7.13" in refused.value.smtp_error and b"stolen" not in refused.value.smtp_error
    assert account(server, ALICE)["suspended"] == "stolen"
    with submission(client, server, BOB) as session:
        send(session, BOB, ALICE, "for the owner")
    server.wait_for_mail(ALICE, "for the owner")

    count = len(held(server))
    preview = server.cli("quarantine", "delete", "--login", ALICE, check=False)
    assert preview.returncode == 1 and f"would delete {count} messages" in preview.stdout and len(held(server)) == count
    server.cli("quarantine", "delete", "--login", ALICE, "--yes")
    assert held(server) == []


def test_what_is_released_is_usual_from_then_on(client, server):
    assert "released account" in server.cli("account", "release", ALICE).stdout
    assert server.cli("account", "release", ALICE, check=False).returncode == 1, "there is nothing to release any more"
    entry = account(server, ALICE)
    assert entry["suspended"] is None and entry["watch"]["held_because"] is None
    with submission(client, server, ALICE) as session:
        for number in range(LIMIT + 20):
            send(session, ALICE, f"member{number}@b.example", "our news")
    wait_until(lambda: delivered(server, "member") == LIMIT + 20, 20, "so many are nothing new", step=0.5)


def test_held_mail_is_released_as_a_whole(client, server):
    with submission(client, server, BOB) as session:
        for number in range(LIMIT + 30):
            send(session, BOB, f"guest{number}@b.example", "our wedding")
    count = len(held(server, BOB))
    assert 0 < count <= LIMIT + 30
    server.cli("account", "release", BOB)
    server.cli("quarantine", "release", "--login", BOB, "--yes")
    wait_until(lambda: delivered(server, "guest") == LIMIT + 30, 20, "all guests are invited", step=0.5)
    assert held(server, BOB) == []


def test_attacks_show_in_the_list_and_in_the_log_for_others(client, server):
    with converse(client, server.host) as talk:
        talk.say("EHLO scanner.lab")
        assert talk.say("MAIL FROM:<x@b.example>").startswith("250")
        for number in range(3):
            assert talk.say(f"RCPT TO:<y{number}@elsewhere.example>").startswith("550 5.7.1")
        talk.say(f"RCPT TO:<{ALICE}>")
        talk.say("DATA")
        talk.send(b"Subject: x\r\n\r\nx\n.\nMAIL FROM:<y@there.example>\r\n.\r\n")
        assert talk.reply().startswith("550 5.6.0")
    alarms = {alarm["kind"]: alarm for alarm in server.json("alarms")}
    assert alarms["relay"]["subject"] == client.ip and alarms["relay"]["count"] == 3
    assert alarms["smuggling"]["subject"] == client.ip
    wait_until(lambda: len(server.mail(CAROL)) >= 2, 20, "alice's and bob's are told")
    assert len(server.mail(CAROL)) == 2, "of attacks there would be mail every minute"
    log = server.folder / "for-fail2ban"
    log.write_text(server.log_text())
    found = subprocess.run(["fail2ban-regex", "--print-all-matched", log, ROOT / "examples" / "fail2ban" / "filter.d" / "thurn-attacks.conf"],
                           capture_output=True, text=True, timeout=120)
    assert re.search(r"Lines: .*, 2 matched", found.stdout), found.stdout[-2000:]
    matched = found.stdout.split("Matched line(s)")[1].split("Missed line(s)")[0]
    assert "kind=relay" in matched and "kind=smuggling" in matched and "kind=account" not in matched


def test_the_numbers_are_there_for_prometheus(server):
    file = server.host.lab.folder / "metrics" / "thurn.prom"
    wait_until(lambda: 'kind="smuggling"} 1' in file.read_text(), 5, "the file is written again and again")
    text = file.read_text()
    assert 'thurn_alarms_total{kind="relay"} 3\n' in text and 'thurn_alarms_total{kind="spoofing"} 0\n' in text
    checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=60)
    assert checked.returncode == 0 and "error" not in checked.stderr.lower(), checked.stdout + checked.stderr
    rules = ROOT / "examples" / "prometheus" / "thurn.rules.yml"
    checked = subprocess.run(["promtool", "check", "rules", rules], capture_output=True, text=True, timeout=60)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    for name in re.findall(r"\bthurn_\w+", rules.read_text()):
        assert f"{name} " in text or f"{name}{{" in text, f"{name} is not in the metrics"


def reconfigure(server, **settings):
    heard = len(server.log_text())
    server.configure(**settings)
    server.reload()
    server.wait_for_log("event=reloaded", after=heard)


def test_an_account_whose_mail_comes_back_is_held(client, server, faulty):
    """Guessed addresses: of few messages, but most reach nobody."""
    peer = faulty(RCPT="550 5.1.1 nobody here")
    server.add_account(DAVE)
    reconfigure(server, account_watch={"bounces": 5, "bounce_percent": 50})
    with submission(client, server, DAVE) as session:
        for number in range(5):
            send(session, DAVE, f"guess{number}@up.example")
        wait_until(lambda: len(re.findall(r"event=bounced .*to=guess\d@up\.example", server.log_text())) == 5, 20, "all five came back")
        assert held(server, DAVE) == [] and len([command for command in peer.commands if command.startswith("RCPT")]) == 5
        send(session, DAVE, "guess5@up.example")
    assert len(held(server, DAVE)) == 1
    assert "5 of 6 recipients" in account(server, DAVE)["watch"]["held_because"], account(server, DAVE)
    alarm = next(alarm for alarm in server.json("alarms", "--kind", "account") if alarm["subject"] == DAVE)
    assert alarm["count"] == 1 and alarm["client"] == client.ip
    with submission(client, server, CAROL) as session:
        send(session, CAROL, "guess6@up.example", "others pay nothing for it")
    assert held(server, CAROL) == []


def test_mail_from_a_country_where_the_account_never_was_is_told_and_passes(client, server, tmp_path):
    file = tmp_path / "countries.mmdb"
    for country, subject in (("DE", "from home"), ("DE", "from home again"), ("NG", "from far away")):
        file.write_bytes(country_database({f"{client.ip}/32": country}))
        reconfigure(server, geoip={"file": str(file)})
        assert server.json("alarms", "--kind", "country") == []
        with submission(client, server, BOB) as session:
            send(session, BOB, CAROL, subject)
        server.wait_for_mail(CAROL, subject)
    alarm, = server.json("alarms", "--kind", "country")
    assert (alarm["subject"], alarm["client"], alarm["count"]) == (BOB, client.ip, 1) and "sends from NG, from where it never sent" in alarm["detail"]


def test_a_flood_of_commands_is_told(client, server):
    reconfigure(server, limits={"errors": 5, "commands": 100})
    for number, (line, reason) in enumerate([("NONSENSE", "Too many errors"), ("NOOP", "Too many commands")], start=1):
        with converse(client, server.host) as talk:
            talk.say("EHLO scanner.lab")
            while (said := talk.say(line))[:3] in ("500", "250"):
                pass
            assert said.startswith("421 4.7.0") and reason in said
        alarm, = server.json("alarms", "--kind", "command_flood")
        assert (alarm["subject"], alarm["count"]) == (client.ip, number)
    assert re.search(r'event=alarm .*kind=command_flood .*reason="Too many errors"', server.log_text())
