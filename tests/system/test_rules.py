"""The configuration's rules, each stage and action, against clients of a network of its own with a DNS that plays lists."""

import io
import ipaddress
import json
import re
import smtplib
import socket
import subprocess
import time
import zipfile
from email.message import EmailMessage

import pytest
from clients import make_message, send_on, smtp, submit
from countries import country_database
from lab import Lab, wait_until
from thurn import BINARY, Thurn, message_id, render_toml

from conftest import HERE

HOSTS = ["dns", "client", "a", "b"]


def reverse(ip):
    return ".".join(reversed(ip.split(".")))


def records(lab):
    ip = lab["client"].ip
    return ["a.example. IN MX 10 mx.a.example.", f"mx.a.example. IN A {lab['a'].ip}", f"b.example. IN A {lab['b'].ip}", "silent.example. IN MX 0 .", '_dmarc.a.example. IN TXT "v=DMARC1; p=none"',
            f"{reverse(ip)}.in-addr.arpa. IN PTR client.lab.", f"client.lab. IN A {ip}", f"other.lab. IN A {lab['b'].ip}",
            f"{reverse(ip)}.bl.lab. IN A 127.0.0.4", "2.0.0.127.bl.lab. IN A 127.0.0.2",
            f"{reverse(ip)}.wl.lab. IN A 127.0.0.2", "2.0.0.127.wl.lab. IN A 127.0.0.2",
            f"{reverse(ip)}.everybody.lab. IN A 127.0.0.2", "2.0.0.127.everybody.lab. IN A 127.0.0.2", "1.0.0.127.everybody.lab. IN A 127.0.0.2",
            f"{ipaddress.ip_address(lab['client'].ip6).reverse_pointer.removesuffix('.ip6.arpa')}.bl.lab. IN A 127.0.0.5",
            "b.example.dbl.lab. IN A 127.0.1.2", "test.dbl.lab. IN A 127.0.1.2",
            "client.lab.names.lab. IN A 127.0.1.2", "test.names.lab. IN A 127.0.1.2",
            "author.example.authors.lab. IN A 127.0.1.2", "test.authors.lab. IN A 127.0.1.2",
            f"{reverse(ip)}.refusing.lab. IN A 127.255.255.254", "2.0.0.127.refusing.lab. IN A 127.0.0.2",
            "2.0.0.127.closed.lab. IN A 127.255.255.254"]


@pytest.fixture(scope="module")
def net():
    subprocess.run([HERE / "install-peers"], check=True, stdout=subprocess.DEVNULL)
    made = Lab(HOSTS, prefix="ru")
    try:
        made.start_dns("dns", records(made))
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def server(net):
    made = Thurn(net["a"], "a.example", net["dns"], relay={"networks": []}, authentication={"dmarc": "mark"}).start()
    for user in ("alice", "bob"):
        made.add_account(f"{user}@a.example")
    yield made
    if made.alive():
        assert made.stop() == 0


@pytest.fixture
def under(server):
    """under(rule, …, dnsbl=[…]) makes these the server's rules."""
    def put(*rules, dnsbl=()):
        heard = len(server.log_text())
        server.settings.pop("rule", None)
        server.configure(dnsbl=list(dnsbl), **({"rule": list(rules)} if rules else {}))
        server.reload()
        server.wait_for_log("event=reloaded", after=heard)
        for one in dnsbl:
            server.wait_for_log(rf"event=dnsbl_\w+_order.*list={one['name']}", after=heard)
        return server
    return put


def send(net, server, subject="hello", sender="x@b.example", to="bob@a.example", ehlo="client.lab", message=None):
    with smtp(net["client"], server.host, ehlo=ehlo) as client:
        return send_on(client, message or make_message(subject, sender=sender), sender, [to])


def refused(net, server, **options):
    with pytest.raises(smtplib.SMTPResponseException) as caught:
        send(net, server, **options)
    return f"{caught.value.smtp_code} {caught.value.smtp_error.decode()}"


def dialogue(net, server, *lines, greeting="220"):
    """Says the lines; gives the last reply's first line."""
    with net["client"].inside():
        connection = socket.create_connection((server.host.ip, 25), timeout=20)
    with connection, connection.makefile("rb") as heard:
        reply = heard.readline().decode().strip()
        assert reply.startswith(greeting), reply
        for line in lines:
            connection.sendall(line.encode() + b"\r\n")
            reply = heard.readline().decode().strip()
            while reply[3:4] == "-":
                reply = heard.readline().decode().strip()
        rest = heard.readline() if reply.startswith(("421", "554")) else b"open"
        return reply, rest


def test_without_rules_our_own_name_and_senders_that_take_no_mail_are_refused(net, under):
    server = under()
    assert dialogue(net, server, "EHLO mx.a.example")[0] == "550 5.7.1 mx.a.example is the name of this server, not yours"
    assert dialogue(net, server, "EHLO client.lab", "MAIL FROM:<x@silent.example>")[0].startswith("550 5.7.1 silent.example does not exist or takes no mail")
    assert dialogue(net, server, "EHLO client.lab", "MAIL FROM:<x@nowhere.lab>")[0].startswith("550 5.7.1 nowhere.lab does not exist or takes no mail")
    assert dialogue(net, server, "EHLO client.lab", "MAIL FROM:<>")[0].startswith("250 ")
    assert send(net, server, sender="x@b.example")


