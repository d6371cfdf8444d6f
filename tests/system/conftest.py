"""The lab all tests share, and the servers in it."""

import pathlib
import resource
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from lab import Lab, LabError  # noqa: E402
from peers import Exim, Postfix  # noqa: E402
from scripted import ScriptedPeer  # noqa: E402
from thurn import Thurn  # noqa: E402
from zone_dns import ZoneDns  # noqa: E402

HOSTS = ["dns", "client", "a", "b", "postfix", "exim", "faulty", "dead"]
# One domain per misbehaviour, each with an MX host name of its own: sites are told apart by their hosts.
FAULTY = ["up", "later", "refusing", "hanging", "closing", "greeting", "flaky", "mixed", "deadsecond", "held", "retried", "deleted", "stopping", "slow"]


def records(lab):
    """The lab's DNS: a.example and b.example are thurn's, p.example is Postfix's, e.example Exim's."""
    lines = []
    for domain, name in (("a", "a"), ("b", "b"), ("p", "postfix"), ("e", "exim"), ("down", "dead")):
        lines += [f"{domain}.example. IN MX 10 mx.{domain}.example.", f"mx.{domain}.example. IN A {lab[name].ip}",
                  f"mx.{domain}.example. IN AAAA {lab[name].ip6}"]
    for name in FAULTY:
        lines += [f"{name}.example. IN MX 10 mx.{name}.example.", f"mx.{name}.example. IN A {lab['faulty'].ip}"]
    lines += ["deadfirst.example. IN MX 10 dead.deadfirst.example.", f"dead.deadfirst.example. IN A {lab['dead'].ip}",
              "deadfirst.example. IN MX 20 live.deadfirst.example.", f"live.deadfirst.example. IN A {lab['faulty'].ip}",
              f"addressonly.example. IN A {lab['faulty'].ip}",
              "alias.example. IN CNAME canonical.example.", f"canonical.example. IN A {lab['dead'].ip}", "canonical.example. IN MX 10 mx.canonical.example.",
              f"mx.canonical.example. IN A {lab['faulty'].ip}", f"aliasmx.example. IN A {lab['dead'].ip}", "aliasmx.example. IN MX 10 mx.aliasmx.example.",
              "mx.aliasmx.example. IN CNAME mx.canonical.example.",
              "dualstack.example. IN MX 10 mx.dualstack.example.", f"mx.dualstack.example. IN A {lab['faulty'].ip}",
              "mx.dualstack.example. IN AAAA fd00:77::dead",  # nobody's
              "nullmx.example. IN MX 0 .", f"nullmx.example. IN A {lab['faulty'].ip}",
              "loop.example. IN MX 10 mx.a.example.", "alsoours.example. IN MX 10 mx.a.example."]
    lines += [f"{name}.example. IN A {lab['client'].ip}" for name in ("elsewhere", "w")]  # where strangers write from
    for host in lab.hosts.values():
        lines += [f"{host.name}.lab. IN A {host.ip}", f"{'.'.join(reversed(host.ip.split('.')))}.in-addr.arpa. IN PTR {host.name}.lab."]
    return lines


@pytest.fixture(scope="session")
def lab():
    subprocess.run([HERE / "install-peers"], check=True, stdout=subprocess.DEVNULL)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    made = Lab(HOSTS)
    try:
        made.start_dns("dns", records(made))
        yield made
    finally:
        made.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture(scope="session")
def postfix(lab):
    peer = Postfix(lab["postfix"], "p.example").start()
    yield peer
    peer.stop()


@pytest.fixture(scope="session")
def exim(lab):
    return Exim(lab["exim"], "e.example").start()


@pytest.fixture(scope="module")
def make_thurn(lab):
    """make_thurn("a", limits={…}) gives a running server for a.example with the accounts alice and bob; the module's end stops it."""
    made = []

    def make(name="a", **settings):
        for other in [server for server in made if server.host is lab[name] and server.alive()]:
            other.stop()
        server = Thurn(lab[name], f"{name}.example", lab["dns"], **settings).start()
        made.append(server)
        for user in ("alice", "bob"):
            server.add_account(f"{user}@{name}.example")
        return server
    yield make
    for server in made:
        if server.alive():
            server.stop()


@pytest.fixture
def serve():
    """serve(zone) gives a name server that plays the zone; the test's end closes it."""
    servers = []

    def start(zone):
        servers.append(ZoneDns(zone))
        return servers[-1]
    yield start
    for server in servers:
        server.close()


@pytest.fixture
def faulty(lab):
    """faulty(port=25, RCPT="550 no", …) gives a ScriptedPeer on the host of the same name; the test's end closes it."""
    peers = []

    def make(port=25, **answers):
        peers.append(ScriptedPeer(lab["faulty"], port, **answers))
        return peers[-1]
    yield make
    for peer in peers:
        peer.close()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failing test shows the end of every server's log."""
    outcome = yield
    report = outcome.get_result()
    if report.when == "call" and report.failed and "lab" in item.funcargs:
        for log in sorted(item.funcargs["lab"].folder.glob("thurn-*/log")):
            report.sections.append((f"{log.parent.name} log", "\n".join(log.read_text(errors="replace").splitlines()[-60:])))


__all__ = ["LabError"]
