"""Real peers from Debian's packages, each on a host of the lab with a configuration and folders of its own."""

import datetime
import email
import email.policy
import os
import pathlib
import shutil
import subprocess

from lab import run, wait_until

HERE = pathlib.Path(__file__).resolve().parent


def make_certificate(folder, name):
    """A self-signed pair; gives (certificate, key)."""
    certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj", f"/CN={name}",
        "-addext", f"subjectAltName=DNS:{name}", "-keyout", key, "-out", certificate)
    key.chmod(0o644)  # a test's key: servers of several users read it
    return certificate, key


class Authority:
    """Signs certificates, and says by OCSP that they are good."""

    def __init__(self, folder, name):
        self.folder = folder / name
        self.folder.mkdir(parents=True)
        self.certificate, self.key, self.index = self.folder / "ca.crt", self.folder / "ca.key", self.folder / "index.txt"
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj", f"/CN={name}",
            "-addext", "basicConstraints=critical,CA:TRUE", "-keyout", self.key, "-out", self.certificate)
        self.index.touch()

    def sign(self, name, alternative):
        certificate, key, request, extensions = (self.folder / f"{name}.{kind}" for kind in ("crt", "key", "csr", "ext"))
        extensions.write_text(f"subjectAltName={alternative}\n")
        run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        run("openssl", "x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.key, "-CAcreateserial", "-days", "30", "-extfile", extensions, "-out", certificate)
        key.chmod(0o644)
        return certificate, key

    def say_good(self, certificate, into):
        """A response about `certificate`, good for an hour."""
        serial = run("openssl", "x509", "-in", certificate, "-noout", "-serial").stdout.strip().partition("=")[2]
        until = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=30)).strftime("%y%m%d%H%M%SZ")
        self.index.write_text(f"V\t{until}\t\t{serial}\tunknown\t/CN=x\n")
        run("openssl", "ocsp", "-index", self.index, "-rsigner", self.certificate, "-rkey", self.key, "-CA", self.certificate, "-issuer", self.certificate,
            "-cert", certificate, "-respout", into, "-nmin", "60")
        return into


class MailboxHolder:
    """A peer that delivers everything for its domain into one Maildir."""

    maildir = None

    def mail(self):
        folder = self.maildir / "new"
        files = sorted(folder.iterdir(), key=lambda file: file.stat().st_mtime_ns) if folder.exists() else []
        return [email.message_from_bytes(file.read_bytes(), policy=email.policy.default) for file in files]

    def wait_for_mail(self, subject, limit=30):
        def arrived():
            return next((message for message in self.mail() if message["Subject"] == subject), None)
        return wait_until(arrived, limit, lambda: f"{type(self).__name__} got {subject!r}; log:\n{self.log_text()[-4000:]}")


class Postfix(MailboxHolder):
    """MX of `domain` on port 25, opportunistic TLS both ways, relays for the lab. `settings`: further lines of main.cf, which win."""

    def __init__(self, host, domain, settings=None):
        self.host, self.domain = host, domain
        self.settings = settings or {}
        self.folder = host.lab.folder / f"postfix-{host.name}-{len(list(host.lab.folder.glob('postfix-*')))}"
        self.folder.mkdir()
        self.maildir = self.folder / "mail" / "box"
        self.log = self.folder / "log"
        self.conf = self.folder / "conf"
        self._write_configuration()

    def _write_configuration(self):
        certificate, key = make_certificate(self.folder, f"mx.{self.domain}")
        for name in ("conf", "queue", "data", "mail"):
            (self.folder / name).mkdir()
        for name in ("data", "mail"):
            shutil.chown(self.folder / name, "postfix", "postfix")
        uid = int(run("id", "-u", "postfix").stdout)
        gid = int(run("id", "-g", "postfix").stdout)
        settings = self._settings(certificate, key, uid, gid)
        (self.conf / "main.cf").write_text("".join(f"{name} = {value}\n" for name, value in {**settings, **self.settings}.items()))
        self._write_master()

    def _settings(self, certificate, key, uid, gid):
        return {
            "compatibility_level": "3.6",
            "maillog_file": f"{self.log}",
            "maillog_file_prefixes": f"{self.folder}",
            "queue_directory": f"{self.folder}/queue",
            "data_directory": f"{self.folder}/data",
            "myhostname": f"mx.{self.domain}",
            "mydestination": "",
            "mynetworks": "127.0.0.0/8 10.77.0.0/24 [fd00:77::]/64",
            "inet_protocols": "all",
            "virtual_mailbox_domains": f"{self.domain}",
            "virtual_mailbox_base": f"{self.folder}/mail",
            "virtual_mailbox_maps": "static:box/",
            "virtual_uid_maps": f"static:{uid}",
            "virtual_gid_maps": f"static:{gid}",
            "virtual_minimum_uid": "1",
            "smtpd_tls_cert_file": f"{certificate}",
            "smtpd_tls_key_file": f"{key}",
            "smtpd_tls_security_level": "may",
            "smtpd_tls_received_header": "yes",
            "smtp_tls_security_level": "may",
            "smtp_tls_loglevel": "1",
            "smtpd_client_connection_rate_limit": "0",
            "smtpd_relay_restrictions": "permit_mynetworks, reject_unauth_destination",
            "minimal_backoff_time": "2s",
            "maximal_backoff_time": "4s",
            "queue_run_delay": "2s",
            "alias_maps": "",
            "alias_database": "",
        }

    def _write_master(self):
        shutil.copy("/etc/postfix/master.cf.proto" if os.path.exists("/etc/postfix/master.cf.proto") else "/usr/share/postfix/master.cf.dist",
                    self.conf / "master.cf")
        text = (self.conf / "master.cf").read_text()
        lines = []
        for line in text.splitlines():
            words = line.split()
            if len(words) >= 8 and not line.startswith(("#", " ", "\t")):
                words[4] = "n"  # no chroot: certificates and resolver files stay where they are
                line = " ".join(words)
            lines.append(line)
        (self.conf / "master.cf").write_text("\n".join(lines) + "\n")

    def start(self):
        self.host.run("postfix", "-c", self.conf, "start")
        self.host.wait_for_port(25)
        return self

    def stop(self):
        self.host.run("postfix", "-c", self.conf, "stop", check=False)

    def log_text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""


