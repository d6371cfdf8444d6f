#include "app/command.h"
#include "app/tool_input.h"
#include "app/tool_message.h"
#include "app/tool_resolver.h"
#include "mailauth/dkim_sign.h"
#include "mailauth/dkim_verify.h"
#include "net/pem.h"

#include <chrono>
#include <cstdio>

#include <boost/json/array.hpp>
#include <fmt/format.h>

namespace thurn::app {

namespace json = boost::json;

namespace {

using mailauth::BodyHasher;
using mailauth::Canonicalization;
using mailauth::DkimVerdict;
using mailauth::MessageHeader;

base::Result<std::vector<DkimVerdict>> verify(const ToolMessage& message, const ToolOptions& options, ToolResolver& resolver) {
    const MessageHeader header{std::string(message.header())};
    BodyHasher hasher;
    mailauth::DkimVerifier verifier(header, hasher, {.now = time_of(options)});
    if (auto answered = resolver.answer_all(verifier); !answered) return base::pass_on(answered);
    hasher.feed(message.body());
    hasher.finish();
    return verifier.take();
}

base::Result<std::string> sign(const ToolMessage& message, const mailauth::PrivateKey& key, mailauth::DkimSignOptions with) {
    const MessageHeader header{std::string(message.header())};
    BodyHasher hasher;
    const mailauth::DkimSigner signer(header, key, hasher, std::move(with));
    hasher.feed(message.body());
    hasher.finish();
    return signer.sign();
}

std::string describe(const DkimVerdict& verdict) {
    std::string line(mailauth::name_of(verdict.result));
    for (const auto& [tag, value] : {std::pair{"d", &verdict.domain}, std::pair{"s", &verdict.selector}, std::pair{"a", &verdict.algorithm},
                                     std::pair{"i", &verdict.identity}, std::pair{"b", &verdict.b_prefix}})
        if (!value->empty()) line += fmt::format(" {}={}", tag, *value);
    if (!verdict.reason.empty()) line += fmt::format(" ({})", verdict.reason);
    return line;
}

json::object answer_of(const std::vector<DkimVerdict>& verdicts) {
    json::array signatures;
    for (const auto& each : verdicts)
        signatures.push_back({{"result", mailauth::name_of(each.result)},
                              {"d", each.domain},
                              {"s", each.selector},
                              {"a", each.algorithm},
                              {"reason", each.reason}});
    return {{"result", mailauth::name_of(mailauth::best_of(verdicts))}, {"signatures", std::move(signatures)}};
}

int verify_lines(const ToolOptions& options) {
    ToolResolver resolver(options.resolver);
    return answer_lines([&](const json::object&, const ToolMessage& message) -> base::Result<json::object> {
        const auto verdicts = verify(message, options, resolver);
        if (!verdicts) return std::unexpected(verdicts.error());
        return answer_of(*verdicts);
    });
}

Canonicalization form_of(std::string_view word) { return word == "simple" ? Canonicalization::simple : Canonicalization::relaxed; }

mailauth::DkimSignOptions sign_options(const ToolOptions& options) {
    return {.domain = options.domain, .selector = options.selector, .now = time_of(options)};
}

/// With `c`, and `h` where it is given.
mailauth::DkimSignOptions sign_options(const ToolOptions& options, const json::object& question) {
    auto with = sign_options(options);
    const std::string forms = text_of(question, "c");
    const auto slash = std::min(forms.find('/'), forms.size());
    with.header = form_of(std::string_view(forms).substr(0, slash));
    with.body = form_of(std::string_view(forms).substr(std::min(slash + 1, forms.size())));
    if (auto fields = field_names_of(question); !fields.empty()) {
        with.fields = std::move(fields);
        with.oversigned.clear();
    }
    return with;
}

int sign_lines(const ToolOptions& options, const mailauth::PrivateKey& key) {
    return answer_lines([&](const json::object& question, const ToolMessage& message) -> base::Result<json::object> {
        const auto field = sign(message, key, sign_options(options, question));
        if (!field) return std::unexpected(field.error());
        return json::object{{"field", *field}};
    });
}

}  // namespace

std::chrono::seconds time_of(const ToolOptions& options) {
    if (options.now) return std::chrono::seconds(*options.now);
    return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch());
}

base::Result<mailauth::PrivateKey> read_key(const ToolOptions& options) {
    auto text = net::load_small_file(options.key_file);
    if (!text) return base::pass_on(text);
    auto key = mailauth::PrivateKey::read(*text);
    if (!key) return base::fail(key.error().kind, fmt::format("{}: {}", options.key_file, key.error().detail));
    return key;
}

int tool_dkim_verify(const ToolOptions& options) {
    if (options.lines) return verify_lines(options);
    ToolResolver resolver(options.resolver);
    const auto verdicts = verify(read_message(), options, resolver);
    if (!verdicts) return complain(verdicts.error());
    print_line(name_of(mailauth::best_of(*verdicts)));
    for (const auto& verdict : *verdicts) print_line(describe(verdict));
    return exit_ok;
}

int tool_dkim_sign(const ToolOptions& options) {
    const auto key = read_key(options);
    if (!key) return complain(key.error());
    if (options.lines) return sign_lines(options, *key);
    const auto message = read_message();
    const auto field = sign(message, *key, sign_options(options));
    if (!field) return complain(field.error());
    print_message(*field, message);
    return exit_ok;
}

}  // namespace thurn::app
