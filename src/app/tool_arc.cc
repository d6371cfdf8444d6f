#include "app/command.h"
#include "app/tool_message.h"
#include "app/tool_resolver.h"
#include "base/ascii.h"
#include "mailauth/arc_seal.h"
#include "mailauth/arc_verify.h"
#include "mailauth/authentication_results.h"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

namespace thurn::app {
namespace {

using mailauth::ArcVerdict;
using mailauth::BodyHasher;
using mailauth::MessageHeader;

/// What the message's own Authentication-Results of that id say, all in one; and what came of the chain, where they do not say.
std::string gather_results(const MessageHeader& header, const std::string& id, const ArcVerdict& chain) {
    mailauth::AuthenticationResults all{.authserv_id = id};
    for (const std::size_t field : header.named("authentication-results")) {
        auto read = mailauth::parse_authentication_results(header.fields()[field].value);
        if (!read || !base::equal_ignoring_case(read->authserv_id, id)) continue;
        std::ranges::move(read->results, std::back_inserter(all.results));
    }
    if (std::ranges::find(all.results, "arc", &mailauth::AuthenticationResult::method) == all.results.end())
        all.results.push_back({.method = "arc", .result = std::string(name_of(chain.result)), .reason = chain.reason});
    return render_authentication_results(all);
}

/// Validates with the hasher, which another may use too.
base::Result<ArcVerdict> validate(mailauth::ArcVerifier& verifier, BodyHasher& hasher, const ToolMessage& message,
                                  const ToolOptions& options) {
    ToolResolver resolver(options.resolver);
    if (auto answered = resolver.answer_all(verifier); !answered) return base::pass_on(answered);
    hasher.feed(message.body());
    hasher.finish();
    return verifier.take();
}

}  // namespace

int tool_arc_verify(const ToolOptions& options) {
    const auto message = read_message();
    const MessageHeader header{std::string(message.header())};
    BodyHasher hasher;
    mailauth::ArcVerifier verifier(header, hasher, {.now = time_of(options)});
    const auto chain = validate(verifier, hasher, message, options);
    if (!chain) return complain(chain.error());
    print_line(name_of(chain->result));
    if (!chain->reason.empty()) print_line(chain->reason);
    if (chain->result == mailauth::ArcResult::pass) print_line(fmt::format("oldest-pass={}", chain->oldest_pass));
    for (std::size_t i = 0; i < chain->links.size(); ++i)
        print_line(fmt::format("i={} d={} s={}", i + 1, chain->links[i].domain, chain->links[i].selector));
    return exit_ok;
}

int tool_arc_seal(const ToolOptions& options) {
    const auto key = read_key(options);
    if (!key) return complain(key.error());
    const auto message = read_message();
    const MessageHeader header{std::string(message.header())};
    BodyHasher hasher;
    mailauth::ArcVerifier verifier(header, hasher, {.now = time_of(options)});
    const mailauth::ArcSealer sealer(header, *key, hasher,
                                     {.domain = options.domain, .selector = options.selector, .now = time_of(options)});
    const auto chain = validate(verifier, hasher, message, options);
    if (!chain) return complain(chain.error());
    const std::string& id = options.authserv_id.empty() ? options.domain : options.authserv_id;
    const auto set = sealer.seal(*chain, gather_results(header, id, *chain));
    if (!set) return complain(set.error());
    print_message(*set, message);
    return exit_ok;
}

}  // namespace thurn::app