def test_our_own_users_are_not_asked_for_what_strangers_are(net, under):
    server = under()
    heard = len(server.log_text())
    submit(net["client"], server.host, "from within", "bob@a.example")
    assert "event=rule " not in server.log_text()[heard:]


def test_a_connection_is_refused_before_the_greeting(net, under):
    server = under({"name": "closed", "stage": "connect", "when": f'client.address in ["{net["client"].ip}/32"]', "action": "reject", "text": "not {client.address}"})
    reply, rest = dialogue(net, server, greeting="554")
    assert reply == f"554 5.7.1 not {net['client'].ip}"
    server.wait_for_log(r"event=refused.*stage=connect.*rule=closed")
    server = under({"name": "later", "stage": "connect", "action": "defer"})
    reply, rest = dialogue(net, server, greeting="421")
    assert reply == "421 4.7.1 refused by a rule of this server (later)" and rest == b""


def test_a_name_is_looked_up_for_rules_about_it(net, under):
    server = under({"name": "liar", "stage": "helo", "when": "helo.is_name and not helo.is_client", "action": "defer", "text": "{helo} is not {client.name}"})
    assert dialogue(net, server, "EHLO other.lab")[0] == "450 4.7.1 other.lab is not client.lab"
    assert dialogue(net, server, "EHLO client.lab")[0].startswith("250 ")


def test_disconnect_closes(net, under):
    server = under({"name": "out", "stage": "rcpt", "when": 'recipient like "trap*"', "action": "disconnect"})
    reply, rest = dialogue(net, server, "EHLO client.lab", "MAIL FROM:<x@b.example>", "RCPT TO:<trap1@a.example>")
    assert reply.startswith("550 5.1.1"), "what nobody has is refused before rules are asked"
    server.cli("alias", "add", "trap2@a.example", "bob@a.example", check=False)
    reply, rest = dialogue(net, server, "EHLO client.lab", "MAIL FROM:<x@b.example>", "RCPT TO:<trap2@a.example>")
    assert reply == "421 4.7.0 refused by a rule of this server (out)" and rest == b""


def test_no_rule_makes_us_a_relay(net, under):
    server = under({"name": "everything", "stage": "rcpt", "action": "accept"}, {"name": "all", "stage": "mail", "action": "accept"})
    assert "5.7.1" in refused(net, server, to="x@far.example")


def test_lists_weigh_and_are_told(net, under):
    lists = [{"name": "bl", "zone": "bl.lab", "replies": ["127.0.0.4/31=5"]}, {"name": "wl", "zone": "wl.lab", "weight": -2},
             {"name": "dbl", "zone": "dbl.lab", "about": "sender.domain"}]
    server = under({"name": "sum", "stage": "mail", "when": "dnsbl_score >= 4", "action": "reject"},
                   {"name": "listed", "stage": "rcpt", "when": "dnsbl.bl >= 5 and dnsbl.dbl > 0", "action": "reject", "text": "{sender.domain} is listed"}, dnsbl=lists)
    assert refused(net, server) == "550 5.7.1 b.example is listed"
    assert send(net, server, sender="x@client.lab")
    server = under({"name": "sum", "stage": "mail", "when": "dnsbl_score >= 3", "action": "reject"}, dnsbl=lists)
    assert "(sum)" in refused(net, server)
    server.wait_for_log(r'event=rule .*rule=sum.*dnsbl_score = 3')


def test_a_list_that_lists_everybody_judges_nobody(net, under):
    server = under({"name": "r", "stage": "mail", "when": "dnsbl.everybody > 0", "action": "reject"},
                   {"name": "told", "stage": "mail", "when": "dnsbl.everybody unavailable", "tag": "unsure", "header": "X-Unsure: yes"},
                   dnsbl=[{"name": "everybody", "zone": "everybody.lab"}])
    assert "everybody.lab lists everybody" in server.log_text()
    send(net, server, "unsure")
    assert server.wait_for_mail("bob@a.example", "unsure")["X-Unsure"] == "yes"


@pytest.mark.parametrize("about,zone,stage,listed,unlisted", [
    ("client.name", "names", "rcpt", {}, None),
    ("helo", "names", "helo", {"ehlo": "client.lab"}, {"ehlo": "other.lab"}),
    ("sender.domain", "dbl", "rcpt", {"sender": "x@b.example"}, {"sender": "x@other.example"}),
    ("author.domain", "authors", "content", {"message": make_message("hello", sender="x@author.example")}, {"message": make_message("hello", sender="x@b.example")}),
])
def test_lists_of_domains(net, under, about, zone, stage, listed, unlisted):
    server = under({"name": "listed", "stage": stage, "when": "dnsbl.domains > 0", "action": "reject", "text": "listed"},
                   dnsbl=[{"name": "domains", "zone": f"{zone}.lab", "about": about}])
    if stage == "helo":
        assert dialogue(net, server, f"EHLO {listed['ehlo']}")[0] == "550 5.7.1 listed"
    else:
        assert refused(net, server, **listed).startswith("550 5.7.1 listed")
    told = explain_client(net, server)
    assert re.search(r"rule listed .*applies: reject; dnsbl\.domains = 1\n", told), told
    if unlisted:
        assert send(net, server, **unlisted)


