"""Mail handed to Dovecot by LMTP, over TCP and over a local socket, and read back by IMAP."""

import imaplib
import pathlib
import shutil

import pytest
from clients import make_message, send_on, smtp
from lab import wait_until
from peers import Dovecot
from scripted import ScriptedPeer
from thurn import message_id

DOMAIN = "a.example"
BOUNCE = "Your message could not be delivered"
NO_ROUTE = [{"recipient": "nobody@nowhere.example", "next_hop": "discard:"}]


class MailStore(Dovecot):
    """Dovecot with mailboxes of its own: alice, bob, and carol, in whose mailbox there is no room."""

    def __init__(self, host, thurn):
        self.socket = host.lab.folder / "lmtp-socket" / "lmtp"
        self.socket.parent.mkdir(mode=0o755, exist_ok=True)
        mail = host.lab.folder / "lmtp-mail"
        mail.mkdir(exist_ok=True)
        shutil.chown(mail, "mail", "mail")  # Dovecot keeps no mail of root's
        users = host.lab.folder / "lmtp-users"
        users.write_text("".join(f"{user}@{DOMAIN}:::::{mail}/{user}::{extra}\n" for user, extra in (
            ("alice", ""), ("bob", ""), ("carol", "userdb_quota_rule=*:bytes=1"))))
        super().__init__(host, thurn, {f"{user}@{DOMAIN}": "imap" for user in ("alice", "bob", "carol")}, ports=(143, 24), settings=f"""
protocols = imap lmtp
mail_location = maildir:~/Maildir
mail_plugins = $mail_plugins quota
plugin {{
  quota = maildir:user
}}
userdb {{
  driver = passwd-file
  args = username_format=%u {users}
  override_fields = uid=mail gid=mail
}}
service lmtp {{
  user = root
  inet_listener lmtp {{
    address = {host.ip}
    port = 24
  }}
  unix_listener {self.socket} {{
    mode = 0666
  }}
}}
lmtp_rcpt_check_quota = no
""")
        # The static users of the class above would be anybody.
        text = self.conf.read_text()
        start = text.index("userdb {\n  driver = static")
        self.conf.write_text(text[:start] + text[text.index("}\n", start) + 2:])

    def subjects(self, user):
        try:
            return self._subjects(user)
        except imaplib.IMAP4.error as error:
            raise AssertionError(f"{error}; log:\n{self.log.read_text()[-3000:]}") from error

    def _subjects(self, user):
        with self.host.inside():
            mailbox = imaplib.IMAP4(self.host.ip, timeout=20)
        with mailbox:
            mailbox.login(f"{user}@{DOMAIN}", "imap")
            mailbox.select("INBOX", readonly=True)
            _, found = mailbox.search(None, "ALL")
            numbers = found[0].split()
            return [mailbox.fetch(number, "(BODY[HEADER.FIELDS (SUBJECT)])")[1][0][1].decode().strip()[9:] for number in numbers]

    def wait_for(self, user, subject):
        wait_until(lambda: subject in self.subjects(user), 20, lambda: f"{user} gets {subject!r}; has {self.subjects(user)}; log:\n{self.log.read_text()[-3000:]}",
                   step=0.2)


@pytest.fixture(scope="module")
def server(lab, make_thurn):
    server = make_thurn("a", relay={"networks": [f"{lab['client'].ip}/32"]})
    server.add_account(f"carol@{DOMAIN}")
    return server


@pytest.fixture(scope="module")
def store(server):
    made = MailStore(server.host, server).start()
    yield made
    made.stop()


@pytest.fixture
def send(lab, server):
    def send_to(subject, *users, sender="someone@b.example", domain=DOMAIN):
        with smtp(lab["client"], server.host) as client:
            return message_id(send_on(client, make_message(subject, sender=sender), sender, [f"{user}@{domain}" for user in users]))
    return send_to


def deliver_by(server, **settings):
    logged = len(server.log_text())
    server.configure(**settings)
    server.reload()
    server.wait_for_log("event=reloaded", after=logged)


def outcomes(server, identifier):
    return {event["recipient"].split("@")[0]: (event["outcome"], event["status"]) for event in server.json("trace", identifier) if event["event"] == "settled"}


