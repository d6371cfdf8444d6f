"""`thurn bench source` and `sink`: what they count is what happened."""

import json
import signal
import subprocess

from thurn import BINARY

MESSAGES = 300


def test_source_and_sink_agree_with_the_server_between_them(lab, make_thurn):
    server = make_thurn("a", relay={"networks": [f"{lab['client'].ip}/32"]})
    sink = subprocess.Popen(lab["faulty"].command(BINARY, "bench", "sink", "--address", lab["faulty"].ip, "--port", 25, "--json"), stdout=subprocess.PIPE, text=True)
    try:
        lab["faulty"].wait_for_port(25, process=sink)
        source = lab["client"].run(BINARY, "bench", "source", "--server", server.host.ip, "--sessions", 10, "--messages", MESSAGES, "--size", 3000,
                                   "--field", "X-Load: " + 600 * "x", "--to", "someone%@up.example", "--spread", 7, "--json")
        sent = json.loads(source.stdout)
        server.wait_for_empty_queue()
        sink.send_signal(signal.SIGTERM)
        taken = json.loads(sink.communicate(timeout=20)[0])
    finally:
        sink.kill()
        sink.wait()
    assert (sent["accepted"], sent["refused"], sent["lost"], sent["connections"]) == (MESSAGES, 0, 0, 10)
    assert (taken["taken"], taken["deferred"], taken["rejected"], taken["latency"]["count"]) == (MESSAGES, 0, 0, MESSAGES)
    assert taken["octets"] > MESSAGES * 3600, "content, the field on top and the Received line"
    assert server.log_text().count("event=accepted ") == server.log_text().count("event=delivered ") == MESSAGES
    assert sent["rate"] > 0 and 0 < sent["latency"]["median_ms"] <= sent["latency"]["max_ms"]


def test_source_counts_refusals(lab, make_thurn):
    server = make_thurn("a")
    done = lab["client"].run(BINARY, "bench", "source", "--server", server.host.ip, "--sessions", 2, "--messages", 6, "--to", "someone@up.example", "--json", check=False)
    sent = json.loads(done.stdout)
    assert done.returncode == 1 and (sent["accepted"], sent["refused"]) == (0, 6) and any("5.7.1" in reply for reply in sent["errors"])
    assert server.queued() == []
