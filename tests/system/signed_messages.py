"""Random messages with DKIM signatures of several signers, many of them broken in one place, and the zone with their keys. Seeded."""

import base64
import random
import re

import dkim
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from authentication_tools import sign

DOMAIN = "signed.example"
SIZES = {"s1024": 1024, "s2048": 2048, "s4096": 4096}
FORMS = [f"{header}/{body}" for header in ("simple", "relaxed") for body in ("simple", "relaxed")]


class Keys:
    """A key for each selector, as files, and their records: `zone` by name."""

    def __init__(self, folder):
        self.files, self.dkimpy, self.zone = {}, {}, {}
        for selector, size in SIZES.items():
            self._add(folder, selector, rsa.generate_private_key(public_exponent=65537, key_size=size))
        self._add(folder, "ed", ed25519.Ed25519PrivateKey.generate())
        self._add_variants()

    def _add(self, folder, selector, key):
        pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL if selector != "ed" else serialization.PrivateFormat.PKCS8,
                                serialization.NoEncryption())
        self.files[selector] = folder / f"{selector}.pem"
        self.files[selector].write_bytes(pem)
        self.files[selector].chmod(0o600)
        raw = serialization.Encoding.Raw, serialization.PublicFormat.Raw
        der = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        public = base64.b64encode(key.public_key().public_bytes(*(raw if selector == "ed" else der))).decode()
        if selector == "ed":
            pem = base64.b64encode(key.private_bytes(serialization.Encoding.Raw, serialization.PrivateFormat.Raw, serialization.NoEncryption()))
        self.dkimpy[selector] = pem
        self._put(selector, f"v=DKIM1; k={'ed25519' if selector == 'ed' else 'rsa'}; p={public}")

    def _put(self, selector, record):
        self.zone[f"{selector}._domainkey.{DOMAIN}"] = [record]

    def _add_variants(self):
        """Records of the same key that say it otherwise, or something else. They are found by changing s= after signing: such a signature
        never verifies; or before, where a signer does not look at DNS."""
        record = self.zone[f"s1024._domainkey.{DOMAIN}"][0]
        public = record.partition("p=")[2]
        for name, text in {"short": f"p={public}", "spaces": f" v = DKIM1 ;\t k = rsa; p = {public[:40]} {public[40:80]}\t{public[80:]} ;", "testing": f"v=DKIM1; t=y; p={public}",
                           "strict": f"v=DKIM1; t=s; p={public}", "notes": f"v=DKIM1; n=a note; x-other=1; g=*; p={public}", "mail": f"v=DKIM1; s=email; p={public}",
                           "chat": f"v=DKIM1; s=chat; p={public}", "both": f"v=DKIM1; s=chat:email; h=sha1:sha256; p={public}", "sha1": f"v=DKIM1; h=sha1; p={public}",
                           "revoked": "v=DKIM1; p=", "kind": f"v=DKIM1; k=dsa; p={public}", "version": f"v=DKIM2; p={public}", "garbage": "v=DKIM1; p=!!!!",
                           "last": f"p={public}; v=DKIM1", "twice": f"v=DKIM1; p={public}; p={public}", "empty": ""}.items():
            self.files[name], self.dkimpy[name] = self.files["s1024"], self.dkimpy["s1024"]
            self._put(name, text)

    def lookup(self, name, timeout=5):
        """As dkimpy asks."""
        records = self.zone.get(name.decode().rstrip(".").lower())
        return records[0].encode() if records else None


