"""Rules about what messages carry: programs and macros under whatever name, archives within archives, bombs; and the process that looks into them."""

import email.message
import io
import os
import pathlib
import re
import signal
import smtplib
import subprocess
import tarfile
import tempfile
import threading
import time
import tomllib
import zipfile

import pytest
from clients import send_on, smtp
from lab import Lab, wait_until
from thurn import Thurn, message_id

from conftest import HERE

PROGRAM = b"MZ\x90\x00" + bytes(200)
TEXT = b"nothing to see here\n"


@pytest.fixture(scope="module")
def net():
    subprocess.run([HERE / "install-peers"], check=True, stdout=subprocess.DEVNULL)
    made = Lab(["dns", "client", "a"], prefix="pa")
    try:
        made.start_dns("dns", ["a.example. IN MX 10 mx.a.example.", f"mx.a.example. IN A {made['a'].ip}", f"b.example. IN A {made['client'].ip}"])
        yield made
    finally:
        made.close()


def rule(name, when, action="reject", **more):
    return {"name": name, "stage": "content", "when": when, "action": action, **more}


RULES = [
    rule("odd", "part_depth > 20 or part_faults = 'no-boundary'", text="nested {part_depth} deep"),
    rule("many", "attachment.count > 5 or attachment.size > 2MiB", text="{attachment.count} files of up to {attachment.size} octets"),
    rule("programs", 'attachment.executable != ""', text="no programs: {attachment.executable}"),
    rule("macros", 'attachment.macros != ""', text="no macros: {attachment.macros}"),
    rule("words", "body matches '(?i)cheap\\s+watches'", action="junk"),
    rule("in-archives", 'archive.executable != ""', text="no programs: {archive.executable}"),
    rule("archived-macros", 'archive.macros != ""', text="no macros: {archive.macros}"),
    rule("bombs", 'archive.excess != ""', text="more than we unpack: {archive.excess}"),
    rule("locked", 'archive.encrypted != ""', action="hold"),
    rule("broken", 'archive.broken != ""', text="not whole: {archive.broken}"),
    rule("unread", "archive.executable unavailable", action="defer", text="could not look into the archives"),
]


@pytest.fixture(scope="module")
def server(net):
    made = Thurn(net["a"], "a.example", net["dns"], relay={"networks": []}, authentication={"dmarc": "mark"}, rule=RULES).start()
    made.add_account("bob@a.example")
    yield made
    if made.alive():
        assert made.stop() == 0


def configure(server, **settings):
    """[attachments] begins anew each time."""
    if "attachments" in settings:
        server.settings.pop("attachments", None)
    heard = len(server.log_text())
    server.configure(**settings)
    server.reload()
    server.wait_for_log("event=reloaded", after=heard)


def message(subject, *files, body="Hello.\n"):
    made = email.message.EmailMessage()
    made["From"], made["To"], made["Subject"] = "x@b.example", "bob@a.example", subject
    made.set_content(body)
    for name, content in files:
        made.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
    return made.as_bytes(policy=made.policy.clone(linesep="\r\n"))


def packed(*files, method=zipfile.ZIP_DEFLATED):
    octets = io.BytesIO()
    with zipfile.ZipFile(octets, "w", method) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return octets.getvalue()


def taped(*files):
    octets = io.BytesIO()
    with tarfile.open(fileobj=octets, mode="w:gz") as archive:
        for name, content in files:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return octets.getvalue()


