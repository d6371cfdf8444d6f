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

namespace json = boost::json;

namespace {

using mailauth::ArcVerdict;
using mailauth::BodyHasher;
using mailauth::MessageHeader;

/// What the message's own Authentication-Results of that id say, all in one.
mailauth::AuthenticationResults gather_results(const MessageHeader& header, const std::string& id) {
    mailauth::AuthenticationResults all{.authserv_id = id};
    for (const std::size_t field : header.named("authentication-results")) {
        auto read = mailauth::parse_authentication_results(header.fields()[field].value);
        if (!read || !base::equal_ignoring_case(read->authserv_id, id)) continue;
        std::ranges::move(read->results, std::back_inserter(all.results));
    }
    return all;
}

/// The chain counts for what our own results say it was when the message came: a list has changed it since, and seals what it saw then
/// (RFC 8617 §5.1). Where they do not say, what came of it now is added to them.
void settle_chain(ArcVerdict& chain, mailauth::AuthenticationResults& results) {
    const auto told = std::ranges::find(results.results, "arc", &mailauth::AuthenticationResult::method);
    if (told == results.results.end()) {
        results.results.push_back({.method = "arc", .result = std::string(name_of(chain.result)), .reason = chain.reason});
        return;
    }
    if (chain.links.empty()) return;  // none, or none that could be read
    chain.result = told->result == "pass" ? mailauth::ArcResult::pass : mailauth::ArcResult::fail;
}

/// Validates with the hasher, which another may use too.
base::Result<ArcVerdict> validate(mailauth::ArcVerifier& verifier, BodyHasher& hasher, const ToolMessage& message, ToolResolver& resolver) {
    if (auto answered = resolver.answer_all(verifier); !answered) return base::pass_on(answered);
    hasher.feed(message.body());
    hasher.finish();
    return verifier.take();
}

base::Result<ArcVerdict> verify(const ToolMessage& message, const ToolOptions& options, ToolResolver& resolver) {
    const MessageHeader header{std::string(message.header())};
    BodyHasher hasher;
    mailauth::ArcVerifier verifier(header, hasher, {.now = time_of(options)});
    return validate(verifier, hasher, message, resolver);
}

int verify_lines(const ToolOptions& options, ToolResolver& resolver) {
    return answer_lines([&](const json::object&, const ToolMessage& message) -> base::Result<json::object> {
        const auto chain = verify(message, options, resolver);
        if (!chain) return std::unexpected(chain.error());
        return json::object{{"result", name_of(chain->result)}, {"reason", chain->reason}, {"oldest-pass", chain->oldest_pass}};
    });
}

mailauth::ArcSealOptions seal_options(const ToolOptions& options) {
    return {.domain = options.domain, .selector = options.selector, .now = time_of(options)};
}

base::Result<std::string> seal(const ToolMessage& message, const mailauth::PrivateKey& key, mailauth::ArcSealOptions with,
                               const ToolOptions& options, ToolResolver& resolver) {
    const MessageHeader header{std::string(message.header())};
    BodyHasher hasher;
    mailauth::ArcVerifier verifier(header, hasher, {.now = time_of(options)});
    const mailauth::ArcSealer sealer(header, key, hasher, std::move(with));
    auto chain = validate(verifier, hasher, message, resolver);
    if (!chain) return std::unexpected(chain.error());
    auto results = gather_results(header, options.authserv_id.empty() ? options.domain : options.authserv_id);
    settle_chain(*chain, results);
    return sealer.seal(*chain, render_authentication_results(results));
}

int seal_lines(const ToolOptions& options, const mailauth::PrivateKey& key, ToolResolver& resolver) {
    return answer_lines([&](const json::object& question, const ToolMessage& message) -> base::Result<json::object> {
        auto with = seal_options(options);
        if (auto fields = field_names_of(question); !fields.empty()) {
            with.fields = std::move(fields);
            with.oversigned.clear();
        }
        const auto set = seal(message, key, std::move(with), options, resolver);
        if (!set) return std::unexpected(set.error());
        return json::object{{"fields", *set}};
    });
}

}  // namespace

int tool_arc_verify(const ToolOptions& options) {
    ToolResolver resolver(options.resolver);
    if (options.lines) return verify_lines(options, resolver);
    const auto chain = verify(read_message(), options, resolver);
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
    ToolResolver resolver(options.resolver);
    if (options.lines) return seal_lines(options, *key, resolver);
    const auto message = read_message();
    const auto set = seal(message, *key, seal_options(options), options, resolver);
    if (!set) return complain(set.error());
    print_message(*set, message);
    return exit_ok;
}

}  // namespace thurn::app
