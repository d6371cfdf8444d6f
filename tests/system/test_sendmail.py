"""Called as sendmail, thurn behaves as programs expect."""

import pytest


@pytest.fixture(scope="module")
def server(make_thurn):
    made = make_thurn("a")
    return made


@pytest.fixture
def sendmail(server):
    """sendmail(ARGUMENTS…, input=…): runs in the folder with thurn.toml, as a program would in its own."""
    from thurn import BINARY
    program = server.folder / "sendmail"
    if not program.exists():
        program.symlink_to(BINARY)

    def run(*words, **options):
        return server.run(*words, program=program, **options)
    return run


def test_t_takes_recipients_from_the_header(server, sendmail):
    sendmail("-t", "-i", input="From: alice@a.example\nTo: alice@a.example\nCc: Bob <bob@a.example>\nBcc: postmaster@a.example\nSubject: from the header\n\nHello.\n.\nbehind the dot\n")
    for user in ("alice", "bob"):
        message = server.wait_for_mail(f"{user}@a.example", "from the header")
        assert message["Bcc"] is None
        assert "behind the dot" in message.get_content()


def test_f_sets_the_reverse_path(server, sendmail):
    sendmail("-f", "alice@a.example", "bob@a.example", input="Subject: with -f\n\nHello.\n")
    message = server.wait_for_mail("bob@a.example", "with -f")
    assert message["Return-Path"] == "<alice@a.example>"
    assert message["Message-ID"] and message["Date"] and message["From"]


def test_cron_sends_to_a_user_of_this_machine(server, sendmail):
    """As Debian's cron calls it. root's mail goes to the postmaster, who is the first account here."""
    sendmail("-FCronDaemon", "-i", "-B8BITMIME", "-oem", "root",
             input="From: root (Cron Daemon)\nTo: root\nSubject: Cron <root@mx> /bin/job\nContent-Type: text/plain; charset=UTF-8\n\nIt ran.\n")
    message = server.wait_for_mail("alice@a.example", "Cron <root@mx> /bin/job")
    assert message["Return-Path"] == "<root@mx.a.example>"
    assert message["From"] == "root@mx.a.example" and message["To"] == "root@mx.a.example"


def test_t_completes_addresses_without_a_domain(server, sendmail):
    sendmail("-t", "-i", "-f", "backup", input="From: Backup <backup>\nTo: bob@a.example, Root <root>\nBcc: postmaster\nSubject: unqualified\n\nDone.\n")
    for user in ("alice", "bob"):
        message = server.wait_for_mail(f"{user}@a.example", "unqualified")
        assert message["Return-Path"] == "<backup@mx.a.example>"
        assert message["From"] == "Backup <backup@mx.a.example>"
        assert message["To"] == "bob@a.example, Root <root@mx.a.example>" and message["Bcc"] is None


def test_lists_on_the_command_line(server, sendmail):
    sendmail("-i", "-f", "alice@a.example", "bob@a.example, Alice <alice@a.example>", input="Subject: a list\n\nHello.\n")
    for user in ("alice", "bob"):
        server.wait_for_mail(f"{user}@a.example", "a list")


def test_t_of_a_message_sent_again(server, sendmail):
    sendmail("-t", "-i", "-f", "alice@a.example",
             input="From: x@y.example\nTo: alice@a.example\nResent-From: alice@a.example\nResent-To: bob@a.example\nResent-Bcc: bob+hidden@a.example\nSubject: again\n\nHello.\n")
    message = server.wait_for_mail("bob@a.example", "again")
    assert message["Resent-Bcc"] is None and message["Resent-To"] == "bob@a.example"
    server.wait_for_mail("bob@a.example", "again", count=2)
    assert all(message["Subject"] != "again" for message in server.mail("alice@a.example")), "To was for the first time it was sent"


def test_t_drops_no_recipient_it_cannot_read(server, sendmail):
    done = sendmail("-t", "-i", "-f", "alice@a.example", input="To: bob@a.example, @@@\nSubject: half\n\nHello.\n", check=False)
    assert done.returncode == 65 and "To field" in done.stderr
    assert all(message["Subject"] != "half" for message in server.mail("bob@a.example"))


@pytest.mark.parametrize("sender", ["", "<>"])
def test_f_gives_the_null_path(server, sendmail, sender):
    sendmail("-i", "-f", sender, "bob@a.example", input=f"Subject: null [{sender}]\n\nHello.\n")
    assert server.wait_for_mail("bob@a.example", f"null [{sender}]")["Return-Path"] == "<>"


@pytest.mark.parametrize("recipient", ["two words", "a@b@c", "bob@a..example"])
def test_what_is_no_address_is_told(sendmail, recipient):
    done = sendmail("-i", recipient, input="Subject: wrong\n\nHello.\n", check=False)
    assert done.returncode == 64 and f'recipient "{recipient}"' in done.stderr