def bomb(megabytes):
    octets = io.BytesIO()
    with zipfile.ZipFile(octets, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive, archive.open("zeros", "w", force_zip64=True) as member:
        for _ in range(megabytes):
            member.write(bytes(1 << 20))
    return octets.getvalue()


def locked(octets):
    """As if it were under a password: the bit that says so, in local and central headers."""
    changed = bytearray(octets)
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = changed.find(mark)
        while at >= 0:
            changed[at + offset] |= 1
            at = changed.find(mark, at + 4)
    return bytes(changed)


def send(net, server, octets, timeout=60):
    with smtp(net["client"], server.host, timeout=timeout) as client:
        return send_on(client, octets, "x@b.example", ["bob@a.example"])


def refused(net, server, octets):
    with pytest.raises(smtplib.SMTPResponseException) as caught:
        send(net, server, octets)
    return f"{caught.value.smtp_code} {caught.value.smtp_error.decode()}"


WITHIN = packed(("inner.zip", packed(("docs/setup.exe", PROGRAM))))

REFUSED = [
    ("a program", [("setup.exe", TEXT)], r"550 5\.7\.1 no programs: setup\.exe \(\.exe\)", "programs"),
    ("a program called otherwise", [("invoice.pdf", PROGRAM)], r"550 5\.7\.1 no programs: invoice\.pdf \(windows-program\)", "programs"),
    ("a program in archives", [("a.zip", WITHIN)], r"550 5\.7\.1 no programs: a\.zip/inner\.zip/docs/setup\.exe \(windows-program\)", "in-archives"),
    ("macros", [("a.docm", packed(("word/vbaProject.bin", b"x")))], r"550 5\.7\.1 no macros: a\.docm \(macros\)", "macros"),
    ("macros called otherwise", [("a.docx", packed(("word/vbaProject.bin", b"x")))], r"550 5\.7\.1 no macros: a\.docx \(macros\)", "macros"),
    ("archived macros", [("a.zip", packed(("b.docm", b"x")))], r"550 5\.7\.1 no macros: a\.zip/b\.docm \(\.docm\)", "archived-macros"),
    ("a bomb", [("a.zip", bomb(20))], r"550 5\.7\.1 more than we unpack: a\.zip \(ratio\)", "bombs"),
    ("a deep one", [("a.zip", packed(("1.zip", packed(("2.zip", packed(("3.zip", packed(("4.zip", packed(("5.zip", packed(("t", TEXT)))))))))))))],
     r"550 5\.7\.1 more than we unpack: a\.zip \(depth\)", "bombs"),
    ("a broken one", [("a.zip", packed(("t", os.urandom(5000)))[:2000])], r"550 5\.7\.1 not whole: a\.zip \(", "broken"),
    ("many files", [(f"{number}.txt", TEXT) for number in range(6)], r"550 5\.7\.1 6 files of up to 20 octets", "many"),
    ("a large file", [("a.bin.txt", bytes(3 << 20))], r"550 5\.7\.1 1 files of up to 3", "many"),
]


@pytest.mark.parametrize("subject, files, reply, name", REFUSED, ids=[case[0] for case in REFUSED])
def test_refused_with_what_was_found_and_told_in_the_trace(net, server, subject, files, reply, name):
    said = refused(net, server, message(subject, *files))
    assert re.match(reply, said), said
    server.wait_for_trace(message_id(said), "refused", name)


# PATH is what a shell, or who unpacks to where a name says, would make.
HOSTILE = {"commands": ";touch PATH;", "a substitution": "$(touch PATH)", "backquotes": "`touch PATH`", "a pipe": "|touch PATH", "an option": "--to-command=touch PATH",
           "Perl's open": "| touch PATH |", "an absolute path": "PATH", "a path upwards": "../../../../../../../../PATH", "backslashes": "..\\..\\PATH", "a line end": "x\r\n250 2.0.0 touch PATH",
           "a format": "%s%n {archive.executable} PATH", "quotes": "'; touch PATH; \"; touch PATH; '"}


@pytest.mark.parametrize("pack", [packed, taped])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_in_an_archive_is_text_and_nothing_else(net, server, name, pack):
    """Of archive and member (CVE-2023-2868, Barracuda: a tar's member became a command; CVE-2016-1000282, Haraka: the attachment's name was one)."""
    folder = pathlib.Path(tempfile.mkdtemp())  # short: names are told up to a length
    made = folder / "made"
    hostile = HOSTILE[name].replace("PATH", str(made))
    in_one_line = re.sub(r"[\r\n]", "", hostile)
    said = refused(net, server, message("hostile", (f"{in_one_line}.bin", pack((hostile, PROGRAM), (f"{hostile}.txt", TEXT)))))
    assert re.fullmatch(r"550 5\.7\.1 no programs: [^\r\n]*\(windows-program\)[^\r\n]*", said), said
    assert "touch" not in hostile or "touch" in said, "it is told as it stands"
    server.wait_for_trace(message_id(said), "in-archives")
    assert not list(folder.iterdir())


def test_42_levels_are_refused(net, server):
    inner = "Content-Type: text/plain\r\n\r\nthe end\r\n"
    for level in range(42):
        inner = f"Content-Type: multipart/mixed; boundary=level{level}.\r\n\r\n--level{level}.\r\n{inner}\r\n--level{level}.--\r\n"
    said = refused(net, server, f"From: x@b.example\r\nSubject: deep\r\n{inner}".encode())
    assert said.startswith("550 5.7.1 nested 42 deep"), said


def test_honest_mail_passes_and_tells_what_was_looked_at(net, server):
    identifier = message_id(send(net, server, message("honest", ("a.zip", packed(("notes.txt", TEXT))), ("b.txt", TEXT))))
    server.wait_for_mail("bob@a.example", "honest")
    server.wait_for_trace(identifier, "archives", "1 files in 1 archives")
    heard = len(server.log_text())
    send(net, server, message("plain"))
    server.wait_for_mail("bob@a.example", "plain")
    assert "archives_read" not in server.log_text()[heard:], "where there are none, nobody is started"


def test_words_in_the_body_are_found_decoded_and_not_told(net, server):
    identifier = message_id(send(net, server, message("words", body="Caf\u00e9: Cheap \n watches\n")))
    story = server.wait_for_trace(identifier, "junk", "words")
    assert "body = (1 texts, not told)" in story, story
    assert "watches" not in story.replace("words", "") and "watches" not in server.log_text()


def test_archives_under_a_password_are_held(net, server):
    identifier = message_id(send(net, server, message("locked", ("a.zip", locked(packed(("t.txt", TEXT)))))))
    assert "a.zip/t.txt" in server.cli("quarantine", "show", identifier).stdout


def readers(server):
    """Processes that the server started and that still look into archives."""
    found = []
    for entry in os.listdir("/proc"):
        try:
            words = open(f"/proc/{entry}/cmdline", "rb").read().split(b"\0") if entry.isdigit() else []
            if b"archive-reader" in words and f"PPid:\t{server.pid}\n" in open(f"/proc/{entry}/status").read():
                found.append(int(entry))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


SLOW = {"archive_ratio": 100_000, "archive_unpacked": "100GiB"}


@pytest.fixture(scope="module")
def slow_archive():
    return bomb(1500)


def meet(server, number):
    """Sends the signal to the first reader that comes."""
    wait_until(lambda: readers(server), what="a reader runs")
    for process in readers(server):
        os.kill(process, number)


@pytest.mark.parametrize("number, why", [(signal.SIGKILL, "killed by signal 9"), (signal.SIGSEGV, "killed by signal 11"), (signal.SIGSTOP, "it took too long")])
def test_a_reader_that_dies_or_hangs_puts_the_message_off_and_nothing_is_lost(net, server, slow_archive, number, why):
    configure(server, attachments={**SLOW, "archive_time_limit": "3s" if number == signal.SIGSTOP else "60s"})
    try:
        heard = len(server.log_text())
        threading.Thread(target=meet, args=(server, number)).start()
        begun = time.monotonic()
        said = refused(net, server, message("unlucky", ("a.zip", slow_archive)))
        assert said.startswith("450 4.7.1 could not look into the archives"), said
        assert time.monotonic() - begun < 30
        server.wait_for_log(f"event=archives_not_read.*{why}", after=heard)
        server.wait_for_trace(message_id(said), "archives", why)
        assert not readers(server)
        configure(server, rule=[one for one in RULES if one["name"] != "unread"])
        threading.Thread(target=meet, args=(server, number)).start()
        subject = f"passes {int(number)}"
        send(net, server, message(subject, ("a.zip", slow_archive)))
        server.wait_for_mail("bob@a.example", subject)
    finally:
        configure(server, attachments={}, rule=RULES)


def test_the_reader_has_nothing_and_may_do_nothing(net, server, slow_archive):
    configure(server, attachments={**SLOW, "archive_time_limit": "60s"})
    try:
        seen = {}

        def look():
            wait_until(lambda: readers(server), what="a reader runs")
            process = readers(server)[0]
            wait_until(lambda: "Seccomp:\t2" in open(f"/proc/{process}/status").read(), what="it is locked in")
            seen["files"] = sorted(os.listdir(f"/proc/{process}/fd"), key=int)
            seen["status"] = open(f"/proc/{process}/status").read()
            seen["environment"] = open(f"/proc/{process}/environ", "rb").read()
            os.kill(process, signal.SIGKILL)

        thread = threading.Thread(target=look)
        thread.start()
        refused(net, server, message("looked at", ("a.zip", slow_archive)))
        thread.join()
        assert seen["files"] == ["0", "1", "2"]
        assert "NoNewPrivs:\t1" in seen["status"]
        assert seen["environment"] == b""
    finally:
        configure(server, attachments={})


def test_the_manuals_alarm_is_raised_and_the_message_delivered(net, server):
    manual = (HERE.parents[1] / "docs" / "abuse.md").read_text()
    example, = [block for block in re.findall(r"```toml\n(.*?)```", manual, re.DOTALL) if "attachment" in block]
    alarming, = tomllib.loads(example)["rule"]
    configure(server, rule=[alarming])
    try:
        for subject, files in {"program": ("setup.exe", TEXT), "in an archive": ("a.zip", WITHIN), "macros": ("a.docm", packed(("word/vbaProject.bin", b"x"))),
                               "locked alarm": ("a.zip", locked(packed(("t.txt", TEXT))))}.items():
            identifier = message_id(send(net, server, message(subject, files)))
            server.wait_for_mail("bob@a.example", subject)
            server.wait_for_trace(identifier, alarming["name"])
        server.wait_for_log("event=alarm .*kind=rule")
        alarms = server.json("alarms", "--kind", "rule")
        assert [(alarm["subject"].split(": ")[0], alarm["count"]) for alarm in alarms] == [(alarming["name"], 4)], alarms
        send(net, server, message("nothing unusual", ("a.zip", packed(("notes.txt", TEXT)))))
        server.wait_for_mail("bob@a.example", "nothing unusual")
        assert server.json("alarms", "--kind", "rule")[0]["count"] == 4
    finally:
        configure(server, rule=RULES)


def test_the_manuals_rules_are_right(net, server, tmp_path):
    manual = (HERE.parents[1] / "docs" / "policy.md").read_text()
    section = manual[manual.index("## Attachments"):]
    rules = section[section.index("```toml\n") + 8:section.index("```\n", section.index("```toml\n") + 8)]
    file = tmp_path / "thurn.toml"
    file.write_text(f'hostname = "mx.a.example"\ndata_dir = "{tmp_path}"\n{rules}')
    tested = server.run("config", "test", file, check=False)
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert section.count("[[rule]]") >= 6
