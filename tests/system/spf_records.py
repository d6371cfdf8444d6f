"""Random SPF records of a few domains that refer to each other, some of them broken, and requests. Seeded. One name server plays the zone."""

import random
import socket

import spf

DOMAINS = [f"d{number}.example" for number in range(8)]
ADDRESSES = ["192.0.2.1", "192.0.2.65", "198.51.100.7", "203.0.113.9", "10.1.2.3", "2001:db8::1", "2001:db8:1::5", "::ffff:192.0.2.1"]
SENDERS = ["anna", "a+b", "Bob.Smith", "x-y-z", "postmaster", ""]


class Zone:
    def __init__(self, seed):
        self.dice = random.Random(seed)
        self.records = {}
        for domain in DOMAINS:
            self.records[domain] = self.of_domain(domain)
            for name in (f"mx.{domain}", f"a.{domain}", f"anna.{domain}", f"1.{domain}"):
                if self.dice.randrange(4):
                    self.records[name] = self.addresses()
        for address in ADDRESSES[:5]:
            name = ".".join(reversed(address.split("."))) + ".in-addr.arpa"
            self.records[name] = [("PTR", self.some("a.", "mx.", "") + self.some(*DOMAINS)) for _ in range(self.some(0, 1, 1, 2))]

    def some(self, *choices):
        return self.dice.choice(choices)

    def rarely(self, one_in):
        return self.dice.randrange(one_in) == 0

    def addresses(self):
        found = [("A", self.some(*ADDRESSES[:5])) for _ in range(self.some(0, 1, 1, 2))] + [("AAAA", self.some(*ADDRESSES[5:7])) for _ in range(self.some(0, 0, 1))]
        return found

    def of_domain(self, domain):
        found = self.addresses() + [("MX", (10 * number, self.some("mx.", "a.", "gone.") + self.some(domain, *DOMAINS))) for number in range(self.some(0, 1, 2))]
        if not self.rarely(10):
            found.append(("TXT", self.record(domain)))
        if self.rarely(15):
            found.append(("TXT", self.some("v=spf1 -all", "unrelated text", "v=spf10 +all")))
        if self.rarely(25):
            found.insert(0, "SERVFAIL")
        return found

    def record(self, domain):
        terms = [self.some("", "", "", "+", "-", "~", "?") + self.mechanism(domain) for _ in range(self.some(0, 1, 2, 3, 5))]
        if self.rarely(3):
            terms.append(self.some("redirect=", "redirect=", "exp=", "Redirect=", "x-other=", "x_y.z=") + self.some(*DOMAINS, "%{d2}", "gone.example", "%{x}"))
        self.dice.shuffle(terms)
        if not self.rarely(3):
            terms.append(self.some("-all", "~all", "?all", "+all", "all", "-ALL"))
        if self.rarely(12):
            terms.insert(self.dice.randrange(len(terms) + 1), self.some("a:", "ip4:1.2.3", "ip4:192.0.2.0/33", "ip6:::1/129", "ip4:192.0.2.1/08", "a/24//129", "mx//", "include", "exists", "all:x", "all/8",
                                                                       "ptr/24", "foo", "foo:bar", "a:%", "a:%{d", "a:%%x.example", "=x", "-", "redirect=d1.example", "a:d1.example.", "a:x..example",
                                                                       "ip6:192.0.2.1", "ip4:::1", "a:%{i}", "a:1.2.3.4", "a:localhost", "a:b@c.example", "include:%{d}/24", "exp=%(d)"))
        return self.some("v=spf1 ", "v=spf1 ", "v=spf1 ", "V=SPF1 ", "v=spf1  ") + self.some(" ", " ", "  ").join(terms) + self.some("", "", " ")

    def name(self, domain):
        return self.some(domain, *DOMAINS, "a." + domain, "gone.example", "%{l}.%{d}", "%{d}", "a.%{o}", "%{lr-}.%{d}", "%{l1r+}.%{d2}", "%{ir}.%{v}.arpa", "a.%{h}", "%{i}.d1.example", "%{S}", "%{d1r}.example")

    def mechanism(self, domain):
        length = self.some("", "", "", "/24", "/32", "/0", "/24//64", "//32")
        return self.some(lambda: "a" + length, lambda: f"a:{self.name(domain)}{length}", lambda: "mx" + length, lambda: f"mx:{self.name(domain)}{length}",
                         lambda: f"include:{self.name(domain)}", lambda: f"include:{self.some(*DOMAINS)}", lambda: f"exists:{self.name(domain)}", lambda: "ptr", lambda: f"ptr:{self.some(*DOMAINS)}",
                         lambda: f"ip4:{self.some('192.0.2.0', '192.0.2.65', '10.0.0.0', '203.0.113.9')}{self.some('', '/24', '/8', '/32', '/31')}",
                         lambda: f"ip6:{self.some('2001:db8::', '2001:db8::1', '::ffff:192.0.2.1')}{self.some('', '/32', '/64', '/128')}")()

    def requests(self, count):
        made = []
        for number in range(count):
            local, domain = self.some(*SENDERS), self.some(*DOMAINS, "gone.example")
            made.append({"id": number, "ip": self.some(*ADDRESSES), "helo": self.some("a.", "", "mx.") + self.some(*DOMAINS), "mailfrom": f"{local}@{domain}" if local else ""})
        return made


def pyspf(zone, request):
    """The result pyspf gives."""
    records = {name.lower(): found for name, found in zone.records.items()}

    def lookup(name, kind, strict=True, timeout=None, level=0):
        if any(len(label) > 63 for label in name.split(".")):
            raise spf.TempError("DNS label too long")
        for record in records.get(name.rstrip(".").lower(), []):
            if record == "SERVFAIL":
                raise spf.TempError("DNS timeout")
            type_, value = record
            if type_ == kind:
                yield (name, kind), {"TXT": lambda v: (v.encode(),), "AAAA": lambda v: socket.inet_pton(socket.AF_INET6, v)}.get(kind, lambda v: v)(value)
    spf.DNSLookup = lookup
    asked = spf.query(request["ip"], request["mailfrom"], request["helo"], strict=True)
    asked.set_default_explanation("")
    result, _, text = asked.check()
    return result, text
