#include "app/command.h"
#include "app/tool_message.h"
#include "app/tool_resolver.h"
#include "mailauth/dkim_sign.h"
#include "mailauth/dkim_verify.h"
#include "net/pem.h"

#include <chrono>

#include <fmt/format.h>

namespace thurn::app {
namespace {

using mailauth::BodyHasher;
using mailauth::DkimVerdict;
using mailauth::MessageHeader;

std::string describe(const DkimVerdict& verdict) {
    std::string line(mailauth::name_of(verdict.result));
    for (const auto& [tag, value] : {std::pair{"d", &verdict.domain}, std::pair{"s", &verdict.selector}, std::pair{"a", &verdict.algorithm},
                                     std::pair{"i", &verdict.identity}, std::pair{"b", &verdict.b_prefix}})
        if (!value->empty()) line += fmt::format(" {}={}", tag, *value);
    if (!verdict.reason.empty()) line += fmt::format(" ({})", verdict.reason);
    return line;
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
    const auto message = read_message();
    const MessageHeader header{std::string(message.header())};
    BodyHasher hasher;
    mailauth::DkimVerifier verifier(header, hasher, {.now = time_of(options)});
    ToolResolver resolver(options.resolver);
    if (auto answered = resolver.answer_all(verifier); !answered) return complain(answered.error());
    hasher.feed(message.body());
    hasher.finish();
    const auto verdicts = verifier.take();
    print_line(name_of(mailauth::best_of(verdicts)));
    for (const auto& verdict : verdicts) print_line(describe(verdict));
    return exit_ok;
}

int tool_dkim_sign(const ToolOptions& options) {
    const auto key = read_key(options);
    if (!key) return complain(key.error());
    const auto message = read_message();
    const MessageHeader header{std::string(message.header())};
    BodyHasher hasher;
    const mailauth::DkimSigner signer(header, *key, hasher,
                                      {.domain = options.domain, .selector = options.selector, .now = time_of(options)});
    hasher.feed(message.body());
    hasher.finish();
    const auto field = signer.sign();
    if (!field) return complain(field.error());
    print_message(*field, message);
    return exit_ok;
}

}  // namespace thurn::app
