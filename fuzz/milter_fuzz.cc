#include "milter/header.h"
#include "milter/session.h"
#include "require.h"

#include <string>
#include <vector>

using namespace thurn;
using fuzz::require;

namespace {

constexpr milter::Session::Options kLimits{.most_octets = 4096, .changes = 20, .changed_octets = 8192};

/// What a filter says that has agreed on everything, and is asked about the end of a message.
struct Told {
    std::vector<milter::Said> said;
    bool failed = false;
};

Told listen(std::string_view octets, std::size_t cut) {
    milter::Session session(kLimits);
    session.negotiate();
    session.receive({"\0\0\0\x0dO\0\0\0\6\0\0\1\xff\0\0\4\0", 17});
    require(session.next().value().has_value(), "the agreement is one");
    session.end_of_message({});
    Told told;
    for (const auto piece : {octets.substr(0, cut), octets.substr(cut)}) {
        session.receive(piece);
        while (true) {
            auto next = session.next();
            told.failed = !next;
            if (!next || !*next) break;
            const bool ends = std::holds_alternative<milter::Verdict>(**next);
            require(session.waits() != ends, "a verdict ends the step, and nothing else does");
            told.said.push_back(**std::move(next));
        }
    }
    if (told.failed) require(!session.waits(), "what is dead waits for nothing");
    return told;
}

void check_changes(const Told& told) {
    milter::MessageHeader header("A: 1\r\nB: 2\r\n\r\n");
    std::size_t octets = 0;
    for (const auto& said : told.said) {
        if (const auto* change = std::get_if<milter::Change>(&said)) {
            octets += milter::octets_of(*change);
            std::visit(
                [&](const auto& one) {
                    if constexpr (requires { header.apply(one, milter::LeadingSpace::given); })
                        header.apply(one, milter::LeadingSpace::given);
                },
                *change);
        }
        if (const auto* verdict = std::get_if<milter::Verdict>(&said); verdict && verdict->reply) {
            require(verdict->reply->code >= 400 && verdict->reply->code < 600, "a reply refuses");
            for (const auto& line : verdict->reply->lines)
                for (const char c : line) require(c >= ' ' && c <= '~', "a reply is printable");
        }
    }
    require(octets <= kLimits.changed_octets, "changes are bounded");
    const auto text = header.render() + "\r\n";
    require(milter::MessageHeader(text).fields() == header.fields(), "a field stays a field, whatever was put into it");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto input = fuzz::as_text(data, size);
    if (input.empty()) return 0;
    const auto octets = input.substr(1);
    const auto whole = listen(octets, octets.size());
    const auto cut = listen(octets, static_cast<unsigned char>(input[0]) % (octets.size() + 1));
    require(whole.failed == cut.failed && whole.said == cut.said, "the split does not matter");
    check_changes(whole);

    milter::Session fresh(kLimits);
    fresh.negotiate();
    fresh.receive(octets);
    if (const auto next = fresh.next(); next && *next) {
        require(fresh.agreement().version >= 2 && fresh.agreement().version <= 6, "only versions we speak");
        fresh.mail(std::vector<std::string>{"<a@b.example>"}, {{"i", "ID"}});
        require(fresh.take_output().size() < 100, "what is sent depends on us");
    }
    return 0;
}
