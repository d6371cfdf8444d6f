"""`thurn tool spf|dmarc|psl|idna` against real name servers: unbound, and one in Python for what unbound cannot play."""

import gzip
import json
import pathlib
import subprocess

import pytest
import yaml

from lab import Lab
from thurn import BINARY
from zone_dns import suite_zone

SUITE = pathlib.Path("/usr/share/doc/python3-spf/rfc7208-tests.yml.gz")  # the published one, of Debian's python3-spf


def tool(*words, lines=(), expected=0):
    done = subprocess.run([BINARY, "tool", *words], input="".join(f"{line}\n" for line in lines), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=120)
    assert done.returncode == expected, done.stderr
    return done.stdout.splitlines()


def batch(server, name, questions):
    return [json.loads(line) for line in tool(name, "--resolver", server.address, lines=map(json.dumps, questions))]


MAIL = {
    "example.com": [("TXT", "v=spf1 include:_spf.example.com -all exp=why.example.com"), ("MX", (10, "mx.example.com"))],
    "_spf.example.com": [("TXT", ["v=spf1 ip4:192.0.2.", "0/25 exists:%{l}.users.example.com ~mx:example.com"])],
    "mx.example.com": [("A", "198.51.100.1"), ("AAAA", "2001:db8::1")],
    "jack&jill.users.example.com": [("A", "127.0.0.2")],
    "why.example.com": [("TXT", "%{i} may not, see http://example.com/?u=%{S} (%{t})")],
    "silent.example.com": ["TIMEOUT"],
    "_dmarc.example.com": [("TXT", "v=DMARC1; p=reject; sp=quarantine; rua=mailto:d@example.com")],
    "_dmarc.silent.example.com": ["TIMEOUT"],
    "a.example.com": [("A", "192.0.2.1")],
    "_dmarc.bank": [("TXT", "v=DMARC1; p=none; np=reject; psd=y")],
}


def spf(server, ip, sender, *more):
    return tool("spf", "--resolver", server.address, "--ip", ip, "--helo", "helo.example.com", "--mail-from", sender, *more)


def test_one_spf_check(serve):
    server = serve(MAIL)
    assert spf(server, "192.0.2.1", "anna@example.com") == [
        "pass", "domain: example.com", "step: example.com include:_spf.example.com", "step: _spf.example.com ip4:192.0.2.0/25"]
    assert spf(server, "203.0.113.1", "a&b@example.com", "--now", "1795311442")[:2] == [
        "fail", "explanation: 203.0.113.1 may not, see http://example.com/?u=a%26b%40example.com (1795311442)"]
    assert spf(server, "203.0.113.1", "jack&jill@example.com")[0] == "pass"
    assert spf(server, "::ffff:192.0.2.1", "<anna@example.com>")[0] == "pass"
    assert spf(server, "2001:db8::1", "anna@example.com")[0] == "fail"
    assert spf(server, "192.0.2.1", "")[0] == "none"
    tool("spf", "--ip", "192.0.2", expected=2)


def test_spf_batch_goes_on_whatever_a_line_holds(serve):
    questions = [{"id": 1, "ip": "192.0.2.1", "helo": "h", "mailfrom": "a@example.com"}, {"id": "two", "ip": "x", "helo": "h", "mailfrom": "a@example.com"},
                 {"id": 3, "ip": "192.0.2.1", "helo": "h", "mailfrom": "a@silent.example.com"}, {}]
    lines = tool("spf", "--resolver", serve(MAIL).address, lines=[json.dumps(questions[0]), "no JSON", "", *map(json.dumps, questions[1:])])
    answers = [json.loads(line) for line in lines]
    assert [answer["id"] for answer in answers] == [1, None, "two", 3, None]
    assert [answer["result"] for answer in answers] == ["pass", "permerror", "permerror", "temperror", "permerror"]
    assert answers[1]["error"] == "line 2 is no JSON object"


