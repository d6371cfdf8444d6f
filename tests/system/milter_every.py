"""A content filter on libmilter itself, by way of pymilter: writes down everything it hears, and does what the subject says.

milter_every.py SOCKET STORY: a JSON object a line, {"id": which connection, "step": …, …}.
"""

import json
import sys

import Milter

SOCKET, STORY = sys.argv[1], sys.argv[2]
MACROS = ["j", "i", "{client_addr}", "{client_name}", "{daemon_name}", "{auth_authen}", "{auth_type}", "{tls_version}", "{cipher}", "{mail_addr}", "{rcpt_addr}"]
VERDICTS = {"reject": Milter.REJECT, "tempfail": Milter.TEMPFAIL, "discard": Milter.DISCARD, "accept": Milter.ACCEPT, "continue": Milter.CONTINUE}


class Every(Milter.Base):
    def __init__(self):
        self.id = Milter.uniqueID()
        self.subject, self.octets = "", 0

    def tell(self, step, **more):
        macros = {name: value for name in MACROS if (value := self.getsymval(name)) is not None}
        with open(STORY, "a", encoding="utf-8") as story:
            story.write(json.dumps({"id": self.id, "step": step, "macros": macros, **more}) + "\n")

    def wanted(self, step):
        """`reject at rcpt` in the local part of the sender: what is said there."""
        return VERDICTS.get(self.orders.get(step), Milter.CONTINUE)

    def negotiate(self, options):
        verdict = super().negotiate(options)
        self._ctx.setsymlist(Milter.M_DATA, "i {client_addr} {mail_addr}")  # setsymlist() of pymilter 1.0.5 itself gives octets where text is wanted
        return verdict

    def connect(self, hostname, family, hostaddr):
        self.orders = {}
        self.tell("connect", host=hostname, address=list(hostaddr) if isinstance(hostaddr, tuple) else hostaddr)
        return Milter.CONTINUE

    def hello(self, name):
        self.tell("helo", name=name)
        return Milter.CONTINUE

    def envfrom(self, sender, *parameters):
        self.subject, self.octets = "", 0
        local = sender.strip("<>").split("@")[0].split(".")
        self.orders = {local[1]: local[0]} if len(local) == 2 else {}
        self.tell("mail", sender=sender, parameters=list(parameters))
        return self.wanted("mail")

    def envrcpt(self, recipient, *parameters):
        self.tell("rcpt", recipient=recipient, parameters=list(parameters))
        return self.wanted("rcpt")

    def data(self):
        self.tell("data")
        return self.wanted("data")

    def unknown(self, command):
        self.tell("unknown", command=command)
        return Milter.CONTINUE

    @Milter.decode("bytes")
    def header(self, name, value):
        name, value = (text.decode("utf-8", "replace") if isinstance(text, bytes) else text for text in (name, value))
        if name.lower() == "subject":
            self.subject = value
        self.tell("header", name=name, value=value)
        return self.wanted("header")

    def eoh(self):
        self.tell("eoh")
        return self.wanted("eoh")

    def body(self, chunk):
        self.octets += len(chunk)
        self.tell("body", octets=len(chunk))
        return self.wanted("body")

    def eom(self):
        self.tell("eom", octets=self.octets)
        self.progress()
        action = getattr(self, "do_" + self.subject.replace(" ", "_"), None)
        if action:
            return action() or Milter.CONTINUE
        return self.wanted("eom")

    def do_add(self):
        self.addheader("X-Added", "plain")
        self.addheader("X-Folded", "first\n\tsecond")
        self.addheader("X-Top", "first of all", 0)

    def do_change(self):
        self.chgheader("X-Old", 2, "changed")
        self.chgheader("X-Gone", 1, "")
        self.chgheader("X-New", 1, "was not there")

    def do_envelope(self):
        self.chgfrom("<changed@b.example>")
        self.addrcpt("<bob@b.example>")
        self.delrcpt("<alice@b.example>")

    def do_parameters(self):
        self.addrcpt("<bob@b.example>", "NOTIFY=NEVER")

    def do_replace(self):
        self.replacebody("a new body\n")
        self.replacebody("of two pieces\n")

    def do_replace_much(self):
        self.replacebody("x" * 77 + "\r\n")
        for _ in range(10):
            self.replacebody(("y" * 77 + "\r\n") * 500)

    def do_quarantine(self):
        self.quarantine("it looks odd")

    def do_reply(self):
        self.setreply("554", "5.7.1", "no, by 100%%", "not at all")
        return Milter.REJECT

    def do_later(self):
        self.setreply("450", "4.7.1", "greylisted for 60 seconds")
        return Milter.TEMPFAIL

    def abort(self):
        self.tell("abort")
        return Milter.CONTINUE

    def close(self):
        self.tell("close")
        return Milter.CONTINUE


Milter.factory = Every
Milter.set_flags(Milter.ADDHDRS + Milter.CHGHDRS + Milter.CHGBODY + Milter.ADDRCPT + Milter.ADDRCPT_PAR + Milter.DELRCPT + Milter.QUARANTINE + Milter.CHGFROM + Milter.SETSYMLIST)
Milter.runmilter("every", SOCKET, 30)
