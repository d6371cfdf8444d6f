"""Clients people use submit through 587 and 465; what must not get in does not, with the right codes."""

import base64
import smtplib
import subprocess
import threading

import pytest
from clients import any_certificate, converse, make_message, send_on, smtp, submit
from thurn import PASSWORD, message_id


@pytest.fixture(scope="module")
def server(make_thurn):
    return make_thurn("a")


@pytest.fixture(scope="module")
def client(lab):
    return lab["client"]


# Clients

@pytest.mark.parametrize("port, tls", [(587, "-tls"), (465, "--tls-on-connect")])
def test_swaks(client, server, port, tls):
    subject = f"swaks {port}"
    client.run("swaks", "--server", server.host.ip, "--port", port, tls, "--auth", "PLAIN", "--auth-user", "alice@a.example", "--auth-password", PASSWORD,
               "--from", "alice@a.example", "--to", "bob@a.example", "--header", f"Subject: {subject}")
    assert server.wait_for_mail("bob@a.example", subject)["Return-Path"] == "<alice@a.example>"


def test_swaks_with_auth_login(client, server):
    client.run("swaks", "--server", server.host.ip, "--port", 587, "-tls", "--auth", "LOGIN", "--auth-user", "alice@a.example", "--auth-password", PASSWORD,
               "--from", "alice@a.example", "--to", "bob@a.example", "--header", "Subject: swaks LOGIN")
    server.wait_for_mail("bob@a.example", "swaks LOGIN")


@pytest.mark.parametrize("url, extra", [("smtp://{}:587", ["--ssl-reqd"]), ("smtps://{}:465", [])])
def test_curl(client, server, lab, url, extra):
    subject = f"curl {url[:5]}"
    file = lab.folder / "curl-message"
    file.write_bytes(make_message(subject).as_bytes())
    client.run("curl", "--silent", "--show-error", "--insecure", *extra, "--url", url.format(server.host.ip), "--user", f"alice@a.example:{PASSWORD}",
               "--mail-from", "alice@a.example", "--mail-rcpt", "bob@a.example", "--upload-file", file, "--crlf")
    server.wait_for_mail("bob@a.example", subject)


@pytest.mark.parametrize("port, starttls", [(587, "on"), (465, "off")])
def test_msmtp(client, server, port, starttls):
    client.run("msmtp", "--file=/dev/null", f"--host={server.host.ip}", f"--port={port}", "--tls=on", "--tls-certcheck=off", f"--tls-starttls={starttls}", "--auth=plain",
               "--user=alice@a.example", f"--passwordeval=echo {PASSWORD}", "--from=alice@a.example", "bob@a.example",
               input=f"From: alice@a.example\nTo: bob@a.example\nSubject: msmtp {port}\n\nHello.\n")
    server.wait_for_mail("bob@a.example", f"msmtp {port}")


@pytest.mark.parametrize("port, tls", [(587, "starttls"), (465, "implicit")])
def test_smtplib(client, server, port, tls):
    with smtp(client, server.host, port, tls, "alice@a.example") as session:
        session.send_message(make_message(f"smtplib {port}"))
    server.wait_for_mail("bob@a.example", f"smtplib {port}")


def test_smtplib_over_ipv6(client, server):
    with client.inside():
        session = smtplib.SMTP(server.host.ip6, 587, local_hostname="client.lab", timeout=20)
    with session:
        session.starttls(context=any_certificate())
        session.login("alice@a.example", PASSWORD)
        session.send_message(make_message("smtplib over IPv6"))
    server.wait_for_mail("bob@a.example", "smtplib over IPv6")


