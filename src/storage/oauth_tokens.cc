#include "storage/oauth_tokens.h"

#include "storage/web_request.h"

#include <fstream>
#include <iterator>
#include <utility>

#include <boost/json.hpp>
#include <fmt/format.h>

namespace thurn::storage {

namespace json = boost::json;

namespace {

constexpr std::chrono::minutes kKeysAreFresh{10};
constexpr std::chrono::minutes kAskAgain{1};

using Slots = std::counting_semaphore<kTokensAtOnce>;

/// A slot, or none.
class Turn {
public:
    explicit Turn(Slots& slots) : slots_(slots), taken_(slots.try_acquire()) {}
    ~Turn() {
        if (taken_) slots_.release();
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    [[nodiscard]] bool taken() const { return taken_; }

private:
    Slots& slots_;
    bool taken_;
};

std::unexpected<base::Error> too_many() { return base::fail(base::ErrorKind::full, "too many tokens are being checked"); }

base::Result<WebAnswer> ask_well(const WebRequest& request) {
    auto answer = ask_web(request);
    if (answer && answer->status != 200)
        return base::fail(base::ErrorKind::refused, fmt::format("{}: status {} instead of an answer", request.url, answer->status));
    return answer;
}

/// `active` alone decides (RFC 7662 §2.2).
base::Result<std::optional<std::string>> login_in(const WebAnswer& answer, const std::string& claim) {
    json::error_code failed;
    const auto value = json::parse(answer.body, failed, {}, {.max_depth = 8});
    const auto* const told = !failed ? value.if_object() : nullptr;
    const auto* const active = told ? told->if_contains("active") : nullptr;
    if (!active || !active->is_bool()) return base::fail(base::ErrorKind::refused, "the answer about a token is none");
    if (!active->as_bool()) return std::optional<std::string>();
    const auto* const login = told->if_contains(claim);
    if (!login || !login->is_string())
        return base::fail(base::ErrorKind::refused, fmt::format("the answer about a token names no {}", claim));
    return std::optional(std::string(login->as_string()));
}

}  // namespace

base::Result<std::optional<std::string>> IntrospectedTokens::check(std::string_view token) {
    const Turn turn(slots_);
    if (!turn.taken()) return too_many();
    auto answer = ask_well({.url = options_.endpoint,
                            .form = "token_type_hint=access_token&token=" + escape_for_form(token),
                            .user = options_.user,
                            .password = options_.password,
                            .ca_file = options_.ca_file});
    if (!answer) return base::pass_on(answer);
    return login_in(*answer, options_.login_claim);
}

base::Result<TokenKeys> SignedTokens::fetch() {
    if (options_.keys.starts_with('/')) {
        std::ifstream in(options_.keys, std::ios::binary);
        if (!in) return base::fail(base::ErrorKind::not_found, fmt::format("{}: cannot be read", options_.keys));
        return TokenKeys::parse(std::string(std::istreambuf_iterator<char>(in), {}));
    }
    const Turn turn(slots_);
    if (!turn.taken()) return too_many();
    auto answer = ask_well({.url = options_.keys, .ca_file = options_.ca_file});
    if (!answer) return base::pass_on(answer);
    return TokenKeys::parse(answer->body);
}

base::Result<std::shared_ptr<const TokenKeys>> SignedTokens::keys(std::chrono::seconds no_older_than) {
    const auto now = clock_.now();
    auto at_hand = known_.with([&](Known& known) -> std::shared_ptr<const TokenKeys> {
        const bool fresh = known.keys && now - known.asked < no_older_than;
        if (!fresh) known.asked = now;  // others go on with what there is meanwhile
        return fresh ? known.keys : nullptr;
    });
    if (at_hand) return at_hand;
    auto fetched = fetch();
    return known_.with([&](Known& known) -> base::Result<std::shared_ptr<const TokenKeys>> {
        if (fetched) known.keys = std::make_shared<const TokenKeys>(*std::move(fetched));
        if (!known.keys) return base::pass_on(fetched);
        return known.keys;
    });
}

base::Result<std::optional<std::string>> SignedTokens::check(std::string_view token) {
    auto login = base::Result<std::string>(base::fail(base::ErrorKind::not_found, ""));
    for (const std::chrono::seconds age : {std::chrono::seconds(kKeysAreFresh), std::chrono::seconds(kAskAgain)}) {
        auto known = keys(age);
        if (!known) return base::pass_on(known);
        login = verify_token(token, **known, options_.expected, clock_.now());
        if (login || login.error().kind != base::ErrorKind::not_found) break;
    }
    if (login) return std::optional(*std::move(login));
    return std::optional<std::string>();
}

}  // namespace thurn::storage
