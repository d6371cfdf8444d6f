"""A thurn server on a host of the lab: its configuration, its process, its command line, its mailboxes."""

import email
import email.policy
import json
import os
import pathlib
import re
import signal
import subprocess

from lab import LabError, wait_until

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("THURN", ROOT / "build" / "release" / "thurn"))
ID = re.compile(r"\b[0-9A-HJKMNP-TV-Z]{13}\b")
PASSWORD = "correct horse battery"


def message_id(reply):
    """The id in the text of a 250, as str or bytes."""
    text = reply.decode() if isinstance(reply, bytes) else str(reply)
    found = ID.search(text)
    assert found, f"no message id in {text!r}"
    return found.group()


def render_toml(tree, above=""):
    """JSON's strings, numbers, booleans and lists are TOML's too; tables and lists of tables are not."""
    plain, tables = [], []
    for key, value in tree.items():
        if isinstance(value, dict):
            tables.append(f"\n[{above}{key}]\n{render_toml(value, f'{above}{key}.')}")
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            tables.extend(f"\n[[{above}{key}]]\n{render_toml(table, f'{above}{key}.')}" for table in value)
        else:
            plain.append(f"{key} = {json.dumps(value)}")
    return "\n".join(plain) + "\n" + "".join(tables)


class Thurn:
    """Listens on 25, 587 and 465 of `host` and is MX of `domain`. `settings` go over the configuration, one table at a time."""

    def __init__(self, host, domain, dns, /, **settings):
        self.host, self.domain = host, domain
        self.folder = host.lab.folder / f"thurn-{host.name}-{len(list(host.lab.folder.glob('thurn-*')))}"
        self.folder.mkdir()
        self.data = self.folder / "data"
        self.config = self.folder / "thurn.toml"
        self.log = self.folder / "log"
        self.process = None
        self.settings = {
            "hostname": f"mx.{domain}", "data_dir": str(self.data), "postmaster": f"postmaster@{domain}", "allow_root": True,
            "listener": [{"bind": ["0.0.0.0:25", "[::]:25"], "role": "mx"},
                         {"bind": ["0.0.0.0:587", "[::]:587"], "role": "submission"},
                         {"bind": ["0.0.0.0:465", "[::]:465"], "role": "submission", "tls": "implicit"}],
            "dns": {"servers": [dns.ip], "dnssec": False},
            "domain": [{"name": domain}],
            "limits": {"disk_reserve": "16MiB"},
            "queue": {"retry": ["1s"], "lifetime": "5m", "jitter_percent": 0, "site_rest": "1s"},
        }
        self.configure(**settings)

    def configure(self, **settings):
        """Changes tables or keys and writes the file; a running server sees it after reload()."""
        for key, value in settings.items():
            if isinstance(value, dict) and isinstance(self.settings.get(key), dict):
                self.settings[key] = {**self.settings[key], **value}
            else:
                self.settings[key] = value
        self.config.write_text(render_toml(self.settings))

    # The process

    def start(self):
        if not BINARY.exists():
            raise LabError(f"{BINARY} is not there; build it (./dev build release) or name another by THURN=")
        logged = len(self.log_text())
        self.process = self.host.start(BINARY, "serve", "--config", self.config, log=self.log)
        wait_until(lambda: not self.alive() or re.search(r'event(=|":")started\b', self.log_text()[logged:]), 20, lambda: f"the server has started; log:\n{self.log_text()[logged:]}")
        for listener in self.settings["listener"]:
            if not listener["bind"][0].startswith("unix:"):  # it was there before the server said that it has started
                self.host.wait_for_port(int(listener["bind"][0].rsplit(":", 1)[1]), process=self.process)
        return self

    @property
    def pid(self):
        """`ip netns exec sh -c exec` ends as the server itself."""
        return self.process.pid

    def signal(self, number):
        os.kill(self.pid, number)

    def reload(self):
        self.signal(signal.SIGHUP)

    def stop(self, limit=30):
        """SIGTERM; gives the exit code."""
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        return self.process.wait(limit)

    def kill(self):
        self.signal(signal.SIGKILL)
        self.process.wait(10)

    def alive(self):
        return self.process.poll() is None

    def log_text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def wait_for_log(self, pattern, limit=10, after=0):
        return wait_until(lambda: re.search(pattern, self.log_text()[after:]), limit, f"log line {pattern!r}")

    def memory(self):
        """Resident octets."""
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status).group(1)) * 1024

    # The command line

    def run(self, *words, input=None, check=True, program=None):
        command = self.host.command(program or BINARY, *words)
        done = subprocess.run(command, input=input, stdin=subprocess.DEVNULL if input is None else None, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=60, cwd=self.folder)
        if check and done.returncode != 0:
            raise AssertionError(f"thurn {' '.join(map(str, words))} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done

    def cli(self, *words, **options):
        return self.run(*words, "--config", self.config, **options)

    def json(self, *words):
        """The listing of a command with --json: one value, or one a line."""
        text = self.cli(*words, "--json").stdout
        try:
            return json.loads(text) if text.strip() else []
        except json.JSONDecodeError:
            return [json.loads(line) for line in text.splitlines() if line.strip()]

    def add_account(self, address, password=PASSWORD):
        self.cli("account", "add", address, "--password-stdin", input=password + "\n")

    def trace(self, identifier):
        return self.cli("trace", identifier).stdout

    def wait_for_trace(self, identifier, *texts, limit=20):
        """Waits until the story of the message holds all these texts; gives the story."""
        story = ""

        def told():
            nonlocal story
            story = self.cli("trace", identifier, check=False).stdout
            return all(text in story for text in texts) and story
        return wait_until(told, limit, lambda: f"trace of {identifier} tells {texts}; it is:\n{story}", step=0.2)

    def queued(self):
        """Waiting messages as `queue list --json` shows them."""
        return self.json("queue", "list")

    def wait_for_empty_queue(self, limit=30):
        return wait_until(lambda: not self.queued(), limit, lambda: f"the queue is empty; it is {self.queued()}", step=0.2)

    # The mailboxes

    def maildir(self, address):
        local, domain = address.split("@")
        return self.data / "mail" / domain / local

    def mail(self, address):
        """The delivered messages, parsed, in order of arrival."""
        folder = self.maildir(address) / "new"
        files = sorted(folder.iterdir(), key=lambda file: file.stat().st_mtime_ns) if folder.exists() else []
        return [email.message_from_bytes(file.read_bytes(), policy=email.policy.default) for file in files]

    def wait_for_mail(self, address, subject=None, count=1, limit=20):
        """Waits for that many messages (with that subject); gives the last."""
        def arrived():
            found = [message for message in self.mail(address) if subject is None or message["Subject"] == subject]
            return len(found) >= count and found[-1]
        return wait_until(arrived, limit, lambda: f"{count} message(s) {subject or ''} for {address}; log:\n{self.log_text()[-4000:]}")
