#include "policy/fact.h"

#include "base/ascii.h"

#include <algorithm>

#include <fmt/format.h>

namespace thurn::policy {

namespace {

constexpr auto kLast = Stage::content;

constexpr FactKind kKinds[] = {
    {"authenticated", FactType::flag, Stage::connect, kLast, false, "the client has logged in"},
    {"author", FactType::text, Stage::content, kLast, false, "address in From; empty where there is not one author"},
    {"author.domain", FactType::text, Stage::content, kLast, false, "domain of the address in From"},
    {"author.ours", FactType::flag, Stage::content, kLast, true, "the author's domain is one of ours"},
    {"body", FactType::texts, Stage::content, kLast, true, "its text parts, decoded, in UTF-8", true},
    {"arc", FactType::text, Stage::content, kLast, false, "none, pass or fail"},
    {"archive.broken", FactType::text, Stage::content, kLast, true,
     "the first archive that could not be read to its end, and why; empty: none"},
    {"archive.count", FactType::number, Stage::content, kLast, true, "files in archives, and in archives within them"},
    {"archive.depth", FactType::number, Stage::content, kLast, true, "how deep archives lie within each other; 1: an archive with files"},
    {"archive.encrypted", FactType::text, Stage::content, kLast, true,
     "the first file in an archive that is under a password; empty: none"},
    {"archive.excess", FactType::text, Stage::content, kLast, true,
     "the first archive that is beyond a limit of [attachments], and which; empty: none"},
    {"archive.executable", FactType::text, Stage::content, kLast, true,
     "the first program in an archive, and what made it one; empty: none"},
    {"archive.extensions", FactType::texts, Stage::content, kLast, true, "what stands behind the last dots of names in archives"},
    {"archive.kinds", FactType::texts, Stage::content, kLast, true, "what files in archives are by their content"},
    {"archive.macros", FactType::text, Stage::content, kLast, true, "the first document with macros in an archive; empty: none"},
    {"archive.names", FactType::texts, Stage::content, kLast, true, "names of files in archives: `a.zip/b.zip/c.txt`"},
    {"archive.size", FactType::number, Stage::content, kLast, true, "octets that archives held, unpacked"},
    {"attachment.count", FactType::number, Stage::content, kLast, true, "files that come with the message"},
    {"attachment.encrypted", FactType::text, Stage::content, kLast, true, "the first document or ZIP file under a password; empty: none"},
    {"attachment.executable", FactType::text, Stage::content, kLast, true, "the first program, and what made it one; empty: none"},
    {"attachment.extensions", FactType::texts, Stage::content, kLast, true,
     "what stands behind the last dots of their names, in lower case"},
    {"attachment.kinds", FactType::texts, Stage::content, kLast, true, "what they are by their content"},
    {"attachment.macros", FactType::text, Stage::content, kLast, true, "the first document with macros; empty: none"},
    {"attachment.names", FactType::texts, Stage::content, kLast, true, "all names that some mail program gives them"},
    {"attachment.size", FactType::number, Stage::content, kLast, true, "octets of the largest, decoded"},
    {"attachment.types", FactType::texts, Stage::content, kLast, true, "their media types, as declared"},
    {"client.address", FactType::address, Stage::connect, kLast, false, "the client's IP address"},
    {"client.country", FactType::text, Stage::connect, kLast, false,
     "the country it is in by `geoip.file`, in two letters: `DE`; empty: in none that is known"},
    {"client.name", FactType::text, Stage::connect, kLast, true, "its host name, if that leads back to the address; else empty"},
    {"client.network", FactType::text, Stage::connect, kLast, false, "the network that counts as one client: the address, or its /64"},
    {"client.stranger", FactType::flag, Stage::connect, kLast, false, "neither logged in nor of relay.networks"},
    {"client.subnet", FactType::text, Stage::connect, kLast, false, "its /24, or of an IPv6 address its /64: `192.0.2.0/24`"},
    {"client.tls", FactType::text, Stage::connect, kLast, false,
     "version and cipher, and `, client certificate verified` where it was; empty without TLS"},
    {"dkim", FactType::texts, Stage::content, kLast, false, "domains whose signatures hold"},
    {"dmarc", FactType::text, Stage::content, kLast, false, "none, pass, fail, temperror or permerror"},
    {"dmarc.policy", FactType::text, Stage::content, kLast, false, "what the author's domain asks for: none, quarantine or reject"},
    {"dnsbl.*", FactType::number, Stage::connect, kLast, true, "what the list of that name says of whom it is about; 0: not listed"},
    {"dnsbl_score", FactType::number, Stage::connect, kLast, true, "the sum of all lists about the client's address"},
    {"greylist_wait", FactType::number, Stage::rcpt, Stage::rcpt, true, "seconds that greylisting has sender and recipient wait; 0: none"},
    {"header.*", FactType::texts, Stage::content, kLast, false, "bodies of the header fields of that name, encoded words read"},
    {"helo", FactType::text, Stage::helo, kLast, false, "what the client called itself"},
    {"helo.exists", FactType::flag, Stage::helo, kLast, true, "the name has an address; a literal counts as one"},
    {"helo.is_client", FactType::flag, Stage::helo, kLast, true, "the name has the client's address, or is its literal"},
    {"helo.is_literal", FactType::flag, Stage::helo, kLast, false, "an address in brackets"},
    {"helo.is_name", FactType::flag, Stage::helo, kLast, false, "a host name of two labels or more"},
    {"helo.ours", FactType::flag, Stage::helo, kLast, false, "the client calls itself by our own host name"},
    {"listener", FactType::text, Stage::connect, kLast, false, "mx, submission, submissions or lmtp"},
    {"listener.port", FactType::number, Stage::connect, kLast, false, "the port that the client came to"},
    {"login", FactType::text, Stage::connect, kLast, false, "who logged in; empty for nobody"},
    {"part_count", FactType::number, Stage::content, kLast, true, "parts the message is made of"},
    {"part_depth", FactType::number, Stage::content, kLast, true, "how deep they lie within each other; 0: it is one part"},
    {"part_faults", FactType::texts, Stage::content, kLast, true, "what in its structure mail programs read in different ways"},
    {"recipient", FactType::text, Stage::rcpt, Stage::rcpt, false, "the address of RCPT"},
    {"recipient.domain", FactType::text, Stage::rcpt, Stage::rcpt, false, "its domain"},
    {"recipient.exists", FactType::flag, Stage::rcpt, Stage::rcpt, true, "somebody has it; of a relayed domain, its next hop is asked"},
    {"recipient.kind", FactType::text, Stage::rcpt, Stage::rcpt, false, "account, alias, unknown, relayed or foreign"},
    {"recipient_count", FactType::number, Stage::rcpt, kLast, false, "recipients accepted so far"},
    {"recipients", FactType::texts, Stage::data, kLast, false, "addresses of all recipients"},
    {"score", FactType::number, Stage::connect, kLast, false, "what the rules have added by now"},
    {"sender", FactType::text, Stage::mail, kLast, false, "the reverse path; empty for a bounce"},
    {"sender.domain", FactType::text, Stage::mail, kLast, false, "its domain"},
    {"sender.exists", FactType::flag, Stage::mail, kLast, true, "mail to its domain could be delivered: MX or address, and no null MX"},
    {"sender.ours", FactType::flag, Stage::mail, kLast, true, "its domain is one of ours"},
    {"size", FactType::number, Stage::mail, kLast, false, "octets: before the content, what SIZE said (0: nothing)"},
    {"spam", FactType::flag, Stage::content, kLast, true, "the spam scanner's score reaches its threshold"},
    {"spam_rules", FactType::texts, Stage::content, kLast, true, "names of the spam scanner's rules that applied"},
    {"spam_score", FactType::number, Stage::content, kLast, true, "the spam scanner's score"},
    {"spf", FactType::text, Stage::mail, kLast, true, "the result of RFC 7208 for the reverse path; of a bounce, for the client's name"},
    {"spf.domain", FactType::text, Stage::mail, kLast, false,
     "the domain that `spf` is about: of the reverse path; of a bounce, the client's name"},
    {"tags", FactType::texts, Stage::connect, kLast, false, "what the rules have tagged by now"},
    {"test_pattern", FactType::text, Stage::content, kLast, true, "gtube or eicar: it holds what scanners are tested with; empty: neither"},
    {"time.hour", FactType::number, Stage::connect, kLast, false, "the hour of the day in the server's time zone, 0 to 23"},
    {"time.weekday", FactType::text, Stage::connect, kLast, false, "the day of the week there: monday, tuesday, …"},
    {"virus", FactType::text, Stage::content, kLast, true, "the virus scanner's name of what it found; empty: nothing"},
};

constexpr std::size_t kLongest = 200;

std::string render_text(std::string_view text) {
    std::string shown = "\"";
    for (const char c : text.substr(0, kLongest)) shown += base::is_printable(c) || !base::is_ascii(c) ? c : '?';
    return shown + (text.size() > kLongest ? "…\"" : "\"");
}

struct Renderer {
    std::string operator()(const Unavailable& value) const { return fmt::format("unavailable ({})", value.why); }
    std::string operator()(bool value) const { return value ? "true" : "false"; }
    std::string operator()(double value) const { return fmt::format("{:g}", value); }
    std::string operator()(const std::string& value) const { return render_text(value); }
    std::string operator()(const Texts& values) const {
        std::string shown = "[";
        for (const auto& value : values) {
            if (shown.size() > kLongest) return shown + ", …]";
            shown += (shown.size() > 1 ? ", " : "") + render_text(value);
        }
        return shown + "]";
    }
};

}  // namespace

std::span<const FactKind> fact_kinds() { return kKinds; }

const FactKind* find_fact_kind(std::string_view name) {
    const auto fits = [name](const FactKind& kind) {
        if (!kind.name.ends_with('*')) return base::equal_ignoring_case(kind.name, name);
        const auto stem = kind.name.substr(0, kind.name.size() - 1);
        return name.size() > stem.size() && base::equal_ignoring_case(name.substr(0, stem.size()), stem);
    };
    const auto found = std::ranges::find_if(kKinds, fits);
    return found == std::end(kKinds) ? nullptr : found;
}

std::string_view Fact::argument() const {
    if (!kind->name.ends_with('*')) return {};
    return std::string_view(name).substr(kind->name.size() - 1);
}

std::string render_fact(const FactValue& value) { return std::visit(Renderer{}, value); }

}  // namespace thurn::policy
