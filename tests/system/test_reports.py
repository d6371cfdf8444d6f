"""DMARC reports between servers: b.example gets mail that claims to be of a.example, and reports to a.example, which keeps the report."""

import contextlib
import gzip
import json
import pathlib
import sqlite3
import subprocess
import time
from xml.etree import ElementTree

import pytest
from clients import make_message, send_on, smtp
from lab import Lab, wait_until
from thurn import Thurn, message_id

HERE = pathlib.Path(__file__).resolve().parent
NAMESPACE = {"d": "urn:ietf:params:xml:ns:dmarc-2.0"}
DAY = int(time.time()) // 86400 - 2  # its reports are due, whatever the hour


def records(lab):
    lines = [f"{'.'.join(reversed(lab['client'].ip.split('.')))}.in-addr.arpa. IN PTR client.lab.", f"client.lab. IN A {lab['client'].ip}"]
    for name in ("a", "b"):
        lines += [f"{name}.example. IN MX 10 mx.{name}.example.", f"mx.{name}.example. IN A {lab[name].ip}", f'{name}.example. IN TXT "v=spf1 mx -all"',
                  f'mx.{name}.example. IN TXT "v=spf1 a -all"']
    # The second did not ask for reports about a.example, the third did.
    return lines + ['_dmarc.a.example. IN TXT "v=DMARC1; p=none; fo=1; rua=mailto:reports@a.example,mailto:victim@mx.b.example,mailto:bob@b.example; '
                    'ruf=mailto:failures@a.example,mailto:victim@mx.b.example"',
                    '_dmarc.b.example. IN TXT "v=DMARC1; p=none; psd=n"', 'a.example._report._dmarc.b.example. IN TXT "v=DMARC1;"']


@pytest.fixture(scope="module")
def net():
    subprocess.run([HERE / "install-peers"], check=True, stdout=subprocess.DEVNULL)
    made = Lab(["dns", "client", "a", "b"], prefix="rp")
    try:
        made.start_dns("dns", records(made))
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def servers(net):
    made = {"a": Thurn(net["a"], "a.example", net["dns"], reports={"mailbox": "Reports@a.example"}),
            "b": Thurn(net["b"], "b.example", net["dns"], reports={"send": True, "from": "dmarc@b.example", "organization": "Bee & Co"})}
    for server in made.values():
        server.start()
    made["a"].add_account("reports@a.example")
    made["a"].add_account("failures@a.example")
    made["b"].add_account("bob@b.example")
    made["b"].cli("dkim", "generate", "b.example", "--algorithm", "ed25519")
    yield made
    for server in made.values():
        if server.alive():
            assert server.stop() == 0


def database(server):
    return contextlib.closing(sqlite3.connect(server.data / "reports.db", isolation_level=None))


def report_in(message):
    part, = [part for part in message.walk() if part.get_content_type() == "application/gzip"]
    return part.get_filename(), gzip.decompress(part.get_payload(decode=True))