@pytest.mark.parametrize("way", ["tcp", "socket"])
def test_mailboxes_are_kept_by_dovecot(server, store, send, way):
    hop = f"lmtp://{server.host.ip}:24" if way == "tcp" else f"lmtp+unix:{store.socket}"
    deliver_by(server, **{"delivery": {"local": {"type": "lmtp", "next_hop": hop}}})
    identifier = send(f"by {way}", "Alice", "bob")
    for user in ("alice", "bob"):
        store.wait_for(user, f"by {way}")
    server.wait_for_empty_queue()
    assert {user: outcome for user, (outcome, _) in outcomes(server, identifier).items()} == {"Alice": "delivered", "bob": "delivered"}
    attempt = next(event for event in server.json("trace", identifier) if event["event"] == "attempted")
    assert attempt["host"] == (f"{server.host.ip} [{server.host.ip}]:24" if way == "tcp" else str(store.socket))
    assert not server.maildir(f"alice@{DOMAIN}").exists()


def test_a_tag_is_passed_on(server, store, send):
    deliver_by(server, **{"delivery": {"local": {"type": "lmtp", "next_hop": f"lmtp+unix:{store.socket}"}}})
    send("with a tag", "alice+lists")
    store.wait_for("alice", "with a tag")


def test_full_mailbox_and_unknown_user_do_not_touch_the_others(server, store, send):
    """One transaction: taken, over quota after the content, unknown at RCPT."""
    server.add_account(f"dave@{DOMAIN}")  # thurn knows him, Dovecot does not
    deliver_by(server, **{"delivery": {"local": {"type": "lmtp", "next_hop": f"lmtp+unix:{store.socket}"}}})
    identifier = send("for three", "alice", "carol", "dave", sender=f"bob@{DOMAIN}")
    store.wait_for("alice", "for three")
    server.wait_for_empty_queue()
    told = outcomes(server, identifier)
    assert told["alice"][0] == "delivered"
    assert told["carol"][0] == "bounced" and told["carol"][1].startswith("552 5.2.2 ")
    assert told["dave"][0] == "bounced" and told["dave"][1].startswith("550 5.1.1 ")
    assert store.subjects("alice").count("for three") == 1 and "for three" not in store.subjects("carol")
    store.wait_for("bob", BOUNCE)


def test_route_by_lmtp(server, store, send):
    deliver_by(server, delivery={"local": {}}, route=[{"recipient": f"alice@{DOMAIN}", "next_hop": f"lmtp://{server.host.ip}:24"}])
    send("by a route", "alice", "bob")
    store.wait_for("alice", "by a route")
    server.wait_for_mail(f"bob@{DOMAIN}", "by a route")
    deliver_by(server, route=NO_ROUTE)


def test_nobody_gets_a_second_copy_when_lmtp_breaks(lab, server, send):
    """The server takes the message for the first, then the connection is gone; the second gets it at the next attempt, alone."""
    peer = ScriptedPeer(server.host, 2400, LHLO="250-box\r\n250 PIPELINING", content=["250 2.1.5 first has it\r\n451 4.2.0 second must wait", "250 2.1.5 second has it"])
    try:
        deliver_by(server, route=[{"recipient_domain": "box.example", "next_hop": f"lmtp://{server.host.ip}:2400"}], relay={"domains": ["box.example"]})
        send("to the box", "first", "second", domain="box.example")
        peer.wait_for_messages(2)
        assert [len(message.recipients) for message in peer.messages] == [2, 1]
        assert "second@" in peer.messages[1].recipients[0]
        server.wait_for_empty_queue()
    finally:
        peer.close()
        deliver_by(server, route=NO_ROUTE)


def test_socket_that_is_not_there_lets_mail_wait(server, send):
    missing = pathlib.Path(server.folder / "nobody")
    deliver_by(server, route=[{"recipient": f"bob@{DOMAIN}", "next_hop": f"lmtp+unix:{missing}"}])
    identifier = send("waits", "bob")
    server.wait_for_trace(identifier, f"451 4.4.1 cannot connect to {missing}: No such file or directory")
    deliver_by(server, route=NO_ROUTE)
    server.wait_for_mail(f"bob@{DOMAIN}", "waits")
