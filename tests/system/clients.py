"""Clients on a host of the lab. Addresses are given as IP: only servers look names up."""

import contextlib
import email.message
import email.policy
import smtplib
import ssl

from thurn import PASSWORD


def any_certificate():
    """Takes the servers' self-signed certificates."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # not create_default_context(): that reads all the system's roots, 0.2 s each time
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def make_message(subject, body="Hello.\r\n", sender="alice@a.example", to="bob@a.example"):
    message = email.message.EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, to, subject
    message.set_content(body)
    return message


@contextlib.contextmanager
def smtp(host, server, port=25, tls=None, login=None, password=PASSWORD, timeout=20, ehlo="client.lab"):
    """smtplib's client, from `host` to the host `server`. `tls`: None, "starttls" or "implicit"."""
    with host.inside():
        if tls == "implicit":
            client = smtplib.SMTP_SSL(server.ip, port, local_hostname=ehlo, timeout=timeout, context=any_certificate())
        else:
            client = smtplib.SMTP(server.ip, port, local_hostname=ehlo, timeout=timeout)
    try:
        if tls == "starttls":
            client.starttls(context=any_certificate())
        client.ehlo_or_helo_if_needed()
        if login:
            client.login(login, password)
        yield client
        with contextlib.suppress(smtplib.SMTPException, OSError):
            client.quit()
    finally:
        client.close()


def submit(host, server, subject, to, sender="alice@a.example", **options):
    """Submits one message through 587 as `sender`; gives the final reply's text, which holds the id."""
    recipients = [to] if isinstance(to, str) else to
    with smtp(host, server, 587, "starttls", sender) as client:
        return send_on(client, make_message(subject, sender=sender, to=", ".join(recipients), **options), sender, recipients)


def send_on(client, message, sender, recipients):
    """One transaction; raises when anything is refused."""
    for code, reply in [client.mail(sender), *(client.rcpt(recipient) for recipient in recipients)]:
        if code != 250:
            client.rset()
            raise smtplib.SMTPResponseException(code, reply)
    octets = message if isinstance(message, bytes) else message.as_bytes(policy=email.policy.SMTP)
    code, reply = client.data(octets)
    if code != 250:
        raise smtplib.SMTPResponseException(code, reply)
    return reply.decode()


class Conversation:
    """Lines over a bare socket or any pair of files, for what well-behaved clients do not say."""

    def __init__(self, socket):
        self.socket = socket
        self.reader = socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.reader.close()
        self.socket.close()

    def send(self, octets):
        self.socket.sendall(octets if isinstance(octets, bytes) else octets.encode())

    def reply(self):
        """One whole reply as text; empty when the server closed."""
        lines = []
        while line := self.reader.readline():
            lines.append(line.decode(errors="replace").rstrip("\r\n"))
            if line[3:4] != b"-":
                break
        return "\n".join(lines)

    def say(self, line):
        self.send(line + "\r\n")
        return self.reply()

    def start_tls(self):
        assert self.say("STARTTLS").startswith("220")
        self.begin_tls()

    def begin_tls(self):
        """The handshake alone, without a word before it."""
        self.reader.close()
        self.socket = any_certificate().wrap_socket(self.socket)
        self.reader = self.socket.makefile("rb")


def converse(host, server, port=25, timeout=20, greeted=True):
    conversation = Conversation(host.connect(server.ip, port, timeout))
    if greeted:
        assert conversation.reply().startswith("220")
    return conversation