class Messages:
    def __init__(self, seed, keys):
        self.dice, self.keys = random.Random(seed), keys

    def some(self, *choices):
        return self.dice.choice(choices)

    def rarely(self, one_in):
        return self.dice.randrange(one_in) == 0

    # What is signed

    def words(self, count):
        spaces = (b" ", b" ", b" ", b"  ", b"\t", b" \t ", b"\r\n ", b"\r\n\t ", b" \r\n  ")
        words = (b"one", b"Two", b"three,", "vier\u00e4".encode(), b"f\xfcnf", b"<a@b.example>", b";", b"=", b"b=x;", b".", b"x" * 90)
        return b"".join(self.some(*words) + self.some(*spaces) for _ in range(count))

    def header(self):
        names = [b"Subject", b"To", b"cc", b"Message-ID", b"MIME-Version", b"References", b"List-Id", b"X-Other", b"Received", b"Received", b"x-other", b"Comments"]
        self.dice.shuffle(names)
        fields = [name + self.some(b":", b": ", b":  ", b":\t") + (self.words(self.dice.randrange(1, 12)).rstrip() or b"x") + self.some(b"", b"", b" ", b"\t") + b"\r\n"
                  for name in names[:self.dice.randrange(12)]]
        if self.rarely(12):
            fields.append(self.some(b"Empty:\r\n", b"Empty: \r\n", b"Long: " + b"y" * 3000 + b"\r\n", b"Folded:\r\n x\r\n"))
        for field in (b"From: Anna <anna@signed.example>\r\n", b"Date: Thu, 19 Nov 2026 15:00:01 +0100\r\n"):  # opendkim wants one of each
            fields.insert(self.dice.randrange(len(fields) + 1), field)
        return b"".join(fields)

    def body(self):
        ends = (b"\r\n", b"\r\n", b"\r\n", b" \r\n", b"\t\r\n", b"\r\n\r\n", b"\r\n \r\n")
        lines = [self.words(self.dice.randrange(8)).replace(b"\r\n", b"") + self.some(*ends) for _ in range(self.some(0, 1, 3, 8, 20))]
        return b"".join(lines) + self.some(b"", b"", b"end", b"\r\n\r\n\r\n", b"z" * 2000 + b"\r\n")

    def message(self):
        return self.header() + b"\r\n" + self.body()

    # Signing

    def signed_by_dkimpy(self, message):
        selector = self.some("s1024", "s1024", "s2048", "ed", "ed", *([self.some("s4096")] if self.rarely(4) else ["s1024"]),
                             *([name for name in self.keys.dkimpy if name not in SIZES and name != "ed"] if self.rarely(2) else ["s2048"]))
        more = {}
        if self.rarely(5):
            more["length"] = True
        if self.rarely(5):
            more["identity"] = self.some(b"anna@signed.example", b"@sub.signed.example", b"a=20b@signed.example")
        if self.rarely(4):
            more["include_headers"] = [b"from"] + [name for name in (b"subject", b"to", b"received", b"received", b"x-other", b"x-missing", b"from", b"date") if self.rarely(2)]
        form = self.some(*FORMS).split("/")
        signer = dkim.DKIM(message, signature_algorithm=b"ed25519-sha256" if selector == "ed" else b"rsa-sha256")
        signer.should_not_sign = set()
        return signer.sign(selector.encode(), DOMAIN.encode(), self.keys.dkimpy[selector], canonicalize=tuple(part.encode() for part in form), **more) + message

    # Breaking

    def broken(self, message):
        return self.some(self.octet_changed, self.octet_changed, self.octet_changed, self.tag_changed, self.tag_changed, self.line_changed)(message)

    def octet_changed(self, message):
        at = self.dice.randrange(len(message))
        old = message[at:at + 1]
        if old in b"\r\n":
            return message
        new = self.some(b"x", b" ", b"A", b"0", old.swapcase(), b"", old + b" ", old + old)
        return message[:at] + new + message[at + 1:]

    def tag_changed(self, message):
        field, rest = split_field(message)
        old, new = self.some((b"; ", b";"), (b";", b" ; "), (b"=", b" = "), (b"v=1", b"v=2"), (b"v=1", b"v=01"), (b"a=", b"A="), (b"d=signed.example", b"d=example"), (b"d=signed.example", b"d=SIGNED.example"),
                             (b"d=signed", b"d=sub.signed"), (b"q=dns/txt", b"q=dns"), (b"q=dns/txt; ", b""), (b"; t=", b"; t=9"), (b"; t=", b"; x=1; t="), (b"; t=", b"; z=From:a; y-1=b; t="),
                             (b"; t=", b"; t=1; t="), (b"h=", b"h=:"), (b"h=", b"h="), (b"c=", b"c=x"), (b"bh=", b"bh=A"), (b"bh=", b"bh==="), (b"; b=", b"; b=="), (b"; b=", b"; b=\r\n "), (b"; b=", b"; b= "),
                             (b"rsa-sha256", b"rsa-sha1"), (b"rsa-sha256", b"rsa-sha512"), (b"s=s", b"s=t"), (b"s=s1024", b"s=s2048"), (b"; s=", b"; S="), (b"; l=", b"; l=9"), (b"; l=", b"; l=x"))
        return (field.replace(old, new, 1) if old in field else field + b"") + rest

    def line_changed(self, message):
        header, gap, body = message.partition(b"\r\n\r\n")
        kind = self.dice.randrange(7)
        if kind == 0:
            return header + gap + body + b"added\r\n"
        if kind == 1:
            return header + gap + body + b"\r\n\r\n"
        if kind == 2:
            return header + self.some(b"\r\nX-Other: added", b"\r\nSubject: added", b"\r\nFrom: b@signed.example") + gap + body
        if kind == 3:
            return self.some(b"X-Other: added\r\n", b"Subject: added\r\n", b"Received: added\r\n") + message
        if kind == 4:
            return header.replace(b"\r\nSubject:", b"\r\nSUBJECT :", 1) + gap + body
        if kind == 5:
            return header + gap + body.replace(b" ", b"  ", 1)
        return header + gap + body[:-2]