def explain_client(net, server):
    return server.cli("explain", "--ip", net["client"].ip, "--helo", "client.lab", "--from", "x@b.example", "--to", "bob@a.example",
                      input=make_message("explained", sender="x@author.example").as_string(), check=False).stdout


def test_a_client_without_a_confirmed_name_is_in_no_list_of_names(net, under):
    server = under({"name": "listed", "stage": "mail", "when": "dnsbl.names > 0", "action": "reject"},
                   {"name": "told", "stage": "mail", "when": "dnsbl.names = 0", "header": "X-Unlisted: yes"},
                   dnsbl=[{"name": "names", "zone": "names.lab", "about": "client.name"}])
    with net["b"].inside():
        nameless = smtplib.SMTP(server.host.ip, 25, local_hostname="client.lab", timeout=20)
    with nameless:
        nameless.ehlo()
        assert nameless.mail("x@b.example")[0] == 250
    server.wait_for_log(r"event=rule .*rule=told.*dnsbl\.names = 0")


def test_an_ipv6_client_is_looked_up_in_lists(net, under):
    server = under({"name": "listed", "stage": "connect", "when": "dnsbl.bl >= 5", "action": "reject", "text": "{client.address} is listed"},
                   dnsbl=[{"name": "bl", "zone": "bl.lab", "replies": ["127.0.0.5=5"]}])
    with net["client"].connect(server.host.ip6, 25) as connection, connection.makefile("rb") as heard:
        assert heard.readline().decode().strip() == f"554 5.7.1 {ipaddress.ip_address(net['client'].ip6)} is listed"
    assert send(net, server), "the same host is not listed by its IPv4 address"


def test_a_list_that_refuses_us_is_reported_and_not_believed(net, under, server):
    heard = len(server.log_text())
    under({"name": "r", "stage": "mail", "when": "dnsbl.refusing > 0 or dnsbl.closed > 0", "action": "reject"},
          dnsbl=[{"name": "refusing", "zone": "refusing.lab"}, {"name": "closed", "zone": "closed.lab"}])
    server.wait_for_log(r"event=dnsbl_out_of_order.*list=closed.*refuses our resolver: 127\.255\.255\.254", after=heard)
    server.wait_for_log(r"event=dnsbl_in_order.*list=refusing", after=heard)
    for _ in range(2):
        assert send(net, server)
    server.wait_for_log(r"event=dnsbl_out_of_order.*list=refusing.*refusing\.lab answered 127\.255\.255\.254, which is a refusal", after=heard)
    assert len(re.findall(r"event=dnsbl_out_of_order.*list=refusing", server.log_text()[heard:])) == 1, "told once"


def test_marks_add_up_and_content_goes_to_junk(net, under):
    server = under({"name": "one", "stage": "helo", "when": 'helo = "odd.lab"', "score": 2}, {"name": "two", "stage": "content", "when": 'header.Subject like "*win*"', "score": 3},
                   {"name": "sum", "stage": "content", "when": "score >= 5", "action": "junk"})
    send(net, server, "you win", ehlo="odd.lab")
    send(net, server, "you win too")
    junk = server.maildir("bob@a.example") / ".Junk" / "new"
    wait_until(lambda: junk.exists() and any("Subject: you win\n" in file.read_text() for file in junk.iterdir()), what="the message is in Junk")
    assert server.wait_for_mail("bob@a.example", "you win too")


def test_who_says_hello_twice_is_not_judged_twice(net, under):
    server = under({"name": "met", "stage": "connect", "score": 1}, {"name": "odd", "stage": "helo", "when": 'helo = "odd.lab"', "score": 2},
                   {"name": "exact", "stage": "mail", "when": "score != 3", "action": "reject"})
    assert dialogue(net, server, "EHLO odd.lab", "EHLO odd.lab", "HELO odd.lab", "MAIL FROM:<>")[0].startswith("250 ")
    assert dialogue(net, server, "EHLO odd.lab", "EHLO client.lab", "MAIL FROM:<>")[0].startswith("550 "), "what another name left is gone"


def test_what_the_checks_found_are_facts(net, under):
    server = under({"name": "unproven", "stage": "content", "when": 'dmarc = "none" and spf != "pass" and author.domain = "b.example" and not author.ours',
                    "action": "reject", "text": "prove that you are {author}"})
    assert re.match(r"550 5\.7\.1 prove that you are x@b\.example \(\w{13}\)", refused(net, server, subject="unproven"))


