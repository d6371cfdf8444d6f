"""`thurn tool …` for many messages at once, asking a name server in Python."""

import base64
import json
import subprocess

from thurn import BINARY
from zone_dns import ZoneDns


def run_lines(name, questions, *options, limit=1200):
    """JSON objects in, JSON objects out, in one run of the tool."""
    text = "".join(json.dumps(question) + "\n" for question in questions)
    done = subprocess.run([BINARY, "tool", name, *map(str, options)], input=text, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=limit)
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(questions)
    return answers


def encoded(messages, **more):
    return [{"id": number, "message": base64.b64encode(message).decode(), **more} for number, message in enumerate(messages)]


class Tools:
    """The tools with a zone: {name: [TXT, …]} or as ZoneDns has it."""

    def __init__(self, zone, now=None):
        self.server = ZoneDns({name: [("TXT", record) if isinstance(record, (str, bytes, list)) and record not in ("TIMEOUT", "SERVFAIL") else record for record in records]
                               for name, records in zone.items()})
        self.now = ["--now", str(now)] if now is not None else []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.close()

    def ask(self, name, questions, *options):
        return run_lines(name, questions, "--resolver", self.server.address, *self.now, *options)

    def dkim(self, messages):
        """An answer for each: `result`, `signatures`."""
        return self.ask("dkim-verify", encoded(messages), "--lines")

    def arc(self, messages):
        return self.ask("arc-verify", encoded(messages), "--lines")

    def seal(self, messages, domain, selector, key, *options, **more):
        return self.ask("arc-seal", encoded(messages, **more), "--lines", "--domain", domain, "--selector", selector, "--key", key, *options)


def sign(messages, domain, selector, key, *options, **more):
    """What thurn puts above each."""
    answers = run_lines("dkim-sign", encoded(messages, **more), "--lines", "--domain", domain, "--selector", selector, "--key", key, *options)
    return [answer.get("field", "").encode() for answer in answers]