def split_field(message):
    """The first field, and what is behind it."""
    end = re.search(rb"\r\n(?![ \t])", message).end()
    return message[:end], message[end:]


def generate(seed, count, keys):
    """`count` messages: signed by thurn or by dkimpy, by one or several, a good half of them changed after that."""
    source = Messages(seed, keys)
    plain = [source.message() for _ in range(count)]
    chosen = [source.some("s1024", "s1024", "s2048", "ed", "ed") for _ in plain]
    by_thurn = [source.some(True, False) for _ in plain]
    forms = [source.some(*FORMS) for _ in plain]
    signed = list(plain)
    for selector in set(chosen):
        for form in FORMS:
            numbers = [n for n in range(count) if by_thurn[n] and chosen[n] == selector and forms[n] == form]
            for number, field in zip(numbers, sign([plain[n] for n in numbers], DOMAIN, selector, keys.files[selector], c=form)):
                signed[number] = field + plain[number]
    for number in range(count):
        if not by_thurn[number] or source.rarely(6):
            for _ in range(source.some(1, 1, 1, 2, 3)):
                signed[number] = source.signed_by_dkimpy(signed[number])
        if not source.rarely(3):
            for _ in range(source.some(1, 1, 1, 2)):
                signed[number] = source.broken(signed[number])
    return signed


class Chains:
    """Messages with ARC chains of up to three sets, each by thurn or by dkimpy; a good half of them changed afterwards."""

    def __init__(self, seed, keys, tools):
        self.source, self.keys, self.tools = Messages(seed, keys), keys, tools
        self.dice = self.source.dice

    def generate(self, count):
        messages = [self.source.message() for _ in range(count)]
        lengths = [self.dice.choice((0, 1, 1, 2, 2, 3)) for _ in messages]
        for hop in range(1, 4):
            mine, theirs = [], []
            for number in range(count):
                if lengths[number] >= hop:
                    self.dice.choice((mine, theirs)).append(number)
            sealed = self.tools.seal([messages[number] for number in mine], DOMAIN, "s1024", self.keys.files["s1024"], "--authserv-id", "thurn.example")
            for number, answer in zip(mine, sealed):
                messages[number] = answer["fields"].encode() + messages[number]
            for number in theirs:
                messages[number] = self.sealed_by_dkimpy(messages[number], b"none" if hop == 1 else b"pass")
        return [message if self.source.rarely(3) else self.changed(message) for message in messages]

    def sealed_by_dkimpy(self, message, chain):
        results = b"Authentication-Results: dkimpy.example; spf=pass smtp.mailfrom=b.example;\r\n arc=" + chain + b"\r\n"
        return b"".join(dkim.arc_sign(results + message, b"s1024", DOMAIN.encode(), self.keys.dkimpy["s1024"], b"dkimpy.example")) + message

    def changed(self, message):
        old, new = self.source.some((b"cv=pass", b"cv=none"), (b"cv=none", b"cv=pass"), (b"cv=pass", b"cv=fail"), (b"i=1", b"i=2"), (b"i=2", b"i=1"), (b"i=2", b"i=3"), (b"i=1", b"i=0"), (b"ARC-Seal:", b"X-Seal:"),
                                    (b"ARC-Message-Signature:", b"X-Signature:"), (b"ARC-Authentication-Results:", b"X-Results:"), (b"ARC-Seal:", b"ARC-SEAL:"), (b"spf=pass", b"spf=fail"), (b"a=rsa-sha256", b"a=rsa-sha1"),
                                    (b"d=signed", b"d=other"), (b"s=s1024", b"s=s2048"), (b"s=s1024", b"s=revoked"), (b"; b=", b"; b=A"), (b"h=", b"h=arc-seal:"), (b"; d=", b";  d="), (b"t=1", b"t=2"),
                                    (b"From: Anna", b"From: Mallory"), (b"\r\n\r\n", b"\r\n\r\nadded\r\n"))
        if old not in message or self.source.rarely(3):
            return self.source.octet_changed(message)
        parts = message.split(old)
        at = self.dice.randrange(1, len(parts))
        return old.join(parts[:at]) + new + old.join(parts[at:])
