"""Other implementations of mail authentication, each asked about many messages: dkimpy, opendkim, rspamd."""

import http.client
import json
import logging
import os
import re
import shutil
import socket
import subprocess
import time

import dkim

QUIET = logging.getLogger("dkimpy")
QUIET.disabled = True


def dkimpy_dkim(message, lookup):
    """A word for each signature, top to bottom: `pass`, `fail`, or why none. One that cannot be read at all: one word."""
    try:
        signatures = [name for name, _ in dkim.DKIM(message, logger=QUIET).headers if name.lower() == b"dkim-signature"]
    except Exception as error:  # all kinds of them
        return [f"{type(error).__name__} {error}"]

    def verdict(number):
        try:
            return "pass" if dkim.DKIM(message, logger=QUIET).verify(idx=number, dnsfunc=lookup) else "fail"
        except Exception as error:
            return f"{type(error).__name__} {error}"
    return [verdict(number) for number in range(len(signatures))]


def dkimpy_arc(message, lookup):
    try:
        verdict, _, reason = dkim.arc_verify(message, logger=QUIET, dnsfunc=lookup)
        return f"{verdict.decode()} {reason}".strip()
    except Exception as error:
        return f"fail {type(error).__name__} {error}"


def opendkim(messages, folder, host):
    """For each: "pass", or what opendkim-testmsg says instead, on a host of a lab with the keys in its DNS. It is given line feeds and makes
    CRLF of them."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for number, message in enumerate(messages):
        (folder / f"{number}").write_bytes(message.replace(b"\r\n", b"\n"))
    script = f'cd "{folder}" && i=0; while [ $i -lt {len(messages)} ]; do opendkim-testmsg <$i >$i.out 2>&1 || echo "exit $?" >>$i.out; i=$((i+1)); done'
    host.run("sh", "-c", script, timeout=1800)
    told = [(folder / f"{number}.out").read_text(errors="replace").strip() for number in range(len(messages))]
    return [re.sub(r"opendkim-testmsg: |/\S*dkim\.\S+", "", text) or "pass" for text in told]


RSPAMD = """
options {{
  pidfile = "{folder}/pid";
  filters = "dkim";
  dns {{ nameserver = ["{ip}:{port}"]; timeout = 2s; retransmits = 1; enable_dnssec = false; }}
  tempdir = "{folder}";
  dynamic_conf = "{folder}/dynamic";
  allow_raw_input = true;
  cache_file = "{folder}/symbols.cache";
  control_socket = "{folder}/control mode=0600";
  hs_cache_dir = "{folder}";
  url_tld = "{folder}/suffixes";
  local_addrs = []; local_networks = [];
  check_all_filters = true;
  disable_monitoring = true;
}}
logging {{ type = "file"; filename = "{folder}/log"; level = "warning"; }}
worker {{ type = "normal"; bind_socket = "127.0.0.1:{own}"; count = 1; }}
metric {{ name = "default"; actions {{ reject = 10000; }} }}
dkim {{ dkim_cache_size = 0; max_sigs = 50; check_local = true; check_authed = true;  time_jitter = 1h; }}
spf {{ spf_cache_size = 0; check_local = true; check_authed = true;  max_dns_nesting = 10; max_dns_requests = 30; }}
dmarc {{ reporting {{ enabled = false; }} }}
arc {{ sign_local = false; check_local = true; check_authed = true; }}
modules {{ path = "/usr/share/rspamd/plugins/spf.lua"; path = "/usr/share/rspamd/plugins/dmarc.lua"; path = "/usr/share/rspamd/plugins/arc.lua"; }}
"""


class Rspamd:
    """rspamd with its checks of SPF, DKIM, ARC and DMARC alone, asking a name server of a test."""

    def __init__(self, folder, server):
        folder.mkdir(exist_ok=True)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        ip, port = server.address.split(":")
        (folder / "suffixes").write_text("com\nexample\nnet\norg\n")
        config = folder / "rspamd.conf"
        config.write_text(RSPAMD.format(folder=folder, ip=ip, port=port, own=self.port))
        self.log = folder / "log"
        self.process = subprocess.Popen(["rspamd", "-f", "-i", "-c", config], stdout=(folder / "out").open("wb"), stderr=subprocess.STDOUT,
                                        env={**os.environ, "HOME": str(folder)})
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                break
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise RuntimeError(f"rspamd does not start: {(folder / 'out').read_text()[-2000:]}{self.log.read_text()[-2000:] if self.log.exists() else ''}")
                time.sleep(0.1)

    def check(self, message, ip="192.0.2.1", helo="mail.example.com", sender="anna@signed.example"):
        """The symbols it gives, with their options."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("POST", "/checkv2", message, {"IP": ip, "Helo": helo, "From": sender, "Rcpt": "bob@rcpt.example", "Pass": "all"})
        answer = json.loads(connection.getresponse().read().decode("utf-8", "replace"))
        connection.close()
        return {name: symbol.get("options", []) for name, symbol in answer.get("symbols", {}).items()}

    def close(self):
        self.process.terminate()
        self.process.wait(20)