def test_a_report_goes_to_those_who_want_it_and_only_once(net, servers, tmp_path):
    a, b = servers["a"], servers["b"]
    for subject in ("one", "two"):
        with smtp(net["client"], b.host, ehlo="client.lab") as client:
            send_on(client, make_message(subject, sender="alice@a.example", to="bob@b.example"), "alice@a.example", ["bob@b.example"])
    assert b.stop() == 0  # writes what it has counted
    with database(b) as tables:
        assert tables.execute("SELECT domain, rows FROM tally").fetchall() == [("a.example", 1)]
        tables.execute("UPDATE tally SET day = ?", [DAY])
    b.start()

    a.wait_for_log("report_kept.*added", limit=30)
    kept, = a.json("reports", "list")
    assert (kept["domain"], kept["submitter"], kept["organization"], kept["messages"], kept["failures"]) == ("a.example", "b.example", "Bee & Co", 2, 2)
    source, = a.json("reports", "summary", "--domain", "a.example")
    assert (source["source"], source["messages"], source["passed"]) == (net["client"].ip, 2, 0)

    message = wait_until(lambda: next((mail for mail in a.mail("reports@a.example")), None), 20, "the report's mail")
    subject = " ".join(message["Subject"].split())
    assert subject.startswith("Report Domain: a.example Submitter: b.example Report-ID: <") and subject.endswith("@mx.b.example>")
    assert "d=b.example; s=s1" in message["DKIM-Signature"]
    name, xml = report_in(message)
    assert name.startswith(f"b.example!a.example!{DAY * 86400}!{DAY * 86400 + 86399}!") and name.endswith(".xml.gz")
    (tmp_path / "report.xml").write_bytes(xml)
    subprocess.run(["xmllint", "--noout", "--schema", HERE / "dmarc-2.0.xsd", tmp_path / "report.xml"], check=True, timeout=60)
    feedback = ElementTree.fromstring(xml)
    assert feedback.findtext("d:policy_published/d:p", namespaces=NAMESPACE) == "none"
    assert feedback.findtext("d:policy_published/d:discovery_method", namespaces=NAMESPACE) == "treewalk"
    assert feedback.findtext("d:record/d:row/d:source_ip", namespaces=NAMESPACE) == net["client"].ip
    assert feedback.findtext("d:record/d:row/d:count", namespaces=NAMESPACE) == "2"
    assert feedback.findtext("d:record/d:auth_results/d:spf/d:result", namespaces=NAMESPACE) == "fail"

    wait_until(lambda: "dmarc_report" in b.log_text(), 20, "the log of it")
    with database(b) as tables:
        wait_until(lambda: tables.execute("SELECT finished FROM tally").fetchall() == [(1,)], 20, "it is done with")
        sent = dict(tables.execute("SELECT destination, message FROM sent").fetchall())
    assert sent.keys() == {"reports@a.example", "victim@mx.b.example", "bob@b.example"}
    assert sent["victim@mx.b.example"].startswith("not sent: there is no DMARC record at a.example._report._dmarc.mx.b.example")
    assert wait_until(lambda: [mail for mail in b.mail("bob@b.example") if "Report Domain" in mail["Subject"]], 20, "the other report")

    logged = len(b.log_text())
    assert b.stop() == 0
    b.start()
    b.wait_for_log(r"started", after=logged)
    time.sleep(2)
    assert "event=dmarc_report" not in b.log_text()[logged:]
    assert len(a.json("reports", "list")) == 1


def fail_at(net, server, subject, sender="alice@a.example"):
    """A message that claims to be of a.example and comes from elsewhere; what the server says."""
    message = make_message(subject, body="Between you and me.\r\n", sender="alice@a.example", to="bob@b.example")
    with smtp(net["client"], server.host, ehlo="client.lab") as client:
        return send_on(client, message, sender, ["bob@b.example"])


def test_a_failure_is_told_to_those_who_want_it_only_where_that_is_configured(net, servers):
    a, b = servers["a"], servers["b"]
    fail_at(net, b, "not told")
    b.wait_for_mail("bob@b.example", "not told")
    assert "event=failure_report" not in b.log_text()

    assert b.stop() == 0
    b.configure(reports={"failure": True})
    b.start()
    identifier = message_id(fail_at(net, b, "told"))
    for more in range(2):
        fail_at(net, b, f"the same again {more}")
    fail_at(net, b, "of nobody", sender="")
    message = a.wait_for_mail("failures@a.example")
    assert message.get_content_type() == "multipart/report" and message.get_param("report-type") == "feedback-report"
    assert message["From"] == "dmarc@b.example" and message["Return-Path"] == "<>"
    assert "d=b.example; s=s1" in message["DKIM-Signature"]
    assert "Between you and me" not in message.as_string() and "Subject: told" in message.as_string()
    read = json.loads(a.run("tool", "report", input=message.as_string()).stdout)
    report = read["report"]
    assert (read["type"], report["feedback-type"], report["auth-failure"]) == ("arf", "auth-failure", "dmarc")
    assert report["identity-alignment"] == "dkim, spf" and report["source-ip"] == net["client"].ip and report["reported-domain"] == ["a.example"]
    assert report["spf-dns"] == 'txt : a.example : "v=spf1 mx -all"' and report["delivery-result"] == "delivered"
    assert report["original-envelope-id"] == identifier and report["original-mail-from"] == "<alice@a.example>"
    result, = report["authentication-results"]
    assert result.startswith("mx.b.example; ") and "spf=fail" in result and "dmarc=fail" in result

    b.wait_for_log("event=failure_report .*to=victim@mx.b.example .*not sent: there is no DMARC record at a.example._report._dmarc.mx.b.example")
    b.wait_for_mail("bob@b.example", "of nobody")
    assert b.log_text().count("event=failure_report ") == 2
    assert len(a.mail("failures@a.example")) == 1
