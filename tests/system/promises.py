"""Numbered messages, the writers that send them, and what arrived of them: for tests in which nothing promised may be lost.

Messages carry the digest of their body. A message is promised once its 250 was read. Half of them go to a mailbox, half to a sink that defers,
closes, and takes without answering.
"""

import hashlib
import random
import threading
import time

from clients import converse
from scripted import CLOSE

WRITERS = 4


def render(number, size):
    """Content with its number and the digest of its body."""
    body = "".join(f"{random.getrandbits(240):060x}\r\n" for _ in range(size // 62 + 1))
    digest = hashlib.sha256(body.encode()).hexdigest()
    return f"Subject: crash\r\nX-Number: {number}\r\nX-Digest: {digest}\r\n\r\n{body}".encode()


def read(content):
    """(number, whole?) of what arrived, with CRLF or LF line ends. What has lost its number is not whole."""
    head, _, body = content.replace(b"\r\n", b"\n").partition(b"\n\n")
    fields = dict(line.split(b": ", 1) for line in head.split(b"\n") if b": " in line)
    whole = hashlib.sha256(body.replace(b"\n", b"\r\n")).hexdigest().encode() == fields.get(b"X-Digest")
    return int(fields.get(b"X-Number", -1)), whole


class Writer(threading.Thread):
    """Sends until told to stop; `promised` are the numbers that got a 250."""

    def __init__(self, client, server, first):
        super().__init__(daemon=True)
        self.client, self.server, self.next = client, server, first
        self.promised, self.refused, self.stopping = [], [], threading.Event()

    def run(self):
        while not self.stopping.is_set():
            try:
                with converse(self.client, self.server.host, timeout=20, greeted=False) as talk:
                    if talk.reply().startswith("220") and talk.say("EHLO writer.lab").startswith("250"):
                        self.converse(talk)
            except OSError:
                time.sleep(0.02)  # between kill and start

    def converse(self, talk):
        while not self.stopping.is_set():
            number, self.next = self.next, self.next + WRITERS
            recipient = "bob@a.example" if random.random() < 0.5 else "someone@flaky.example"
            size = random.choice([200, 2000, 10000, 10000, 50000, 400000])
            talk.send(f"MAIL FROM:<writer@w.example>\r\nRCPT TO:<{recipient}>\r\nDATA\r\n")
            replies = [talk.reply() for _ in range(3)]
            if not replies[2].startswith("354"):
                self.refused.append(replies)
                return
            talk.send(render(number, size) + b".\r\n")
            reply = talk.reply()
            if reply.startswith("250"):
                self.promised.append(number)
            else:
                self.refused.append(reply)
                return


def flaky_content(taken):
    """Takes most, defers some, closes on some, and takes some without saying so: these will come twice."""
    def answer(content):
        chance = random.random()
        if chance < 0.05:
            return "451 4.3.0 not now"
        if chance < 0.08:
            return CLOSE
        taken.append(content)
        return CLOSE if chance < 0.11 else "250 2.0.0 taken"
    return answer


def arrivals(server, taken):
    """number → how often it arrived whole; and how many arrived broken."""
    counts, broken = {}, 0
    folder = server.maildir("bob@a.example") / "new"
    contents = taken + [file.read_bytes() for file in (folder.iterdir() if folder.exists() else [])]
    for content in contents:
        number, whole = read(content)
        broken += not whole
        if whole:
            counts[number] = counts.get(number, 0) + 1
    return counts, broken


class Traffic:
    """Writers on the lab's client, and the sink they write to; `with` it they write."""

    def __init__(self, client, server, faulty):
        self.server, self.taken = server, []
        self.sink = faulty(RCPT=lambda _: "451 4.7.1 later" if random.random() < 0.05 else "250 2.1.5 ok", content=flaky_content(self.taken))
        self.writers = [Writer(client, server, number) for number in range(WRITERS)]

    def __enter__(self):
        for writer in self.writers:
            writer.start()
        return self

    def __exit__(self, *_):
        for writer in self.writers:
            writer.stopping.set()
        for writer in self.writers:
            writer.join(30)

    def promised(self):
        return [number for writer in self.writers for number in list(writer.promised)]

    def refusals(self):
        """The replies that refused a message, each once: of one transaction the first that did."""
        replies = set()
        for writer in self.writers:
            for refused in list(writer.refused):
                replies.update([reply for reply in ([refused] if isinstance(refused, str) else refused) if not reply.startswith(("2", "3"))][:1])
        return replies - {""}  # the connection was closed

    def account(self, limit=90):
        """The sink takes everything now; when the queue is empty: the Account of all."""
        self.sink.set(RCPT="250 2.1.5 ok", content=lambda content: self.taken.append(content) or "250 2.0.0 taken")
        self.server.wait_for_empty_queue(limit=limit)
        return Account(self.promised(), *arrivals(self.server, self.taken))


class Account:
    """What became of the promises."""

    def __init__(self, promised, counts, broken):
        self.promised, self.broken = promised, broken
        self.lost = [number for number in promised if number not in counts]
        self.duplicates = sum(count - 1 for count in counts.values())
        self.unpromised = len(set(counts) - set(promised))

    def __str__(self):
        return (f"{len(self.promised)} promised, {len(self.lost)} lost, {self.broken} broken, {self.duplicates} duplicates, "
                f"{self.unpromised} arrived without a 250 read")
