"""A name server in Python for what unbound cannot play: zones as the published SPF test suite has them, silence, names with odd octets."""

import contextlib
import ipaddress
import re
import socket
import struct
import threading

TYPES = {"A": 1, "CNAME": 5, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28}


def wire_name(name):
    labels = [label.encode("utf-8", "surrogateescape") for label in name.rstrip(".").split(".")] if name.rstrip(".") else []
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def strings(texts):
    octets = b""
    for text in texts if isinstance(texts, list) else [texts]:
        raw = text if isinstance(text, bytes) else text.encode("latin-1", "replace")
        pieces = [raw[at:at + 255] for at in range(0, len(raw), 255)] or [b""]
        octets += b"".join(bytes([len(piece)]) + piece for piece in pieces)
    return octets


def rdata(kind, value):
    if kind in ("A", "AAAA"):
        return ipaddress.ip_address(value).packed
    if kind == "MX":
        return struct.pack("!H", value[0]) + wire_name(value[1])
    return strings(value) if kind == "TXT" else wire_name(value)


class ZoneDns:
    """Answers on 127.0.0.1 from `zone`: {name: [(type, value) or "TIMEOUT" or "SERVFAIL", …]}. A question of a name with "TIMEOUT"
    that nothing before it answers gets no answer, one with "SERVFAIL" that error."""

    def __init__(self, zone):
        self.zone = {name.lower().rstrip("."): records for name, records in zone.items()}
        self.asked = []
        self.udp, self.tcp = self._free_port()
        self.port = self.udp.getsockname()[1]
        for serve in (self._serve_udp, self._serve_tcp):
            threading.Thread(target=serve, daemon=True).start()

    @staticmethod
    def _free_port():
        while True:
            tcp = socket.create_server(("127.0.0.1", 0))
            udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            try:
                udp.bind(tcp.getsockname())
                return udp, tcp
            except OSError:
                tcp.close()
                udp.close()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def close(self):
        self.udp.close()
        self.tcp.close()

    def _serve_udp(self):
        while True:
            try:
                packet, peer = self.udp.recvfrom(4096)
            except OSError:
                return
            answer = self.answer(packet)
            with contextlib.suppress(OSError):  # closed meanwhile
                if answer:
                    self.udp.sendto(answer if len(answer) <= 1232 else answer[:2] + b"\x87\x80" + answer[4:6] + b"\0\0\0\0\0\0" + self._question(packet), peer)

    def _serve_tcp(self):
        while True:
            try:
                connection, _ = self.tcp.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):  # who asked may be gone
                head = connection.recv(2)
                if len(head) < 2:  # it only looked whether somebody listens
                    continue
                size = struct.unpack("!H", head)[0]
                answer = self.answer(connection.recv(size))
                if answer:
                    connection.sendall(struct.pack("!H", len(answer)) + answer)

    @staticmethod
    def _question(packet):
        end = packet.index(b"\0", 12) + 5
        return packet[12:end]

    def answer(self, packet):
        question = self._question(packet)
        labels, at = [], 0
        while question[at]:
            labels.append(question[at + 1:at + 1 + question[at]].decode("utf-8", "surrogateescape"))
            at += 1 + question[at]
        name, kind = ".".join(labels).lower(), struct.unpack("!H", question[at + 1:at + 3])[0]
        self.asked.append((name, kind))
        code, records = self._find(name, kind)
        if code is None:
            return None
        answers = b"".join(wire_name(owner) + struct.pack("!HHIH", TYPES[type_], 1, 0, len(data)) + data for owner, type_, data in records)
        return packet[:2] + struct.pack("!HHHHH", 0x8580 | code, 1, len(records), 0, 0) + question + answers

    def _find(self, name, kind):
        records = self.zone.get(name)
        if records is None:
            below = any(other.endswith("." + name) for other in self.zone)
            return (0 if below else 3), []
        found = []
        for record in records:
            if record in ("TIMEOUT", "SERVFAIL"):
                if not found:
                    return (None if record == "TIMEOUT" else 2), []
                break
            type_, value = record
            if TYPES[type_] == kind:
                found.append((name, type_, rdata(type_, value)))
            elif type_ == "CNAME":
                return 0, [(name, type_, rdata(type_, value))]
        return 0, found


def suite_zone(zonedata):
    """A zone of the published suite: SPF stands for TXT, unless the name has a TXT of its own."""
    zone = {}
    for name, records in zonedata.items():
        own_text = any(isinstance(record, dict) and "TXT" in record for record in records)
        out = []
        for record in records:
            if record == "TIMEOUT":
                out.append(record)
                continue
            (kind, value), = record.items()
            if kind == "SPF" and not own_text:
                out.append(("TXT", value))
            elif kind == "TXT" and value == "NONE":
                continue
            elif kind in TYPES:
                out.append((kind, tuple(value) if kind == "MX" else value))
        zone[name] = out
    return zone