def test_who_writes_in_our_name_from_outside_is_refused_and_told(net, under):
    server = under({"name": "own", "stage": "content", "when": 'client.stranger and author.ours and dmarc != "pass"', "action": "reject",
                    "text": "{author.domain} does not send from there"})
    heard = len(server.log_text())
    said = refused(net, server, message=make_message("our boss", sender="boss@a.example"))
    assert said.startswith("550 5.7.1 a.example does not send from there (")
    server.wait_for_log(r'event=alarm .*kind=spoofing reason="a message in the name of a\.example fails DMARC \(from \S+\)"', after=heard)
    send(net, server, "no boss", sender="boss@b.example")


@pytest.mark.parametrize("ours,sender,author,told", [
    ("quiet.example", "x@b.example", "boss@quiet.example", r"a message is in the name of quiet\.example, and neither SPF nor DKIM"),
    ("secret.example", "boss@secret.example", "x@b.example", r"a message has the sender boss@secret\.example, and neither SPF nor DKIM"),
])
def test_a_domain_of_ours_without_dmarc_is_not_spoofed_in_silence(net, under, ours, sender, author, told):
    server = under({"name": "r", "stage": "mail", "score": 1})
    server.cli("domain", "add", ours)
    heard = len(server.log_text())
    assert send(net, server, sender=sender, message=make_message("spoofed", sender=author))
    server.wait_for_log(rf'event=alarm .*kind=spoofing reason="{told}', after=heard)


def test_spf_is_known_at_rcpt(net, under):
    server = under({"name": "named", "stage": "rcpt", "when": 'client.stranger and spf != "pass" and sender.domain = "b.example"', "action": "reject",
                    "text": "SPF says {spf} of {sender}"})
    replies = dialogue(net, server, "EHLO odd.lab", "MAIL FROM:<x@b.example>", "RCPT TO:<bob@a.example>")
    assert re.match(r"550 5\.7\.1 SPF says (none|neutral|softfail|fail) of x@b\.example", replies[0]), replies


def test_what_was_known_of_one_sender_is_not_known_of_the_next(net, under):
    server = under({"name": "late", "stage": "rcpt", "when": "client.stranger and not sender.exists", "action": "reject"})
    first = ["EHLO odd.lab", "MAIL FROM:<x@b.example>", "RCPT TO:<bob@a.example>"]
    assert dialogue(net, server, *first)[0].startswith("250 ")
    assert dialogue(net, server, *first, "RSET", "MAIL FROM:<x@nowhere.example>", "RCPT TO:<bob@a.example>")[0].startswith("550 ")
    assert dialogue(net, server, "EHLO odd.lab", "MAIL FROM:<x@nowhere.example>", "RCPT TO:<bob@a.example>", "RSET", *first[1:])[0].startswith("250 ")


def test_held_mail_waits_with_its_reason(net, under):
    server = under({"name": "look", "stage": "rcpt", "when": 'recipient = "bob@a.example"', "action": "hold"})
    identifier = message_id(send(net, server, "held by rule"))
    held = [message for message in server.queued() if message["id"] == identifier]
    assert "look: recipient = " in str(held), held
    server.cli("queue", "release", identifier)
    assert server.wait_for_mail("bob@a.example", "held by rule")


def test_discarded_mail_is_told_and_not_delivered(net, under):
    server = under({"name": "hole", "stage": "data", "when": "recipient_count = 1", "action": "discard"})
    identifier = message_id(send(net, server, "discarded"))
    server.wait_for_trace(identifier, "discarded", "hole", "recipient_count = 1")
    server.wait_for_log(rf"event=discarded.*id={identifier}.*rule=hole")
    assert not [message for message in server.queued() if message["id"] == identifier]
    assert not [message for message in server.mail("bob@a.example") if message["Subject"] == "discarded"]


def test_a_recipient_is_redirected(net, under):
    server = under({"name": "away", "stage": "rcpt", "when": 'recipient = "bob@a.example"', "action": "redirect", "to": "alice@a.example"})
    identifier = message_id(send(net, server, "redirected"))
    assert server.wait_for_mail("alice@a.example", "redirected")
    assert not [message for message in server.mail("bob@a.example") if message["Subject"] == "redirected"]
    server.wait_for_trace(identifier, "redirect", "away")


def test_a_delay_makes_the_client_wait_and_an_alarm_is_logged(net, under):
    server = under({"name": "slow", "stage": "mail", "delay": "1s", "alarm": True})
    begun = time.monotonic()
    assert send(net, server, "slowly")
    assert time.monotonic() - begun >= 1
    server.wait_for_log(r"event=alarm.*stage=mail.*rule=slow")


def test_the_trace_names_the_line_and_the_next_rule(net, under):
    server = under({"name": "first", "stage": "mail", "when": "size < 1MiB", "action": "accept"}, {"name": "second", "stage": "mail", "when": 'sender like "x@*"', "action": "reject"})
    identifier = message_id(send(net, server, "traced"))
    story = server.wait_for_trace(identifier, "first")
    assert re.search(r"size = \d+ at \S+thurn\.toml:\d+", story), story


