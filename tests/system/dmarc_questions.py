"""Random DMARC records and questions. Seeded."""

import random

import authheaders

DOMAINS = ["example.com", "mail.example.com", "a.b.example.com", "other.net", "x.other.net", "example.co.uk", "m.example.co.uk", "x.y.z.example.co.uk", "gone.example.org"]
SUFFIXES = "/usr/share/publicsuffix/public_suffix_list.dat"


class Questions:
    def __init__(self, seed):
        self.dice = random.Random(seed)
        self.records = {f"_dmarc.{domain}": [("TXT", self.record())] for domain in DOMAINS[:-1] if self.dice.randrange(3)}

    def some(self, *choices):
        return self.dice.choice(choices)

    def record(self):
        tags = [self.some("p=none", "p=reject", "p=quarantine", "P=reject", "p = none")]
        for more in (("sp=none", "sp=reject", "sp=quarantine"), ("adkim=r", "adkim=s"), ("aspf=s", "aspf=r"), ("rua=mailto:a@example.com",), ("pct=50",), ("fo=1",), ("x-y=z",)):
            if self.dice.randrange(3) == 0:
                tags.append(self.some(*more))
        if self.dice.randrange(12) == 0:
            tags[0] = self.some("p=", "p=maybe", "rua=mailto:a@example.com", "q=none")
        return self.some("v=DMARC1; ", "v=DMARC1;", "v=DMARC1 ; ", "v=DMARC1;  ", "v=DMARC2; ", "V=DMARC1; ") .replace("V=", self.some("v=", "V=")) + self.some("; ", ";", " ; ").join(tags) + self.some("", ";", " ")

    def questions(self, count):
        return [{"id": number, "headerFrom": f"anna@{self.some(*DOMAINS)}", "spfDomains": [self.some(*DOMAINS)] if self.dice.randrange(2) else [],
                 "dkimDomains": [self.some(*DOMAINS)] if self.dice.randrange(2) else []} for number in range(count)]


_SUFFIX_LIST = []


def organization(domain):
    if not _SUFFIX_LIST:
        with open(SUFFIXES, encoding="utf-8") as file:
            _SUFFIX_LIST.append(authheaders.dmarc_lookup.PublicSuffixList(file))
    return _SUFFIX_LIST[0].get_public_suffix(domain)


def authheaders_dmarc(records, question):
    """Result and policy that authheaders gives, by the public suffix list."""
    authheaders.get_org_domain = authheaders.dmarc_lookup.get_org_domain = organization
    domain = question["headerFrom"].partition("@")[2]
    spf = [authheaders.SPFAuthenticationResult(result="pass", smtp_mailfrom=f"a@{name}") for name in question["spfDomains"]]
    dkim = [authheaders.DKIMAuthenticationResult(result="pass", header_d=name) for name in question["dkimDomains"]]

    def lookup(name):
        found = records.get(name)
        return found[0][1] if found else None
    try:
        result, _, _, policy = authheaders.dmarc_per_from(domain, *(spf or [None]), *(dkim or [None]), dnsfunc=lookup)
    except Exception as error:
        return "error", f"{type(error).__name__} {error}"
    return result, policy


def records_that_count(records, question):
    domain = question["headerFrom"].partition("@")[2]
    return f"{question} {[records.get(f'_dmarc.{name}') for name in (domain, organization(domain))]}"