@pytest.mark.parametrize("port, options", [(587, ["-starttls", "smtp"]), (465, [])])
def test_openssl_s_client(client, server, port, options):
    process = subprocess.Popen(client.command("openssl", "s_client", "-quiet", "-crlf", "-connect", f"{server.host.ip}:{port}", *options), text=True,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    watchdog = threading.Timer(60, process.kill)
    watchdog.start()
    try:
        def say(line, code):
            process.stdin.write(line + "\n")
            process.stdin.flush()
            expect(code)

        def expect(code):
            reply = process.stdout.readline()
            while reply[3:4] == "-":
                reply = process.stdout.readline()
            assert reply.startswith(code), reply
        if port == 465:  # with STARTTLS the greeting was for openssl itself
            expect("220")
        say("EHLO client.lab", "250")
        say("AUTH PLAIN " + base64.b64encode(f"\0alice@a.example\0{PASSWORD}".encode()).decode(), "235")
        say("MAIL FROM:<alice@a.example>", "250")
        say("RCPT TO:<bob@a.example>", "250")
        say("DATA", "354")
        say(f"Subject: openssl {port}\n\nHello.\n.", "250")
        say("QUIT", "221")
    finally:
        watchdog.cancel()
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()
    server.wait_for_mail("bob@a.example", f"openssl {port}")


# What a message looks like afterwards

def test_received_line_tells_client_tls_and_id(client, server):
    identifier = message_id(submit(client, server.host, "received line", "bob@a.example"))
    message = server.wait_for_mail("bob@a.example", "received line")
    received = " ".join(message["Received"].split())
    assert "from client.lab" in received and "10.77.0.2" in received
    assert "by mx.a.example with ESMTPSA (TLSv1.3 " in received and f"id {identifier} for <bob@a.example>;" in received
    assert message["Return-Path"] == "<alice@a.example>"
    assert message["Delivered-To"] == "bob@a.example"


def test_trace_tells_the_story(client, server):
    identifier = message_id(submit(client, server.host, "story", "bob@a.example"))
    story = server.wait_for_trace(identifier, "accepted", "delivered")
    for part in ("10.77.0.2", "TLSv1.3", "alice@a.example", "bob@a.example"):
        assert part in story
    events = server.json("trace", identifier)
    assert all(event["id"] == identifier for event in events)
    assert events[0]["event"] == "accepted" and events[0]["login"] == "alice@a.example"


def test_large_message_arrives_whole(client, server):
    body = "".join(f"{number:07d} {'x' * 60}\r\n" for number in range(30000))  # 2 MB: beyond what is kept in the log
    message = f"From: alice@a.example\r\nSubject: large\r\n\r\n{body}".encode()
    with smtp(client, server.host, 587, "starttls", "alice@a.example") as session:
        send_on(session, message, "alice@a.example", ["bob@a.example"])
    assert server.wait_for_mail("bob@a.example", "large").get_payload() == body.replace("\r\n", "\n")


# Refusals

@pytest.mark.parametrize("port, tls", [(587, "starttls"), (465, "implicit")])
@pytest.mark.parametrize("login", ["alice@a.example", "nobody@a.example"])
def test_wrong_password_is_535(client, server, port, tls, login):
    with smtp(client, server.host, port, tls) as session:
        with pytest.raises(smtplib.SMTPAuthenticationError) as refusal:
            session.user, session.password = login, "wrong"
            session.auth("PLAIN", session.auth_plain)
        assert refusal.value.smtp_code == 535
        assert refusal.value.smtp_error.startswith(b"5.7.8")


def test_no_password_in_the_log(client, server):
    submit(client, server.host, "secret", "bob@a.example")
    with smtp(client, server.host, 587, "starttls") as session, pytest.raises(smtplib.SMTPAuthenticationError):
        session.login("alice@a.example", "a-wrong-secret")
    log = server.log_text()
    encoded = base64.b64encode(f"\0alice@a.example\0{PASSWORD}".encode()).decode()
    assert PASSWORD not in log and encoded not in log and "a-wrong-secret" not in log


@pytest.mark.parametrize("port", [25, 587])
def test_auth_without_tls_is_neither_offered_nor_taken(client, server, port):
    with converse(client, server.host, port) as talk:
        assert "AUTH" not in talk.say("EHLO client.lab")
        assert talk.say("AUTH PLAIN " + base64.b64encode(f"\0alice@a.example\0{PASSWORD}".encode()).decode())[0] == "5"
        if port == 587:
            assert talk.say("MAIL FROM:<alice@a.example>").startswith("530 5.7.0")


@pytest.mark.parametrize("port, tls", [(587, "starttls"), (465, "implicit")])
def test_mail_without_auth_is_530(client, server, port, tls):
    with smtp(client, server.host, port, tls) as session:
        code, reply = session.mail("alice@a.example")
        assert (code, reply[:5]) == (530, b"5.7.0")


def test_foreign_sender_is_553(client, server):
    with smtp(client, server.host, 587, "starttls", "alice@a.example") as session:
        for sender in ("bob@a.example", "alice@b.example"):
            code, reply = session.mail(sender)
            assert (code, reply[:5]) == (553, b"5.7.1"), sender
        assert session.mail("alice+tag@a.example")[0] == 250


def test_foreign_sender_is_taken_where_any_sender_is_allowed(client, server):
    def set_senders(value):
        logged = len(server.log_text())
        server.configure(submission={"senders": value})
        server.reload()
        server.wait_for_log("event=reloaded", after=logged)

    set_senders("any")
    with smtp(client, server.host, 587, "starttls", "alice@a.example") as session:
        identifier = message_id(send_on(session, make_message("as another", sender="ceo@b.example"), "ceo@b.example", ["bob@a.example"]))
    assert server.wait_for_mail("bob@a.example", "as another")["Return-Path"] == "<ceo@b.example>"
    assert server.json("trace", identifier)[0]["login"] == "alice@a.example"
    with smtp(client, server.host, 587, "starttls") as session:
        assert session.mail("ceo@b.example")[0] == 530, "logging in is needed all the same"
    set_senders("domain")
    with smtp(client, server.host, 587, "starttls", "alice@a.example") as session:
        message_id(send_on(session, make_message("as another of the domain", sender="anyone@a.example"), "anyone@a.example", ["bob@a.example"]))
        code, reply = session.mail("ceo@b.example")
        assert (code, reply[:5]) == (553, b"5.7.1")
    set_senders("own")
    with smtp(client, server.host, 587, "starttls", "alice@a.example") as session:
        code, reply = session.mail("ceo@b.example")
        assert (code, reply[:5]) == (553, b"5.7.1")


@pytest.mark.parametrize("author", ["bob@a.example", "Alice <alice@a.example>, Bob <bob@a.example>", "alice@a.example\r\nFrom: bob@a.example", "root"])
def test_author_that_is_another_is_550(client, server, author):
    with smtp(client, server.host, 587, "starttls", "alice@a.example") as session:
        session.mail("alice@a.example")
        session.rcpt("bob@a.example")
        code, reply = session.data(f"From: {author}\r\nSubject: as another\r\n\r\nhello\r\n".encode())
        assert (code, reply[:5]) == (550, b"5.7.1")
        identifier = reply.decode().rsplit("(", 1)[1].rstrip(")")
        for own in ("Alice <alice+news@a.example>", '"bob@a.example" <ALICE@a.example>'):
            session.mail("alice@a.example")
            session.rcpt("bob@a.example")
            assert session.data(f"From: {own}\r\nSubject: as herself\r\n\r\nhello\r\n".encode())[0] == 250, own
    assert "author-ownership" in str(server.json("trace", identifier))


RELAY_ATTEMPTS = ["victim@elsewhere.example", "victim%elsewhere.example@a.example", "elsewhere.example!victim@a.example", '"victim@elsewhere.example"@a.example',
                  "@a.example:victim@elsewhere.example", "victim@[10.77.0.4]", "victim@elsewhere.example@a.example"]


@pytest.mark.parametrize("recipient", RELAY_ATTEMPTS)
def test_port_25_does_not_relay(client, server, recipient):
    with smtp(client, server.host) as session:
        for sender in ("<someone@b.example>", "<alice@a.example>", "<>"):
            assert session.docmd("MAIL", f"FROM:{sender}")[0] == 250
            code, reply = session.docmd("RCPT", f"TO:<{recipient}>")
            assert code in (550, 553, 554, 501), (recipient, code, reply)
            session.rset()


def test_relay_refusal_is_5_7_1(client, server):
    with smtp(client, server.host) as session:
        session.mail("someone@b.example")
        code, reply = session.rcpt("victim@elsewhere.example")
        assert code in (550, 554) and reply.startswith(b"5.7.1")


def test_unknown_user_is_550_5_1_1(client, server):
    with smtp(client, server.host) as session:
        session.mail("someone@b.example")
        code, reply = session.rcpt("nobody@a.example")
        assert (code, reply[:5]) == (550, b"5.1.1")


def test_clear_text_behind_starttls_is_discarded(client, server):
    with converse(client, server.host, 587) as talk:
        talk.say("EHLO client.lab")
        talk.send("STARTTLS\r\nMAIL FROM:<injected@a.example>\r\n")
        assert talk.reply().startswith("220")
        talk.reader.close()
        talk.socket = any_certificate().wrap_socket(talk.socket)
        talk.reader = talk.socket.makefile("rb")
        assert talk.say("NOOP").startswith("250")  # the answer to NOOP, not to the injected MAIL
        assert talk.say("MAIL FROM:<alice@a.example>")[0] == "5"  # EHLO is forgotten


@pytest.mark.parametrize("ending", ["\n.\n", "\n.\r\n", "\r.\r", "\r\n.\n", "\r.\r\n", "\r\n.\r"])
def test_smuggled_end_of_content_never_ends_it(client, server, ending):
    with converse(client, server.host) as talk:
        talk.say("EHLO client.lab")
        talk.say("MAIL FROM:<someone@b.example>")
        talk.say("RCPT TO:<bob@a.example>")
        assert talk.say("DATA").startswith("354")
        talk.send(f"Subject: smuggler\r\n\r\nHello.{ending}MAIL FROM:<forged@b.example>\r\nRCPT TO:<alice@a.example>\r\nDATA\r\nSubject: smuggled\r\n\r\nHi.\r\n.\r\n")
        assert talk.reply().startswith("550 5.6.0")
        assert talk.say("NOOP").startswith("250")
    assert not [message for message in server.mail("alice@a.example") if message["Subject"] == "smuggled"]
