"""The published ARC test suite (tests/vectors/arc-test-suite, by ValiMail): all of its validation cases and all of its signing cases."""

import pathlib
import re

import pytest
import yaml

from authentication_tools import Tools

SUITE = pathlib.Path(__file__).resolve().parents[1] / "vectors" / "arc-test-suite"


def scenarios(name):
    return list(yaml.safe_load_all((SUITE / f"arc-draft-{name}-tests.yml").read_text()))


def octets(message):
    return message.replace("\n", "\r\n").encode()


def zone(scenario):
    """A record of several lines is one of several strings."""
    return {name: [[line for line in text.split("\n") if line]] for name, text in scenario["txt-records"].items()}


# RFC 8301 §3.1, later than the suite: rsa-sha1 is not to be verified.
SHA1 = {"ams_fields_a_sha1", "as_fields_a_sha1"}


def test_validation():
    wrong, count = [], 0
    for scenario in scenarios("validation"):
        with Tools(zone(scenario)) as tools:
            tests = scenario["tests"]
            for (name, test), answer in zip(tests.items(), tools.arc([octets(test["message"]) for test in tests.values()])):
                count += 1
                if answer["result"] != ("fail" if name in SHA1 else (test["cv"] or "fail").lower()):
                    wrong.append((scenario["description"], name, test["description"], test["cv"], answer))
    assert not wrong
    assert count == 170


def tags(value):
    return {name.strip(): re.sub(r"\s", "", content) for name, _, content in (tag.partition("=") for tag in value.split(";") if tag.strip())}


def results(value):
    """An Authentication-Results value without its comments and white space, in parts."""
    return sorted(re.sub(r"\s", "", part) for part in re.sub(r"\([^()]*\)", "", value).split(";"))


def one_line(value):
    """As it was signed: folds are spaces, but for those the suite's text has within b=."""
    parts = (re.sub(r"\s+", " ", part.strip()) for part in value.split(";"))
    return "; ".join(part.replace(" ", "") if part.startswith("b=") else part for part in parts if part)


def fields_of(text):
    return {name: value for name, value in re.findall(r"^(ARC-[A-Za-z-]+):((?:.|\r\n[ \t])*)\r\n", text, re.MULTILINE)}


def holds(verdict, seal):
    """Whether the newest set verifies: some chains of the suite have older seals that do not, which are looked at after it."""
    if seal["cv"] == "fail":
        return verdict["reason"] == "the last seal says that the chain had failed"
    older = [f"seal {number}: signature did not verify" for number in range(1, int(seal["i"]))]
    return verdict["result"] == "pass" or verdict["reason"] in older


@pytest.mark.parametrize("scenario", scenarios("sign"), ids=lambda scenario: scenario["description"].replace(" ", "-"))
def test_signing(scenario, tmp_path):
    """Ours put their tags in another order, so the signatures are other ones; what they cover and say must be the same, and they must verify.
    Those of the suite, on the same messages, must verify too."""
    key = tmp_path / "key.pem"
    key.write_text(scenario["privatekey"])
    wrong = []
    for name, test in scenario["tests"].items():
        with Tools(zone(scenario), now=test["t"]) as tools:
            message = octets(test["message"])
            answer, = tools.seal([message], scenario["domain"], scenario["sel"], key, "--authserv-id", test["srv-id"], h=test["sig-headers"])
            if not test["AS"]:  # the chain has ended
                assert "error" in answer, name
                continue
            ours = fields_of(answer["fields"])
            theirs = {"ARC-Seal": test["AS"], "ARC-Message-Signature": test["AMS"], "ARC-Authentication-Results": test["AAR"]}
            for field in ("ARC-Seal", "ARC-Message-Signature"):
                mine, wanted = tags(ours[field]), tags(theirs[field])
                if {**mine, "b": ""} != {**wanted, "b": ""}:
                    wrong.append((name, field, mine, wanted))
            if results(ours["ARC-Authentication-Results"]) != results(theirs["ARC-Authentication-Results"]):
                wrong.append((name, "ARC-Authentication-Results", ours["ARC-Authentication-Results"], theirs["ARC-Authentication-Results"]))
            suite = "".join(f"{field}: {one_line(value)}\r\n" for field, value in theirs.items())
            verdicts = tools.arc([answer["fields"].encode() + message, suite.encode() + message])
            if not all(holds(verdict, tags(theirs["ARC-Seal"])) for verdict in verdicts):
                wrong.append((name, verdicts))
    assert not wrong
