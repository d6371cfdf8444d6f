"""How connections leave: from which address and under which name, which address of a host first, through proxies, with a PROXY header."""

import time

import pytest
from clients import submit
from lab import run
from thurn import message_id

SECOND = "10.77.0.200"


@pytest.fixture(scope="module")
def server(lab, make_thurn):
    run("ip", "-n", lab["a"].namespace, "addr", "add", f"{SECOND}/24", "dev", "eth0")
    yield make_thurn("a")
    run("ip", "-n", lab["a"].namespace, "addr", "del", f"{SECOND}/24", "dev", "eth0")


@pytest.fixture
def send(lab, server):
    count = iter(range(1000))

    def submit_one(domain="up.example"):
        return message_id(submit(lab["client"], server.host, f"out {next(count)}", f"someone@{domain}"))
    return submit_one


def route(server, **settings):
    """All mail for up.example leaves that way."""
    logged = len(server.log_text())
    server.configure(route=[{"recipient_domain": "up.example", "next_hop": "mx:", **settings}])
    server.reload()
    server.wait_for_log("event=reloaded", after=logged)


def outbound(server, **settings):
    logged = len(server.log_text())
    server.configure(outbound=settings)
    server.reload()
    server.wait_for_log("event=reloaded", after=logged)


def test_source_and_name_of_a_route(server, send, faulty):
    peer = faulty()
    route(server, source=SECOND, hello="out.a.example")
    send()
    peer.wait_for_messages(1)
    assert peer.clients == [SECOND] and "EHLO out.a.example" in peer.commands


def test_source_for_everybody_and_another_for_a_route(server, send, faulty):
    peer = faulty()
    outbound(server, source=[SECOND, server.host.ip6])
    route(server, source=server.host.ip)
    send("retried.example")
    send("up.example")
    peer.wait_for_messages(2)
    assert sorted(peer.clients) == sorted([SECOND, server.host.ip])
    outbound(server, source=[])


def test_source_that_is_not_ours_waits_and_is_named(server, send, faulty):
    peer = faulty()
    route(server, source="192.0.2.55")
    identifier = send()
    server.wait_for_trace(identifier, f"451 4.4.1 cannot connect to {peer.host.ip}:25: cannot use source address 192.0.2.55: Cannot assign requested address")
    route(server)
    peer.wait_for_messages(1)


def test_address_that_does_not_answer_holds_nothing_up(server, send, faulty):
    peer = faulty()
    begin = time.monotonic()
    identifier = send("dualstack.example")
    peer.wait_for_messages(1)
    assert time.monotonic() - begin < 2.5  # a neighbour that is not there is noticed after three seconds
    attempts = [event for event in server.json("trace", identifier) if event["event"] == "attempted"]
    assert [attempt["result"] for attempt in attempts] == ["delivered"]


def test_preferred_family_comes_first(server, send, faulty):
    peer = faulty()
    outbound(server, prefer="ipv4")
    begin = time.monotonic()
    send("dualstack.example")
    peer.wait_for_messages(1)
    assert peer.connections == 1 and time.monotonic() - begin < 2.5
    outbound(server, prefer="ipv6")


# Proxies

class Microsocks:
    scheme, port = "socks5", 1080

    def __init__(self, host, login):
        self.words = ["microsocks", "-i", host.ip, "-p", self.port, *(["-u", login[0], "-P", login[1]] if login else [])]


class Tinyproxy:
    scheme, port = "http", 3128

    def __init__(self, host, login):
        config = host.lab.folder / f"tinyproxy-{'login' if login else 'open'}.conf"
        config.write_text(f"Port {self.port}\nListen {host.ip}\nTimeout 60\nMaxClients 20\nConnectPort 25\nLogLevel Connect\n"
                          + (f"BasicAuth {login[0]} {login[1]}\n" if login else ""))
        self.words = ["tinyproxy", "-d", "-c", config]


