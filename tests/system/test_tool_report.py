"""`thurn tool report|mime` on reports as others make them, with Python's own means."""

import gzip
import io
import json
import subprocess
import zipfile
from email.message import EmailMessage
from email.mime.message import MIMEMessage
from email.mime.multipart import MIMEMultipart
from email.mime.nonmultipart import MIMENonMultipart
from email.mime.text import MIMEText
from xml.etree import ElementTree

import pytest

from thurn import BINARY


def tool(name, message):
    done = subprocess.run([BINARY, "tool", name], input=bytes(message), stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def aggregate(namespace=""):
    root = ElementTree.Element("feedback", {"xmlns": namespace} if namespace else {})

    def put(parent, name, text=None):
        child = ElementTree.SubElement(parent, name)
        child.text = text
        return child
    metadata = put(root, "report_metadata")
    put(metadata, "org_name", "Grüße & Co <x>")
    put(metadata, "email", "dmarc@reporter.example")
    put(metadata, "report_id", "2026-11-22.1")
    dates = put(metadata, "date_range")
    put(dates, "begin", "1795305600")
    put(dates, "end", "1795391999")
    policy = put(root, "policy_published")
    put(policy, "domain", "example.com")
    put(policy, "p", "reject")
    for number in range(1000):
        record = put(root, "record")
        row = put(record, "row")
        put(row, "source_ip", f"192.0.{number // 256}.{number % 256}")
        put(row, "count", str(number + 1))
        evaluated = put(row, "policy_evaluated")
        put(evaluated, "disposition", "none")
        put(evaluated, "dkim", "pass")
        put(evaluated, "spf", "fail")
        put(put(record, "identifiers"), "header_from", "example.com")
        put(record, "auth_results")
    return ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)


def zipped(octets):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("reporter!example.com!1795305600!1795391999.xml", octets)
    return archive.getvalue()


def mail(octets, subtype):
    message = EmailMessage()
    message["From"], message["To"] = "dmarc@reporter.example", "dmarc@example.com"
    message["Subject"] = "Report Domain: example.com Submitter: reporter.example Report-ID: <2026-11-22.1>"
    message.set_content("This is a DMARC report.")
    message.add_attachment(octets, maintype="application", subtype=subtype, filename="report.bin")
    return message


@pytest.mark.parametrize("namespace", ["", "urn:ietf:params:xml:ns:dmarc-2.0", "http://dmarc.org/dmarc-xml/0.1"])
@pytest.mark.parametrize("pack, subtype", [(gzip.compress, "gzip"), (zipped, "zip"), (bytes, "xml"), (gzip.compress, "octet-stream")])
def test_an_aggregate_report(namespace, pack, subtype):
    found = tool("report", mail(pack(aggregate(namespace)), subtype))
    assert found["type"] == "dmarc"
    assert found["report"]["report_metadata"]["org_name"] == "Grüße & Co <x>"
    assert found["report"]["policy_published"] == {"domain": "example.com", "p": "reject"}
    records = found["report"]["record"]
    assert len(records) == 1000 and records[999]["row"]["count"] == 1000 and records[999]["row"]["source_ip"] == "192.0.3.231"


def test_a_tls_report():
    report = {"organization-name": "X", "date-range": {"start-datetime": "2026-11-21T00:00:00Z", "end-datetime": "2026-11-21T23:59:59Z"},
              "contact-info": "x@example.net", "report-id": "1",
              "policies": [{"policy": {"policy-type": "sts", "policy-string": ["version: STSv1"], "policy-domain": "example.com", "mx-host": ["*.example.com"]},
                            "summary": {"total-successful-session-count": 10, "total-failure-session-count": 1},
                            "failure-details": [{"result-type": "certificate-expired", "failed-session-count": 1}]}]}
    found = tool("report", mail(gzip.compress(json.dumps(report).encode()), "tlsrpt+gzip"))
    assert found == {"type": "tls", "report": report}


def test_a_feedback_report():
    message = MIMEMultipart("report", **{"report-type": "feedback-report"})
    message.attach(MIMEText("Somebody complained."))
    fields = MIMENonMultipart("message", "feedback-report")
    fields.set_payload("Feedback-Type: abuse\nUser-Agent: x/1\nVersion: 1\nOriginal-Rcpt-To: a@example.com\nSource-IP: 192.0.2.1\n")
    message.attach(fields)
    message.attach(MIMEMessage(EmailMessage()))
    found = tool("report", message)
    assert found["type"] == "arf"
    assert found["report"]["feedback-type"] == "abuse" and found["report"]["original-rcpt-to"] == ["a@example.com"]
    assert [part["type"] for part in tool("mime", message)["parts"]] == ["text/plain", "message/feedback-report", "message/rfc822"]


def test_what_is_no_report():
    message = EmailMessage()
    message.set_content("hello")
    assert tool("report", message) == {"type": None, "reason": "there is no report in the message"}
    assert tool("report", mail(gzip.compress(b" " * (100 << 20)), "gzip"))["reason"] == "unpacked it would be larger than 64MiB"
    entities = b"<!DOCTYPE feedback [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><feedback>&a;</feedback>"
    assert tool("report", mail(entities, "xml"))["type"] is None


def test_reports_are_taken_in_once_and_summed_up(tmp_path):
    (tmp_path / "thurn.toml").write_text(f'hostname = "mx.example.com"\ndata_dir = "{tmp_path}"\nallow_root = true\n')

    def reports(*words, given=None, expected=0):
        done = subprocess.run([BINARY, "reports", *words, "--config", tmp_path / "thurn.toml"], input=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        assert done.returncode == expected, done.stderr
        return done.stdout.decode()
    (tmp_path / "mail").write_bytes(bytes(mail(zipped(aggregate()), "zip")))  # with LF, as Python writes it
    (tmp_path / "report.xml.gz").write_bytes(gzip.compress(aggregate()))
    (tmp_path / "other").write_bytes(b"Subject: hello\n\nhello\n")
    assert reports("import", tmp_path / "mail") == f"{tmp_path}/mail: added\n"
    assert reports("import", "-", given=(tmp_path / "report.xml.gz").read_bytes()) == "-: known already\n"
    reports("import", tmp_path / "other", expected=1)
    listed = json.loads(reports("list", "--json"))
    assert [(report["domain"], report["submitter"], report["messages"], report["failures"]) for report in listed] == [
        ("example.com", "reporter.example", 500500, 0)]
    assert "192.0.3.231" in reports("show", str(listed[0]["id"]))
    assert len(json.loads(reports("show", str(listed[0]["id"]), "--json"))["records"]) == 1000
    top = json.loads(reports("summary", "--domain", "example.com", "--limit", "1", "--json"))
    assert top == [{"domain": "example.com", "source": "192.0.3.231", "messages": 1000, "passed": 1000, "dkim": 1000, "spf": 0, "refused": 0, "reporters": 1}]
    assert "no reports" in reports("list", "--since", "2026-12-01")
    reports("show", "77", expected=1)
    reports("show", "x", expected=2)