class Exim(MailboxHolder):
    """MX of `domain` on port 25 (GnuTLS), relays for the lab. Unpacked by install-peers, since it excludes Postfix as a package."""

    def __init__(self, host, domain):
        self.host, self.domain = host, domain
        self.folder = host.lab.folder / f"exim-{host.name}"
        self.maildir = self.folder / "mail"
        self.conf = self.folder / "exim.conf"
        self.folder.mkdir()
        for name in ("spool", "log", "mail"):
            (self.folder / name).mkdir()
            shutil.chown(self.folder / name, "Debian-exim", "Debian-exim")
        unpacked = pathlib.Path(subprocess.run([HERE / "install-peers"], check=True, stdout=subprocess.PIPE, text=True).stdout.split()[-1])
        self.program = self.folder / "exim4"
        shutil.copy(unpacked / "usr/sbin/exim4", self.program)
        self._write_configuration()

    def _write_configuration(self):
        certificate, key = make_certificate(self.folder, f"mx.{self.domain}")
        self.conf.write_text(f"""
primary_hostname = mx.{self.domain}
domainlist local_domains = {self.domain}
hostlist relay_from_hosts = 10.77.0.0/24 : <; fd00:77::/64
exim_path = {self.program}
spool_directory = {self.folder}/spool
log_file_path = {self.folder}/log/%slog
pid_file_path = {self.folder}/pid
acl_smtp_rcpt = acl_rcpt
tls_advertise_hosts = *
tls_certificate = {certificate}
tls_privatekey = {key}
never_users =
deliver_drop_privilege = true
rfc1413_query_timeout = 0s
keep_environment =
begin acl
acl_rcpt:
  accept domains = +local_domains
  accept hosts = 10.77.0.0/24
  deny message = relay not permitted
begin routers
remote:
  driver = dnslookup
  domains = ! +local_domains
  transport = remote_smtp
  no_more
local:
  driver = accept
  transport = box
begin transports
remote_smtp:
  driver = smtp
  hosts_try_dane =
box:
  driver = appendfile
  directory = {self.maildir}
  maildir_format
  user = Debian-exim
begin retry
* * F,1h,2s
""".replace("hostlist relay_from_hosts = 10.77.0.0/24 : <; fd00:77::/64\n", ""))

    def start(self):
        process = self.host.start(self.program, "-C", self.conf, "-bdf", "-q5s", log=self.folder / "output")
        self.host.wait_for_port(25, process=process)
        return self

    def log_text(self):
        return "".join(file.read_text(errors="replace") for file in [self.folder / "output", *(self.folder / "log").iterdir()] if file.exists())


class Dovecot:
    """IMAP on 143 and POP3 on 110 over the Maildirs of a thurn server, in clear text: it is Dovecot's reading that is tried. With `settings` of
    its own it keeps what it likes; `ports` are waited for."""

    def __init__(self, host, thurn, users, settings="", ports=(143, 110)):
        self.host, self.ports = host, ports
        self.folder = host.lab.folder / f"dovecot-{host.name}-{len(list(host.lab.folder.glob('dovecot-*')))}"
        self.folder.mkdir()
        self.log = self.folder / "log"
        self.conf = self.folder / "dovecot.conf"
        passwords = self.folder / "passwd"
        passwords.write_text("".join(f"{user}:{{PLAIN}}{password}\n" for user, password in users.items()))
        owner = os.stat(thurn.data)
        self.conf.write_text(f"""
base_dir = {self.folder}/run
state_dir = {self.folder}/state
log_path = {self.log}
protocols = imap pop3
listen = {host.ip}
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login
first_valid_uid = 0
first_valid_gid = 0
mail_location = maildir:{thurn.data}/mail/%d/%n
passdb {{
  driver = passwd-file
  args = username_format=%u {passwords}
}}
userdb {{
  driver = static
  args = uid={owner.st_uid} gid={owner.st_gid} home={self.folder}/home/%u allow_all_users=yes
}}
{settings}
""")

    def start(self):
        self.process = self.host.start("dovecot", "-F", "-c", self.conf, log=self.log)
        for port in self.ports:
            self.host.wait_for_port(port, process=self.process)
        return self

    def stop(self):
        self.process.terminate()
        self.process.wait(20)
