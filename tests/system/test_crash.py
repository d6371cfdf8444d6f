"""kill -9, again and again, while mail pours in and out: what got a 250 is never lost.

At the end every promised number must have arrived whole, at least once (promises.py). THURN_KILL_ROUNDS sets how often (default 10).
"""

import os
import random
import time

from clients import converse
from promises import Traffic, read, render

ROUNDS = int(os.environ.get("THURN_KILL_ROUNDS", "10"))


def test_nothing_promised_is_lost(lab, make_thurn, faulty, capsys):
    random.seed(1)
    server = make_thurn("a", relay={"networks": [f"{lab['client'].ip}/32"]}, limits={"connections_per_ip": 1000})
    with Traffic(lab["client"], server, faulty) as traffic:
        for _ in range(ROUNDS):
            time.sleep(random.uniform(0.2, 1.2))
            assert server.alive(), "the server ended by itself"
            server.kill()
            server.start()
        time.sleep(0.5)
    server.kill()
    server.start()
    account = traffic.account()
    with capsys.disabled():
        print(f"\nkill -9: {ROUNDS} rounds, {account}")
    assert len(account.promised) > 10 * ROUNDS, traffic.refusals()
    assert not account.lost and not account.broken


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