def test_xclient_is_a_new_connection_to_the_rules(net, server, under):
    listeners = server.settings["listener"]
    try:
        server.stop()
        server.configure(listener=[{**listeners[0], "xclient_from": [net["client"].ip]}, *listeners[1:]],
                         rule=[{"name": "far", "stage": "connect", "when": 'client.address = "192.0.2.9"', "action": "reject"}])
        server.start()
        assert dialogue(net, server, "EHLO client.lab", "XCLIENT ADDR=192.0.2.9")[0] == "421 4.7.1 refused by a rule of this server (far)"
        assert dialogue(net, server, "EHLO client.lab", "XCLIENT ADDR=192.0.2.8")[0].startswith("220 ")
    finally:
        if server.alive():
            server.stop()
        server.settings.pop("rule")
        server.configure(listener=listeners)
        server.start()


@pytest.mark.parametrize("rule, error", [
    ({"name": "r", "stage": "mail", "when": "client.adress = '1'", "action": "reject"}, 'rule[1].when: column 1: unknown fact "client.adress"; did you mean "client.address"?'),
    ({"name": "r", "stage": "connect", "when": "sender = ''", "action": "reject"}, "rule[1].when: sender is known from stage mail on, not at connect"),
    ({"name": "r", "action": "reject"}, "rule[1].stage: must be one of connect, helo, auth, mail, rcpt, data, content"),
    ({"name": "r", "stage": "mail", "when": "dnsbl.zen > 1", "action": "reject"}, 'rule[1].when: dnsbl.zen: there is no [[dnsbl]] of the name "zen"'),
    ({"name": "r", "stage": "mail", "actoin": "reject"}, 'unknown key "rule[1].actoin"; did you mean "action"?'),
])
def test_a_wrong_rule_is_told_with_its_place(tmp_path, rule, error):
    file = tmp_path / "thurn.toml"
    file.write_text(render_toml({"hostname": "mx.a.example", "data_dir": str(tmp_path / "data"), "rule": [rule]}))
    told = subprocess.run([BINARY, "check", "--config", file], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30)
    assert told.returncode == 2 and error in told.stdout.decode(), told.stdout.decode()


def test_a_login_can_be_refused_though_its_password_is_right(net, under):
    server = under({"name": "not-here", "stage": "auth", "when": 'login = "alice@a.example" and client.address in ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"]',
                    "action": "reject", "text": "{login} logs in from elsewhere"})
    with smtp(net["client"], server.host, 587, "starttls") as client:
        with pytest.raises(smtplib.SMTPAuthenticationError) as caught:
            client.login("alice@a.example", "correct horse battery")
        assert caught.value.smtp_code == 535 and b"logs in from elsewhere" in caught.value.smtp_error
        assert client.mail("alice@a.example")[0] == 530
        client.login("bob@a.example", "correct horse battery")


def rated(server, *more, **rate):
    heard = len(server.log_text())
    server.settings.pop("rule", None)
    server.configure(rate=[rate, *more])
    server.reload()
    server.wait_for_log("event=reloaded", after=heard)


@pytest.fixture
def without_rates(server):
    yield
    server.settings.pop("rate", None)


def test_a_rate_puts_off_what_is_too_much_and_survives_a_restart(net, server, without_rates):
    rated(server, name="few", of="recipients", per=["login"], limit="3/1h", when="authenticated", alarm=True)
    with smtp(net["client"], server.host, 587, "starttls", "alice@a.example") as client:
        client.mail("alice@a.example")
        assert [client.rcpt("bob@a.example")[0] for _ in range(3)] == [250, 250, 250]
        code, text = client.rcpt("bob@a.example")
        assert (code, text) == (450, b"4.7.1 too much for now, try again later (few)")
    server.wait_for_log(r"event=rate_exceeded.*rule=few.*more than 3 recipients in 3600s for login = ")
    server.wait_for_log(r"event=alarm.*rule=few")
    submit(net["client"], server.host, "others may", "alice@a.example", sender="bob@a.example")
    server.stop()
    server.start()
    with smtp(net["client"], server.host, 587, "starttls", "alice@a.example") as client:
        client.mail("alice@a.example")
        assert client.rcpt("bob@a.example")[0] == 450


def test_a_rate_that_tells_hides_none_that_refuses(net, server, without_rates):
    rated(server, {"name": "hard", "of": "recipients", "per": ["recipient"], "limit": "3/1h"},
          name="soft", of="recipients", per=["recipient.domain"], limit="2/1h", action="none", alarm=True)
    with smtp(net["client"], server.host) as client:
        client.ehlo("client.lab")
        client.mail("x@b.example")
        tried = ["bob@a.example", "Bob@a.example", "bOb@A.example", "boB@a.example"]
        assert [client.rcpt(address)[0] for address in tried] == [250, 250, 250, 450], "in whatever case"
    server.wait_for_log(r"event=alarm.*rule=soft")