@pytest.fixture(params=[Microsocks, Tinyproxy], ids=["socks5", "http"])
def proxy(request, lab):
    """proxy(login) starts one on the client's host; gives its URL. stop() ends it."""
    class Proxy:
        kind, host = request.param, lab["client"]
        url = f"{request.param.scheme}://{lab['client'].ip}:{request.param.port}"
        process = None

        def start(self, login=None):
            self.process = self.host.start(*self.kind(self.host, login).words, log=lab.folder / f"proxy-{self.kind.__name__}.log")
            self.host.wait_for_port(self.kind.port, process=self.process)

        def stop(self):
            if self.process:
                self.process.terminate()
                self.process.wait(10)
                self.process = None
    made = Proxy()
    yield made
    made.stop()


@pytest.fixture
def secret(server):
    def write(text):
        """A file of its own each time: connections kept open have logged in by the words of the time before."""
        file = server.folder / f"proxy-{len(list(server.folder.glob('proxy-*.auth')))}.auth"
        file.write_text(text + "\n")
        return f"file:{file}"
    return write


@pytest.mark.parametrize("login", [None, ("anna", "secret")], ids=["open", "login"])
def test_through_a_proxy(server, send, faulty, proxy, secret, login):
    proxy.start(login)
    peer = faulty()
    route(server, proxy=proxy.url, **({"proxy_auth": secret(":".join(login))} if login else {}))
    identifier = send()
    peer.wait_for_messages(1)
    assert peer.clients == [proxy.host.ip]
    server.wait_for_trace(identifier, f"mx.up.example [{peer.host.ip}]:25", "delivered")


def test_proxy_that_wants_another_login(server, send, faulty, proxy, secret):
    proxy.start(("anna", "secret"))
    peer = faulty()
    route(server, proxy=proxy.url, proxy_auth=secret("anna:wrong"))
    refused = send()
    server.wait_for_trace(refused, f"451 4.4.1 cannot reach {peer.host.ip}:25 through {proxy.url}: the proxy refused the login")
    assert "wrong" not in server.log_text() and not peer.connections
    route(server, proxy=proxy.url)
    anonymous = send()
    server.wait_for_trace(anonymous, f"through {proxy.url}: the proxy wants a login")
    route(server, proxy=proxy.url, proxy_auth=secret("anna:secret"))
    peer.wait_for_messages(2)


def test_proxy_that_is_down_lets_mail_wait_and_is_named(server, send, faulty, proxy):
    peer = faulty()
    route(server, proxy=proxy.url)
    identifier = send()
    where = f"{proxy.host.ip}:{proxy.kind.port}"
    server.wait_for_trace(identifier, f"451 4.4.1 cannot reach {peer.host.ip}:25 through {proxy.url}: cannot connect to {where}: Connection refused")
    proxy.start()
    peer.wait_for_messages(1)
    assert peer.clients == [proxy.host.ip]


def test_host_that_refuses_the_proxy(server, send, proxy):
    proxy.start()
    route(server, proxy=proxy.url)
    identifier = send()  # nobody listens there
    server.wait_for_trace(identifier, "451 4.4.1 cannot reach ", f"through {proxy.url}: ")
    server.cli("queue", "delete", identifier)


# PROXY protocol

def test_proxy_header_is_taken_by_haproxy(lab, server, send, faulty):
    peer = faulty()
    config = lab.folder / "haproxy.cfg"
    config.write_text(f"""
global
    log stdout format raw local0
defaults
    mode tcp
    log global
    log-format "from %ci:%cp to %fi:%fp by %s"
    timeout connect 10s
    timeout client 60s
    timeout server 60s
listen smtp
    bind {lab['client'].ip}:2525 accept-proxy
    server sink {peer.host.ip}:25
""")
    log = lab.folder / "haproxy.log"
    process = lab["client"].start("haproxy", "-db", "-f", config, log=log)
    try:
        lab["client"].wait_for_port(2525, process=process)
        taken = len(peer.messages)
        route(server, next_hop=f"smtp://{lab['client'].ip}:2525", send_proxy="v2", source=SECOND)
        send()
        peer.wait_for_messages(taken + 1)
        assert peer.clients[-1] == lab["client"].ip
        process.terminate()
        process.wait(10)
        assert f"from {SECOND}:" in log.read_text() and f"to {lab['client'].ip}:2525 by sink" in log.read_text()
    finally:
        process.kill()
