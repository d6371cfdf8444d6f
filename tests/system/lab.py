"""Network namespaces: a small internet of hosts on one bridge, so that ports 25, 587 and 465 and MX records are real.

A Lab makes one namespace per host, joined by veth pairs to a bridge in a namespace of its own. Nothing is connected to the machine's
network. Names carry the process id, and close() removes all of it, so runs neither meet nor leave anything behind.
"""

import contextlib
import ctypes
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


class LabError(Exception):
    """Something a test needs from the machine is not there."""


def run(*command, check=True, timeout=60, **options):
    """Runs a command of the machine's; its output is text, and in the exception when it fails."""
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL if "input" not in options else None,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout, **options)
    if check and done.returncode != 0:
        raise LabError(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout}")
    return done


def wait_until(condition, limit=20.0, what="condition", step=0.05):
    """Polls until `condition()` is true and returns its value; fails after `limit` seconds."""
    end = time.monotonic() + limit
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {limit} s: {what() if callable(what) else what}")
        time.sleep(step)


def _setns(descriptor):
    if _libc.setns(descriptor, CLONE_NEWNET) != 0:
        raise LabError(f"setns: {os.strerror(ctypes.get_errno())}")


class Host:
    """One namespace with an IPv4 and an IPv6 address."""

    def __init__(self, lab, name, number):
        self.lab, self.name = lab, name
        self.namespace = f"{lab.prefix}{name}"
        self.ip, self.ip6 = f"10.77.0.{number}", f"fd00:77::{number:x}"
        self._processes = []

    @contextlib.contextmanager
    def inside(self):
        """Sockets this thread makes in the block belong to this host, for as long as they live."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(f"/run/netns/{self.namespace}", os.O_RDONLY)
        try:
            _setns(there)
            yield self
        finally:
            _setns(home)
            os.close(home)
            os.close(there)

    def connect(self, address, port, timeout=20):
        with self.inside():
            return socket.create_connection((address, port), timeout)

    def listen(self, port, address=None, backlog=1024):
        """A listening socket on this host's address."""
        with self.inside():
            listener = socket.create_server((address or self.ip, port), backlog=backlog)
        return listener

    def command(self, *words):
        """The command line that runs `words` on this host, with the lab's DNS server in resolv.conf."""
        script = 'mount --bind "$1" /etc/resolv.conf && mount --bind "$2" /etc/hosts && shift 2 && exec "$@"'
        return ["ip", "netns", "exec", self.namespace, "sh", "-c", script, "sh",
                str(self.lab.folder / "resolv.conf"), str(self.lab.folder / "hosts"), *map(str, words)]

    def run(self, *words, **options):
        return run(*self.command(*words), **options)

    def start(self, *words, log, **options):
        """Starts a process that lives until stop() or the end of the lab."""
        with open(log, "ab") as output:
            process = subprocess.Popen(self.command(*words), stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                       start_new_session=True, **options)
        self._processes.append(process)
        return process

    def wait_for_port(self, port, address=None, limit=20.0, process=None):
        def answers():
            if process is not None and process.poll() is not None:
                raise AssertionError(f"{self.name}: the process ended with {process.returncode}")
            try:
                self.connect(address or self.ip, port, timeout=1).close()
                return True
            except OSError:
                return False
        wait_until(answers, limit, f"{self.name} answers on port {port}")

    def stop_all(self):
        for process in self._processes:
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
        self._processes.clear()
        # What daemonised itself (Postfix, Dovecot) is found by its namespace; only this lab's processes are in there.
        pids = run("ip", "netns", "pids", self.namespace, check=False).stdout.split()
        for pid in pids:
            if pid.isdigit():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)


class Lab:
    """Hosts by name; a folder in `parent` that the servers' unprivileged users can enter; a DNS server once start_dns() was called."""

    def __init__(self, names, prefix="th", parent=None):
        if os.geteuid() != 0:
            raise LabError("the system tests make network namespaces and must run as root")
        self.prefix = f"{prefix}{os.getpid()}-"
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="thurn-lab-", dir=parent))
        self.folder.chmod(0o755)
        self.hosts = {name: Host(self, name, number) for number, name in enumerate(names, start=1)}
        (self.folder / "resolv.conf").write_text("options timeout:2 attempts:2\n")
        (self.folder / "hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")
        try:
            self._make_network()
        except Exception as error:
            self.close()
            raise LabError(f"network namespaces cannot be made here; the system tests need root, ip netns, veth and bridge devices: {error}") from error

    def __getitem__(self, name):
        return self.hosts[name]

    def _make_network(self):
        bridge = f"{self.prefix}net"
        run("ip", "netns", "add", bridge)
        run("ip", "-n", bridge, "link", "add", "br0", "type", "bridge")
        run("ip", "-n", bridge, "link", "set", "br0", "up")
        for number, host in enumerate(self.hosts.values(), start=1):
            run("ip", "netns", "add", host.namespace)
            lines = [f"link add eth0 type veth peer name port{number} netns {bridge}",
                     f"addr add {host.ip}/24 dev eth0", f"addr add {host.ip6}/64 dev eth0 nodad",
                     "link set lo up", "link set eth0 up"]
            run("ip", "-n", host.namespace, "-batch", "-", input="\n".join(lines) + "\n")
            run("ip", "-n", bridge, "-batch", "-", input=f"link set port{number} master br0\nlink set port{number} up\n")

    def start_dns(self, host, records):
        """unbound on `host`, authoritative for everything: `records` are lines of a zone file for the root."""
        address = self[host].ip
        zone = self.folder / "root.zone"
        zone.write_text("$TTL 60\n. IN SOA ns.lab. nobody.lab. 1 3600 600 86400 5\n. IN NS ns.lab.\n" + f"ns.lab. IN A {address}\n" + "\n".join(records) + "\n")
        config = self.folder / "unbound.conf"
        config.write_text(f"""
server:
    interface: {address}
    interface: 127.0.0.1
    access-control: 0.0.0.0/0 allow
    do-daemonize: no
    username: ""
    chroot: ""
    directory: "{self.folder}"
    pidfile: ""
    use-syslog: no
    module-config: "iterator"
    local-zone: "10.in-addr.arpa." nodefault
    local-zone: "77.10.in-addr.arpa." nodefault
    num-threads: 1
remote-control:
    control-enable: no
auth-zone:
    name: "."
    zonefile: "{zone}"
    for-downstream: yes
    for-upstream: no
""")
        process = self[host].start("unbound", "-c", config, log=self.folder / "unbound.log")
        self[host].wait_for_port(53, process=process)
        # Written in place: what is bound over /etc/resolv.conf is this very file.
        (self.folder / "resolv.conf").write_text(f"nameserver {address}\noptions timeout:2 attempts:2\n")

    def close(self):
        for host in self.hosts.values():
            host.stop_all()
        for name in [*(host.namespace for host in self.hosts.values()), f"{self.prefix}net"]:
            run("ip", "netns", "del", name, check=False)
        shutil.rmtree(self.folder, ignore_errors=True)