def test_octets_are_counted_where_the_content_is_there(net, server, without_rates):
    rated(server, name="volume", of="octets", per=["sender.domain"], limit="100KiB/1h")
    big = "x" * 70 + "\r\n"
    assert send(net, server, message=make_message("big", big * 1000, "x@b.example"))
    with pytest.raises(smtplib.SMTPResponseException) as refused:
        send(net, server, message=make_message("big again", big * 1000, "x@b.example"))
    assert refused.value.smtp_code == 450 and b"(volume)" in refused.value.smtp_error
    assert send(net, server, "small"), "for which there is room"


def test_guessing_recipients_ends_in_421(net, server, without_rates):
    rated(server, name="guessing", of="unknown_recipients", per=["client.network"], limit="5/1h", action="disconnect")
    guesses = [f"RCPT TO:<nobody{i}@a.example>" for i in range(6)]
    reply, rest = dialogue(net, server, "EHLO client.lab", "MAIL FROM:<>", *guesses)
    assert reply == "421 4.7.0 too much for now, try again later (guessing)" and rest == b""
    assert send(net, server, "real ones may"), "who is somebody is not counted"


def test_connections_are_counted_before_the_greeting(net, server, without_rates):
    rated(server, name="hasty", of="connections", per=["client.network"], limit="2/1h", when="client.stranger")
    dialogue(net, server, "QUIT")
    dialogue(net, server, "QUIT")
    assert dialogue(net, server, greeting="421")[0] == "421 4.7.0 too much for now, try again later (hasty)"
    assert re.search(rf"refused +from .*{re.escape(net['client'].ip)}.*\n.*connect: defer by hasty: more than 2 connections", server.cli("trace", "--since", "1m").stdout)


def test_what_is_too_much_can_be_held(net, server, without_rates):
    rated(server, name="flood", of="messages", per=["sender"], limit="1/1h", action="hold")
    send(net, server, "the first")
    identifier = message_id(send(net, server, "the second"))
    assert "flood: more than 1 messages" in str([message for message in server.queued() if message["id"] == identifier])
    server.cli("queue", "delete", identifier)


def test_explain_tells_every_rule_that_was_reached(net, under, tmp_path):
    server = under({"name": "first", "stage": "helo", "when": 'helo = "nobody.lab"', "action": "reject"}, {"name": "mark", "stage": "mail", "when": "client.stranger", "score": 1},
                   {"name": "last", "stage": "content", "when": 'score >= 1 and header.Subject like "*win*"', "action": "reject", "text": "no prizes for {recipients}"})
    file = tmp_path / "message"
    file.write_text("From: x@b.example\nTo: bob@a.example\nSubject: you win\n\nHello\n")
    text = server.cli("explain", "--ip", net["client"].ip, "--helo", "client.lab", "--from", "x@b.example", "--to", "bob@a.example", file, check=False).stdout
    assert re.search(r'helo +rule first \(\S+thurn\.toml:\d+\) does not apply; helo = "client.lab"', text), text
    assert re.search(r"mail +rule mark \(\S+\) applies: score 1; client.stranger = true", text), text
    assert re.search(r"content +rule last \(\S+\) applies: reject; ", text), text
    assert text.endswith("result    reject at content by last\n          550 5.7.1 no prizes for [\"bob@a.example\"]\n"), text


def explain(net, server, *words, message=None, sender="x@b.example"):
    """What `thurn explain` says; nothing is said about the content without a message."""
    return server.cli("explain", "--ip", net["client"].ip, "--helo", "client.lab", "--from", sender, *words, input=message or "", check=False)


def test_explain_tells_which_rules_are_not_asked_and_what_comes_of_those_that_are(net, under):
    server = under({"name": "tags", "stage": "mail", "tag": "odd", "header": "X-Odd: yes", "delay": "3s"}, {"name": "friend", "stage": "rcpt", "action": "accept"},
                   {"name": "later", "stage": "rcpt", "action": "reject"}, {"name": "aside", "stage": "data", "action": "junk"})
    begun = time.monotonic()
    told = explain(net, server, "--to", "bob@a.example")
    assert told.returncode == 0 and time.monotonic() - begun < 3, "nobody is held back"
    assert 'rule tags' in told.stdout and 'applies: tag "odd", header "X-Odd: yes", delay 3s\n' in told.stdout, told.stdout
    assert "rcpt      not asked any more: later\n" in told.stdout, told.stdout
    assert told.stdout.endswith('result    accepted, into the junk folder by aside, tags odd, with "X-Odd: yes" on top, as far as one can tell without its content\n'), told.stdout
    assert "dkim" not in told.stdout and "\ncontent " not in told.stdout, "nobody looks into what is not there"
    found = server.json("explain", "--ip", net["client"].ip, "--from", "x@b.example", "--to", "bob@a.example")
    assert found["not_asked"] == [{"stage": "rcpt", "rule": "later"}] and found["filing"] == "junk" and found["accepted"] and found["tags"] == ["odd"]


