"""What the README has newcomers do first: the demonstration, and the commands it prints."""

import re
import shlex

from lab import wait_until


def test_the_demonstration_does_what_it_prints(lab, tmp_path):
    from thurn import BINARY, ROOT
    log = tmp_path / "log"
    host = lab["client"]
    process = host.start(ROOT / "tools/run-demo", BINARY, log=log, cwd=tmp_path)
    for port in (2525, 2587, 2465, 2526):
        host.wait_for_port(port, "127.0.0.1", process=process)
    commands = [shlex.split(text) for text in re.findall(r"^    (\S.*)$", log.read_text().replace("\\\n", " "), re.M)]
    swaks, read_own, read_other, trace, queue = commands
    sent = host.run(*swaks).stdout
    id = re.search(r"queued as (\w+)", sent).group(1)
    for command in (read_own, read_other):
        folder = tmp_path.joinpath(command[1].removesuffix("*"))
        wait_until(lambda: folder.exists() and any(folder.iterdir()), 20, f"there is mail in {folder}")
        assert "Subject: first mail" in next(folder.iterdir()).read_text()
    told = host.run(*[id if word == "ID" else word for word in trace]).stdout
    assert "bob@demo.example delivered" in told and "carol@other.example delivered" in told
    assert "0 messages" in host.run(*queue).stdout
    process.terminate()
    process.wait(15)
    assert log.read_text().count("event=stopped") == 1 and "event=stopped" in (tmp_path / "run/other.log").read_text()