def test_dot_ends_without_i(server, sendmail):
    sendmail("-f", "alice@a.example", "bob@a.example", input="Subject: dot ends\n\nHello.\n.\nnot this\n")
    assert "not this" not in server.wait_for_mail("bob@a.example", "dot ends").get_content()


def test_oi_and_double_dash(server, sendmail):
    sendmail("-oi", "-oem", "-falice@a.example", "--", "bob@a.example", input="Subject: oi\n\n.\nlast line\n")
    assert "last line" in server.wait_for_mail("bob@a.example", "oi").get_content()


def test_bs_speaks_smtp(server, sendmail):
    done = sendmail("-bs", input="EHLO localhost\r\nMAIL FROM:<alice@a.example>\r\nRCPT TO:<bob@a.example>\r\nDATA\r\nSubject: by bs\r\n\r\nHello.\r\n.\r\nQUIT\r\n")
    assert done.stdout.startswith("220") and "\n221" in done.stdout.replace("\r", "")
    server.wait_for_mail("bob@a.example", "by bs")


def test_bs_takes_the_line_ends_of_local_programs(server, sendmail):
    text = "EHLO localhost\nMAIL FROM:<alice@a.example>\nRCPT TO:<bob@a.example>\nDATA\nSubject: bare line feeds\n\nHello.\n..dot\n.\nQUIT\n"
    done = sendmail("-bs", input=text)
    codes = [line[:3] for line in done.stdout.splitlines() if line[3:4] == " "]
    assert codes == ["220", "250", "250", "250", "354", "250", "221"]
    assert server.wait_for_mail("bob@a.example", "bare line feeds").get_content() == "Hello.\n.dot\n"


@pytest.mark.parametrize("separator", ["From alice@a.example Sun Nov 22 08:00:00 2026\n", "From x\r\n", ">From x\n"])
def test_the_line_before_a_message_of_an_mbox_is_no_part_of_it(server, sendmail, separator):
    subject = f"from mbox {len(separator)}"
    sendmail("-t", "-i", "-f", "alice@a.example", input=f"{separator}To: bob@a.example\nSubject: {subject}\n\nFrom here on: body.\n")
    message = server.wait_for_mail("bob@a.example", subject)
    assert message["To"] == "bob@a.example" and message.get_content() == "From here on: body.\n"


def test_a_server_that_is_not_there_is_told_in_whole_words(server, sendmail):
    config = server.folder / "elsewhere.toml"
    config.write_text(f'hostname = "mx.a.example"\ndata_dir = "{server.folder}/never"\n[[listener]]\nbind = ["127.0.0.1:9", "[::1]:9"]\n')
    done = sendmail("-C", config, "bob@a.example", input="Subject: nowhere\n\nHello.\n", check=False)
    assert done.returncode == 75  # EX_TEMPFAIL
    assert done.stderr == "sendmail: the server cannot be reached: 127.0.0.1:9: Connection refused, [::1]:9: Connection refused\n"
    done = sendmail("-bs", "-C", config, input="QUIT\n", check=False)
    assert done.returncode == 75 and done.stdout.startswith("421 4.3.2 the server cannot be reached: 127.0.0.1:9: ") and ";" not in done.stdout


def test_without_recipients_it_is_a_usage_error(sendmail):
    assert sendmail("-t", input="From: alice@a.example\nSubject: nobody\n\nHello.\n", check=False).returncode in (64, 65)  # EX_USAGE, EX_DATAERR


def test_bp_lists_the_queue(sendmail):
    assert sendmail("-bp").returncode == 0


def test_bp_of_a_server_that_never_ran_is_a_temporary_failure(server, sendmail):
    config = server.folder / "never.toml"
    config.write_text(f'hostname = "mx.a.example"\ndata_dir = "{server.folder}/never"\n')
    assert sendmail("-bp", "-C", config, check=False).returncode == 75  # EX_TEMPFAIL
    assert sendmail("-bp", "-C", "/nowhere/thurn.toml", check=False).returncode == 78  # EX_CONFIG


def test_mail_of_a_stopped_server_is_not_lost(server, sendmail):
    """Either taken and delivered later, or refused with a temporary failure."""
    server.stop()
    done = sendmail("-f", "alice@a.example", "bob@a.example", input="Subject: stopped\n\nHello.\n", check=False)
    server.start()
    if done.returncode == 0:
        server.wait_for_mail("bob@a.example", "stopped")
    else:
        assert done.returncode == 75  # EX_TEMPFAIL


def test_large_input(server, sendmail):
    body = "0123456789" * 7 + "\n"
    sendmail("-f", "alice@a.example", "bob@a.example", input="Subject: large\n\n" + body * 20000)
    assert len(server.wait_for_mail("bob@a.example", "large").get_content()) == len(body) * 20000