def test_spf_batch_answers_while_more_may_come(serve):
    with subprocess.Popen([BINARY, "tool", "spf", "--resolver", serve(MAIL).address], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        for number in range(3):
            process.stdin.write(json.dumps({"id": number, "ip": "192.0.2.1", "helo": "h", "mailfrom": "a@example.com"}) + "\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline()) == {"id": number, "result": "pass", "explanation": ""}
        process.stdin.close()
        assert process.wait(10) == 0


def test_published_spf_suite(serve):
    assert SUITE.exists(), "python3-spf was installed without its documentation: dpkg leaves out /usr/share/doc here"
    wrong, count = [], 0
    for scenario in yaml.safe_load_all(gzip.decompress(SUITE.read_bytes()).decode()):
        tests = scenario["tests"]
        questions = [{"id": name, "ip": test["host"], "helo": test["helo"], "mailfrom": test["mailfrom"]} for name, test in tests.items()]
        for answer in batch(serve(suite_zone(scenario["zonedata"])), "spf", questions):
            count += 1
            test = tests[answer["id"]]
            results = test["result"] if isinstance(test["result"], list) else [test["result"]]
            words = test.get("explanation", answer["explanation"])
            words = ["" if word == "DEFAULT" else word for word in (words if isinstance(words, list) else [words])]
            if answer["result"] not in results or answer["explanation"] not in words:
                wrong.append((answer, results, words))
    assert not wrong
    assert count > 200


def test_dmarc(serve):
    questions = [
        {"id": 1, "headerFrom": "anna@example.com", "dkimDomains": ["example.com"], "spfDomains": []},
        {"id": 2, "headerFrom": ["anna@a.example.com"], "dkimDomains": [], "spfDomains": ["example.net"]},
        {"id": 3, "headerFrom": "example.com", "dkimDomains": [{"domain": "mail.example.com"}], "spfDomains": ["example.com"]},
        {"id": 4, "headerFrom": "Anna <anna@gone.bank>"},
        {"id": 5, "headerFrom": "anna@example.org", "dkimDomains": ["example.org"]},
        {"id": 6, "headerFrom": ["a@example.com", "b@example.org"]},
        {"id": 7},
        {"id": 8, "headerFrom": "a@silent.example.com"},
    ]
    answers = batch(serve(MAIL), "dmarc", questions)
    told = [(answer["id"], answer["status"]["result"], answer["policy"], answer["domain"]) for answer in answers]
    assert told == [(1, "pass", "reject", "example.com"), (2, "fail", "quarantine", "example.com"), (3, "pass", "reject", "example.com"),
                    (4, "fail", "reject", "bank"), (5, "none", None, "example.org"), (6, "none", None, ""), (7, "none", None, ""),
                    (8, "temperror", None, "silent.example.com")]
    assert answers[0]["p"] == "reject" and answers[0]["sp"] == "quarantine" and answers[0]["np"] is None
    assert answers[0]["alignment"] == {"spf": {"result": False, "strict": False}, "dkim": {"result": "example.com", "strict": False}}
    assert answers[2]["alignment"]["dkim"]["result"] == "mail.example.com" and answers[2]["alignment"]["spf"]["result"] == "example.com"
    assert answers[5]["reason"] == "From names authors of several domains"
    assert set(answers[0]) == {"id", "status", "policy", "p", "sp", "np", "domain", "alignment", "reason"}


def test_dmarc_takes_one_object_over_several_lines(serve):
    server = serve(MAIL)
    lines = json.dumps({"headerFrom": "anna@example.com", "dkimDomains": ["example.com"]}, indent=2).splitlines()
    answer, = map(json.loads, tool("dmarc", "--resolver", server.address, lines=lines))
    assert answer["status"] == {"result": "pass"} and "id" not in answer


def test_dmarc_by_public_suffix_list(serve, tmp_path):
    suffixes = tmp_path / "suffixes"
    suffixes.write_text("com\nexample.com\n")
    server = serve(MAIL)
    question = json.dumps({"headerFrom": "x@b.a.example.com"})
    answer, = map(json.loads, tool("dmarc", "--resolver", server.address, "--list", str(suffixes), lines=[question]))
    assert answer["status"]["result"] == "none"
    assert {name for name, _ in server.asked} == {"_dmarc.b.a.example.com", "_dmarc.a.example.com"}
    tool("dmarc", "--list", str(tmp_path / "missing"), lines=[question], expected=2)


def test_names(tmp_path):
    suffixes = tmp_path / "suffixes"
    suffixes.write_text("// comment\ncom\n*.ck\n!www.ck\n")
    assert tool("psl", "--list", str(suffixes), lines=["WwW.Example.COM", "com", "a.b.c.ck", "x.www.ck", "a.unlisted", ""]) == [
        "example.com", "null", "b.c.ck", "www.ck", "a.unlisted", "null"]
    assert tool("psl", lines=["a.b.co.uk"]) == ["b.co.uk"]
    assert tool("idna", "to-ascii", lines=["b\u00fccher.example", "Example.COM", "a..b", "fa\u00df.de"]) == [
        "xn--bcher-kva.example", "example.com", "null", "xn--fa-hia.de"]
    assert tool("idna", "to-unicode", lines=["xn--bcher-kva.example", "example.com", "xn--a.example"]) == ["b\u00fccher.example", "example.com", "null"]


def test_with_unbound():
    """A name server others run, over the network: long records over TCP, aliases, names with odd octets."""
    lab = Lab(["dns", "client"], prefix="sd")
    try:
        long_record = " ".join(f'"{piece}"' for piece in ["v=spf1 "] + [f"ip4:10.{i}.0.0/16 ip6:2001:db8:{i}::/48 " for i in range(200)] + ["-all"])
        lab.start_dns("dns", [f"example.com. IN TXT {long_record}", "alias.example.com. IN CNAME example.com.",
                              "odd.example.com. IN TXT \"v=spf1 exists:%{l}.u.example.com -all\"", "jack\\&jill.u.example.com. IN A 127.0.0.2",
                              "_dmarc.example.com. IN TXT \"v=DMARC1; p=reject\""])
        server = f"{lab['dns'].ip}:53"

        def ask(ip, sender):
            return lab["client"].run(BINARY, "tool", "spf", "--resolver", server, "--ip", ip, "--helo", "h", "--mail-from", sender).stdout.splitlines()[0]
        assert ask("10.199.1.1", "a@example.com") == "pass"
        assert ask("2001:db8:199::1", "a@alias.example.com") == "pass"
        assert ask("192.0.2.1", "a@example.com") == "fail"
        assert ask("192.0.2.1", "jack&jill@odd.example.com") == "pass"
        assert ask("192.0.2.1", "jack@odd.example.com") == "fail"
        assert ask("192.0.2.1", "jack@nothing.example") == "none"
        answer = lab["client"].run(BINARY, "tool", "dmarc", "--resolver", server, input='{"headerFrom":"a@b.example.com"}\n').stdout
        assert json.loads(answer)["status"]["result"] == "fail"
    finally:
        lab.close()