def test_explain_ends_where_the_server_would(net, under):
    server = under({"name": "never", "stage": "content", "action": "reject"})
    for address, reply in (("nobody@a.example", "550 5.1.1 "), ("x@far.example", "550 5.7.1 relaying denied")):
        told = explain(net, server, "--to", address, message="From: x@b.example\r\n\r\n")
        assert told.returncode == 1 and "result    reject at rcpt by " in told.stdout and reply in told.stdout and "never" not in told.stdout, told.stdout


def test_explain_looks_into_the_message(net, under, tmp_path):
    server = under({"name": "pattern", "stage": "content", "when": 'test_pattern != ""', "action": "reject", "text": "a {test_pattern}"},
                   {"name": "words", "stage": "content", "when": "body matches '(?i)cheap watches'", "score": 3},
                   {"name": "files", "stage": "content", "when": 'attachment.names like "*.zip" and part_count = 3', "tag": "zip"},
                   {"name": "programs", "stage": "content", "when": 'archive.executable != ""', "action": "reject", "text": "no programs: {archive.executable}"},
                   {"name": "scanned", "stage": "content", "when": "virus unavailable or spam unavailable", "action": "hold"})
    file = tmp_path / "message"

    def told(body, *files):
        message = EmailMessage()
        message["From"], message["To"] = "x@b.example", "bob@a.example"
        message.set_content(body)
        for name, content in files:
            packed = io.BytesIO()
            with zipfile.ZipFile(packed, "w") as archive:
                archive.writestr(name, content)
            message.add_attachment(packed.getvalue(), maintype="application", subtype="zip", filename="a.zip")
        file.write_bytes(message.as_bytes())
        return explain(net, server, "--to", "bob@a.example", file).stdout
    assert "550 5.7.1 a gtube\n" in told("XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X\n")
    text = told("Cheap watches!\n", ("run.exe", b"MZ\x90\x00" + bytes(200)))
    assert "rule words" in text and "applies: score 3; body = (1 texts, not told)\n" in text, text
    assert 'applies: tag "zip"; attachment.names = ["a.zip"], part_count = 3\n' in text and "content   archives: 1 files in 1 archives\n" in text, text
    assert "550 5.7.1 no programs: a.zip/run.exe (windows-program)\n" in text, text
    text = told("Nothing.\n", ("readme", b"x"))
    assert "virus = unavailable (there is no such [[scanner]] for this listener)" in text and text.endswith("result    accepted, and held by scanned, tags zip\n"), text


def test_explain_tells_what_rates_have_counted_and_counts_nothing(net, server, without_rates):
    server.settings.pop("rule", None)
    server.configure(rate=[{"name": "few", "of": "messages", "per": ["sender"], "limit": "2/1h", "text": "enough"},
                           {"name": "none-of-this", "of": "messages", "limit": "1/1h", "when": "authenticated"},
                           {"name": "volume", "of": "octets", "limit": "1KiB/1h", "action": "hold"}])
    server.stop()
    server.start()
    counted = "data      rate few \\(\\S+thurn\\.toml:\\d+\\) %s counted for sender = \"counted@b.example\"%s\n"

    def told(*words, message=None):
        server.stop()  # which saves what it knows
        server.start()
        done = explain(net, server, "--to", "bob@a.example", *words, message=message, sender="counted@b.example")
        return done.returncode, done.stdout
    for _ in range(3):
        code, text = told()
        assert code == 0 and re.search(counted % ("has room; 0 of 2 messages in 1h", ""), text) and "none-of-this" not in text, text
    send(net, server, sender="counted@b.example")
    code, text = told()
    assert code == 0 and re.search(counted % ("has room; 1 of 2 messages in 1h", ""), text), text
    send(net, server, sender="counted@b.example")
    code, text = told(message="From: x@b.example\r\n\r\n" + "x" * 2000)
    assert code == 1 and re.search(counted % (r"is exceeded: defer; (2|1\.9) of 2 messages in 1h", r", room again in \d+s"), text), text
    assert text.endswith("result    defer at data by few\n          450 4.7.1 enough\n"), text
    done = explain(net, server, "--to", "bob@a.example", message="From: x@b.example\r\n\r\n" + "x" * 2000, sender="other@b.example")
    assert re.search(r"content   rate volume \(\S+\) is exceeded: hold; \d+ of 1KiB in 1h counted", done.stdout) and "held by volume" in done.stdout, done.stdout
    found = server.cli("explain", "--ip", net["client"].ip, "--from", "counted@b.example", "--json", input="", check=False)
    rate = json.loads(found.stdout)["rates"][0]
    assert rate["rate"] == "few" and rate["exceeded"] and 1.9 < rate["counted"] <= 2 and rate["wait_seconds"] > 0, rate


def test_explain_puts_nothing_aside_that_it_cannot_read(net, server, without_rates):
    server.settings.pop("rule", None)
    server.configure(rate=[{"name": "few", "of": "messages", "limit": "2/1h"}])
    server.stop()
    kept = server.data / "policy" / "rates"
    before = kept.read_bytes()
    try:
        kept.write_bytes(b"nonsense")
        told = explain(net, server, "--to", "bob@a.example")
        assert told.returncode == 0 and re.search(r"data      what rates have counted cannot be told: \S+/policy/rates: ", told.stdout), told.stdout
        assert kept.read_bytes() == b"nonsense" and not kept.with_name("rates.damaged").exists()
    finally:
        kept.write_bytes(before)
        server.start()


