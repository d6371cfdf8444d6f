"""kill -9, again and again, while mail pours in and out: what got a 250 is never lost.

Messages are numbered and carry the digest of their body. Writers count a message as promised once its 250 was read. Half of them go to a mailbox,
half to a sink that defers, closes, and takes without answering. At the end every promised number must have arrived whole, at least once.
THURN_KILL_ROUNDS sets how often (default 10).
"""

import hashlib
import os
import random
import threading
import time

from clients import converse
from scripted import CLOSE

ROUNDS = int(os.environ.get("THURN_KILL_ROUNDS", "10"))
WRITERS = 4


def render(number, size):
    """Content with its number and the digest of its body."""
    body = "".join(f"{random.getrandbits(240):060x}\r\n" for _ in range(size // 62 + 1))
    digest = hashlib.sha256(body.encode()).hexdigest()
    return f"Subject: crash\r\nX-Number: {number}\r\nX-Digest: {digest}\r\n\r\n{body}".encode()


def read(content):
    """(number, whole?) of what arrived, with CRLF or LF line ends."""
    head, _, body = content.replace(b"\r\n", b"\n").partition(b"\n\n")
    fields = dict(line.split(b": ", 1) for line in head.split(b"\n") if b": " in line)
    whole = hashlib.sha256(body.replace(b"\n", b"\r\n")).hexdigest().encode() == fields.get(b"X-Digest")
    return int(fields[b"X-Number"]), whole


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


def test_nothing_promised_is_lost(lab, make_thurn, faulty, capsys):
    random.seed(1)
    server = make_thurn("a", relay={"networks": [f"{lab['client'].ip}/32"]}, limits={"connections_per_ip": 1000})
    taken = []
    peer = faulty(RCPT=lambda _: "451 4.7.1 later" if random.random() < 0.05 else "250 2.1.5 ok", content=flaky_content(taken))
    writers = [Writer(lab["client"], server, number) for number in range(WRITERS)]
    for writer in writers:
        writer.start()
    try:
        for _ in range(ROUNDS):
            time.sleep(random.uniform(0.2, 1.2))
            assert server.alive(), "the server ended by itself"
            server.kill()
            server.start()
        time.sleep(0.5)
    finally:
        for writer in writers:
            writer.stopping.set()
        for writer in writers:
            writer.join(30)
    peer.set(RCPT="250 2.1.5 ok", content=lambda content: taken.append(content) or "250 2.0.0 taken")
    server.kill()
    server.start()
    server.wait_for_empty_queue(limit=90)

    promised = [number for writer in writers for number in writer.promised]
    counts, broken = arrivals(server, taken)
    lost = [number for number in promised if number not in counts]
    duplicates = sum(count - 1 for count in counts.values())
    unpromised = len(set(counts) - set(promised))
    with capsys.disabled():
        print(f"\nkill -9: {ROUNDS} rounds, {len(promised)} promised, {len(lost)} lost, {broken} broken, {duplicates} duplicates, {unpromised} arrived without a 250 read")
    assert len(promised) > 10 * ROUNDS, [writer.refused[-3:] for writer in writers]
    assert not lost and not broken


def test_mail_waiting_survives_a_kill(lab, make_thurn, faulty):
    server = make_thurn("a", relay={"networks": [f"{lab['client'].ip}/32"]}, queue={"retry": ["1s"]})
    with converse(lab["client"], server.host) as talk:
        talk.say("EHLO writer.lab")
        for number in range(20):
            talk.say("MAIL FROM:<writer@w.example>")
            talk.say("RCPT TO:<someone@stopping.example>")
            talk.say("DATA")
            talk.send(render(number, 1000) + b".\r\n")
            assert talk.reply().startswith("250")
    server.kill()
    peer = faulty()
    server.start()
    peer.wait_for_messages(20, limit=60)
    assert {read(message.content)[0] for message in peer.messages} == set(range(20))
