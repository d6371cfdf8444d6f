"""`thurn tool …`: questions in, answers out, one JSON object a line."""

import json
import subprocess

from thurn import BINARY

ADDRESSES = [
    ({"address": "anna@a.example"}, {"valid": True, "local": "anna", "domain": "a.example"}),
    ({"address": "anna@A.Example"}, {"valid": True, "local": "anna", "domain": "a.example"}),
    ({"address": "\"two words\"@a.example"}, {"valid": True, "domain": "a.example"}),
    ({"address": "x@[192.0.2.1]"}, {"valid": True, "local": "x"}),
    ({"address": "j\u00f6rg@a.example", "smtputf8": True}, {"valid": True, "local": "j\u00f6rg"}),
    ({"address": "j\u00f6rg@a.example"}, {"valid": False, "local": None, "domain": None, "reason": "letters beyond US-ASCII, which only SMTPUTF8 allows"}),
    ({"address": "joerg@\u00e4.example"}, {"valid": False, "reason": "letters beyond US-ASCII, which only SMTPUTF8 allows"}),
    ({"address": "j\u00f6rg@@a.example"}, {"valid": False, "local": None}),
    ({"address": "no-at"}, {"valid": False}),
    ({"address": "a..b@a.example"}, {"valid": False}),
    ({"address": "@a.example"}, {"valid": False}),
    ({}, {"valid": False}),
]


def test_addresses():
    questions = [json.dumps({"id": number, **question}) for number, (question, _) in enumerate(ADDRESSES)]
    done = subprocess.run([BINARY, "tool", "address"], input="\n".join(["not JSON", *questions, "[]", ""]), stdout=subprocess.PIPE, text=True, timeout=20)
    first, *answers, last = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0 and len(answers) == len(ADDRESSES)
    assert first["valid"] is last["valid"] is False and first["reason"] == "line 1 is no JSON object"
    for number, (answer, (question, expected)) in enumerate(zip(answers, ADDRESSES)):
        assert answer["id"] == number and set(answer) == {"id", "valid", "local", "domain", "reason"}
        assert expected.items() <= answer.items(), question
        assert bool(answer["reason"]) != answer["valid"], question