def test_explain_tells_what_becomes_of_a_login(net, server, under):
    under()
    ip = net["client"].ip
    words = ["explain", "--ip", ip, "--login", "alice@a.example", "--to", "x@far.example"]
    mine = "From: alice@a.example\r\n\r\nHello\r\n"
    told = server.cli(*words, "--from", "alice@a.example", input=mine).stdout
    for text in (f"auth      accept by login_protection: alice@a.example may try from here", "mail      accept by sender-ownership", "data      accept by account_watch: as usual",
                 "content   SPF, DKIM and DMARC have no say: the client is no stranger", "result    accepted\n"):
        assert text in told, told
    told = server.cli(*words, "--from", "bob@a.example", input=mine, check=False).stdout
    assert "result    reject at mail by sender-ownership\n          553 5.7.1 " in told, told
    told = server.cli(*words, "--from", "alice@a.example", input="From: bob@a.example\r\n\r\n", check=False).stdout
    assert "result    reject at content by author-ownership\n          550 5.7.1 " in told, told
    told = server.cli("explain", "--ip", ip, "--from", "alice@a.example", "--port", "587", input="", check=False).stdout
    assert "result    reject at mail by " in told and "530 5.7.0 " in told, told
    assert server.cli("explain", "--ip", ip, "--from", "alice@a.example", "--port", "26", input="", check=False).returncode == 2
    server.cli("bans", "add", "alice@a.example", "--reason", "test")
    try:
        told = server.cli(*words, "--from", "alice@a.example", input=mine, check=False).stdout
        assert "result    reject at auth by bans\n          525 5.7.13 you are banned from logging in here" in told, told
        server.cli("bans", "add", ip)
        told = server.cli(*words, "--from", "alice@a.example", input=mine, check=False).stdout
        assert "result    reject at connect by bans\n          554 5.7.1 your address is banned" in told, told
    finally:
        server.cli("bans", "remove", "alice@a.example", ip, check=False)


def test_a_rule_about_countries_goes_by_the_file_and_by_its_successor_after_a_reload(net, under, tmp_path):
    file, ip = tmp_path / "countries.mmdb", net["client"].ip
    abroad = {"name": "abroad", "stage": "connect", "when": 'client.country = "DE"', "action": "reject", "text": "no mail from {client.country}"}
    unknown = {"name": "unknown", "stage": "helo", "when": "client.country unavailable", "action": "reject", "text": "nobody knows"}
    server = under(abroad, unknown)
    assert dialogue(net, server, "EHLO client.lab")[0] == "550 5.7.1 nobody knows"
    try:
        file.write_bytes(country_database({f"{ip}/32": "DE", "203.0.113.0/24": "NG"}))
        server.configure(geoip={"file": str(file)})
        server = under(abroad, unknown)
        assert dialogue(net, server, greeting="554")[0] == "554 5.7.1 no mail from DE"
        successor = tmp_path / "new"
        successor.write_bytes(country_database({f"{ip}/32": "FR"}))
        successor.rename(file)
        assert dialogue(net, server, greeting="554")[0] == "554 5.7.1 no mail from DE", "nobody said anything yet"
        server = under(abroad, unknown)
        assert dialogue(net, server, "EHLO client.lab")[0].startswith("250 ")
        assert "restart_needed" not in server.log_text()
        told = server.cli("explain", "--ip", ip, "--from", "x@b.example", input="", check=False).stdout
        assert 'rule abroad' in told and 'does not apply; client.country = "FR"' in told, told
        file.write_text("nonsense")
        heard = len(server.log_text())
        server.reload()
        server.wait_for_log(r"event=reload_failed .*geoip\.file: .*countries\.mmdb", after=heard)
        assert "geoip.file: " in server.cli("check", check=False).stdout
        assert dialogue(net, server, "EHLO client.lab")[0].startswith("250 ")
    finally:
        server.settings.pop("geoip", None)
        under()


def test_a_rule_about_the_time_goes_by_the_servers_time_zone(net, under, monkeypatch):
    server = under({"name": "now", "stage": "mail", "when": "time.hour >= 0", "action": "reject", "text": "{time.weekday} {time.hour}"})
    monkeypatch.setenv("TZ", "TEST-13")  # thirteen hours ahead of UTC
    server.stop()
    server.start()
    try:
        before = time.gmtime(time.time() + 13 * 3600)
        reply = dialogue(net, server, "EHLO client.lab", "MAIL FROM:<x@b.example>")[0]
        after = time.gmtime(time.time() + 13 * 3600)
        assert reply in [f"550 5.7.1 {time.strftime('%A', at).lower()} {at.tm_hour}" for at in (before, after)]
    finally:
        monkeypatch.undo()
        server.stop()
        server.start()
        under()
