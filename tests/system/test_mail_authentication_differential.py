"""Random messages, records and chains through thurn and through other implementations of mail authentication, both ways: what passes here must
pass there, or the difference is one of docs/differences-in-mail-authentication.md, which this test reads.

THURN_AUTHENTICATION=N takes N messages an engine instead of a few hundred, THURN_SEED=N others; with -s it prints how often each row was needed.
"""

import collections
import os
import pathlib
import re

import pytest

from authentication_oracles import Rspamd, dkimpy_arc, dkimpy_dkim, opendkim
from authentication_tools import Tools
from dmarc_questions import SUFFIXES, Questions, authheaders_dmarc, records_that_count
from lab import Lab
from signed_messages import Chains, Keys, generate
from spf_records import Zone, pyspf

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "differences-in-mail-authentication.md"
COUNT = int(os.environ.get("THURN_AUTHENTICATION", "250"))
SEED = int(os.environ.get("THURN_SEED", "20261122"))

Row = collections.namedtuple("Row", "name other ours theirs input why")


def read_rows():
    rows = []
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) == 6 and cells[0] not in ("Name", "---"):
            rows.append(Row(*(cell.strip("`") for cell in cells)))
    return rows


ROWS = read_rows()


class Comparison:
    """Collects what differs; explained() fails for what no row explains."""

    def __init__(self, other):
        self.rows = [row for row in ROWS if row.other == other]
        self.count, self.same, self.used, self.unexplained = 0, collections.Counter(), collections.Counter(), []

    def add(self, verdict, same, ours, theirs, what):
        """`what`: the input, as octets or text."""
        self.count += 1
        self.same[verdict] += same
        if same:
            return
        text = what.decode("latin-1") if isinstance(what, bytes) else str(what)
        row = next((row for row in self.rows if re.search(row.ours, ours) and re.search(row.theirs, theirs) and re.search(row.input, text)), None)
        if row:
            self.used[row.name] += 1
        else:
            self.unexplained.append((ours, theirs, what))

    def explained(self):
        idle = sorted({row.name for row in self.rows} - set(self.used))
        print(f"{self.count} compared, alike {dict(self.same)}, explained {dict(self.used)}, not needed {idle}")
        assert not self.unexplained, f"{len(self.unexplained)} of {self.count}: {self.unexplained[:5]}"
        return self.same


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    return Keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module")
def signed(keys):
    """Messages, and what thurn says of each."""
    messages = generate(SEED, COUNT, keys)
    with Tools(keys.zone) as tools:
        return list(zip(messages, tools.dkim(messages)))


def words(answer):
    return [f"{each['result']} {each['reason']}".strip() for each in answer["signatures"]]


def passes(answer):
    return answer["result"] == "pass"


def test_dkim_beside_dkimpy(signed, keys):
    comparison = Comparison("dkimpy")
    for message, answer in signed:
        theirs, ours = dkimpy_dkim(message, keys.lookup), words(answer)
        if len(ours) != len(theirs):
            comparison.add("none", False, " | ".join(ours), " | ".join(theirs), message)
            continue
        for mine, other in zip(ours, theirs):
            comparison.add(mine.split()[0], mine.startswith("pass") == (other == "pass"), mine, other, message)
    same = comparison.explained()
    assert same["pass"] > COUNT / 4 and same["fail"] > COUNT / 8 and same["permerror"] > COUNT / 16


def test_dkim_beside_rspamd(signed, keys, tmp_path):
    comparison = Comparison("rspamd")
    with Tools(keys.zone) as tools:
        rspamd = Rspamd(tmp_path, tools.server)
        try:
            for message, answer in signed:
                symbols = {name: options for name, options in rspamd.check(message).items() if name.startswith("R_DKIM")}
                comparison.add(answer["result"], passes(answer) == ("R_DKIM_ALLOW" in symbols), " | ".join(words(answer)), str(symbols), message)
        finally:
            rspamd.close()
    same = comparison.explained()
    assert same["pass"] > COUNT / 4 and same["fail"] > COUNT / 8


def zone_lines(zone):
    """As unbound reads them."""
    def quoted(text):
        return " ".join('"' + text[at:at + 250].replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\009") + '"' for at in range(0, max(len(text), 1), 250))
    return [f"{name}. IN TXT {quoted(text)}" for name, (text,) in zone.items()]


def test_dkim_beside_opendkim(signed, keys, tmp_path):
    lab = Lab(["dns", "client"], prefix="od")
    try:
        lab.start_dns("dns", zone_lines(keys.zone))
        theirs = opendkim([message for message, _ in signed], tmp_path / "messages", lab["client"])
    finally:
        lab.close()
    comparison = Comparison("opendkim")
    for (message, answer), other in zip(signed, theirs):
        comparison.add(answer["result"], passes(answer) == (other == "pass"), " | ".join(words(answer)), other, message)
    same = comparison.explained()
    assert same["pass"] > COUNT / 4 and same["fail"] > COUNT / 8


def test_spf_beside_pyspf():
    comparison = Comparison("pyspf")
    for seed in range(SEED, SEED + max(COUNT // 25, 1)):
        zone = Zone(seed)
        requests = zone.requests(50)
        with Tools(zone.records) as tools:
            for request, answer in zip(requests, tools.ask("spf", requests)):
                result, text = pyspf(zone, request)
                comparison.add(answer["result"], answer["result"] == result, answer["result"], f"{result} {text}", f"{request} {zone.records}")
    same = comparison.explained()
    assert all(same[result] > COUNT / 20 for result in ("none", "neutral", "pass", "fail", "softfail", "temperror", "permerror")), same


def test_arc_beside_dkimpy(keys):
    comparison = Comparison("dkimpy ARC")
    with Tools(keys.zone) as tools:
        messages = Chains(SEED, keys, tools).generate(COUNT)
        for message, answer in zip(messages, tools.arc(messages)):
            theirs = dkimpy_arc(message, keys.lookup)
            comparison.add(answer["result"], answer["result"] == theirs.split()[0], f"{answer['result']} {answer['reason']}", theirs, message)
    same = comparison.explained()
    assert same["pass"] > COUNT / 5 and same["fail"] > COUNT / 5 and same["none"] > COUNT / 20, same


def test_dmarc_beside_authheaders():
    """authheaders knows RFC 7489, so both go by the public suffix list."""
    comparison = Comparison("authheaders")
    for seed in range(SEED, SEED + max(COUNT // 25, 1)):
        source = Questions(seed)
        questions = source.questions(50)
        with Tools(source.records) as tools:
            for question, answer in zip(questions, tools.ask("dmarc", questions, "--list", SUFFIXES)):
                ours = answer["status"]["result"], answer["policy"] or ""
                theirs = authheaders_dmarc(source.records, question)
                comparison.add(ours[0], ours == theirs, " ".join(ours), " ".join(theirs), records_that_count(source.records, question))
    same = comparison.explained()
    assert all(same[result] > COUNT / 10 for result in ("pass", "fail", "none")), same
