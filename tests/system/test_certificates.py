"""Certificates: a new one is seen while the server runs, also when it is no longer root; and what it does without one."""

import pwd
import shutil
import ssl

import pytest
from clients import submit
from lab import wait_until
from peers import make_certificate
from thurn import Thurn

USER = "mail"


@pytest.fixture
def pair(lab, tmp_path_factory):
    """Two pairs; `pair(number, owner)` puts one of them where the server looks for it, its key for the owner alone, and gives its certificate."""
    folder = lab.folder / tmp_path_factory.mktemp("renewed").name
    folder.mkdir()
    pairs = [make_certificate(folder, f"{name}.lab") for name in ("first", "second")]

    def put(number, owner):
        for source, target in zip(pairs[number], put.live):
            fresh = target.with_suffix(".fresh")
            shutil.copy(source, fresh)
            if target is put.live[1]:
                fresh.chmod(0o600)
                shutil.chown(fresh, owner)
            fresh.rename(target)
        return pairs[number][0].read_text().strip()
    put.live = folder / "live.crt", folder / "live.key"
    put.settings = {"user": USER, "allow_root": False, "tls": {"certificate": str(put.live[0]), "private_key": str(put.live[1])}}
    return put


def presented(lab, server):
    with lab["client"].inside():
        return ssl.get_server_certificate((server.host.ip, 465), timeout=10).strip()


def runs_as(server):
    return int(next(line for line in open(f"/proc/{server.pid}/status") if line.startswith("Uid:")).split()[1])


def remarks(server):
    return [remark for remark in server.json("check") if remark["about"] == "tls"]


def test_renewal_is_seen_after_dropping_root(lab, make_thurn, pair):
    first = pair(0, USER)
    server = make_thurn("a", **pair.settings)
    assert runs_as(server) == pwd.getpwnam(USER).pw_uid
    assert presented(lab, server) == first
    second = pair(1, USER)
    wait_until(lambda: presented(lab, server) == second, 15, "the new certificate is presented", step=0.3)
    server.wait_for_log("event=certificate_reloaded")
    assert "certificate_not_re" not in server.log_text()
    assert [remark["weight"] for remark in remarks(server)] == ["ok"]


def test_key_that_only_root_can_read_is_told_before_it_is_renewed(lab, make_thurn, pair):
    first = pair(0, "root")
    server = make_thurn("a", **pair.settings)
    key = pair.live[1]
    assert presented(lab, server) == first
    assert f"event=certificate_not_renewable file={key} user={USER} " in server.log_text()
    assert any(remark["weight"] == "warning" and str(key) in remark["text"] and f"user {USER} cannot read it" in remark["text"] for remark in remarks(server))
    pair(1, "root")

    def noticed():
        return presented(lab, server) and "event=certificate_not_reloaded" in server.log_text()
    wait_until(noticed, 15, "the new certificate cannot be read", step=0.3)
    assert str(key) in server.wait_for_log("event=certificate_not_reloaded (.*)").group(1)
    assert presented(lab, server) == first
    submit(lab["client"], server.host, "under the old certificate", "bob@a.example")
    server.wait_for_mail("bob@a.example", "under the old certificate")


def test_without_a_certificate_one_is_made_and_warned_of(lab):
    server = Thurn(lab["b"], "b.example", lab["dns"])
    made = server.data / "tls/self-signed.pem"
    (before,) = remarks(server)
    assert before["weight"] == "warning" and "no certificate is configured" in before["text"] and not made.exists()
    server.start()
    try:
        assert f"level=warning event=self_signed_certificate file={made} " in server.log_text()
        assert presented(lab, server) == made.read_text().strip()
        told = remarks(server)
        assert told[0] == before and told[1]["weight"] == "ok" and f"{made}: for mx.b.example," in told[1]["text"]
    finally:
        server.stop()
