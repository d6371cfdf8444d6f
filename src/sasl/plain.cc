#include "sasl/plain.h"

#include "sasl/claims.h"

#include <utility>

namespace thurn::sasl {
namespace {

using base::ErrorKind;
using base::fail;

/// Takes the text up to a NUL off the front, with the NUL.
std::optional<std::string_view> take_until_nul(std::string_view& message) {
    const std::size_t nul = message.find('\0');
    if (nul == std::string_view::npos) return std::nullopt;
    const std::string_view taken = message.substr(0, nul);
    message.remove_prefix(nul + 1);
    return taken;
}

}  // namespace

base::Result<ServerStep> PlainServer::start() {
    if (stage_ != Stage::fresh) return fail(ErrorKind::invalid, "PLAIN was started before");
    stage_ = Stage::asked;
    return Challenge{};
}

base::Result<ServerStep> PlainServer::step(std::string_view response) {
    if (stage_ == Stage::spent) return fail(ErrorKind::invalid, "PLAIN has one message only");
    stage_ = Stage::spent;
    const auto authorization = take_until_nul(response);
    const auto login = authorization ? take_until_nul(response) : std::nullopt;
    if (!login) return fail(ErrorKind::syntax, "a PLAIN message has three parts");
    if (!authorization->empty()) {
        if (auto fine = check_login(*authorization); !fine) return base::pass_on(fine);
    }
    if (auto fine = check_login(*login); !fine) return base::pass_on(fine);
    if (auto fine = check_password(response); !fine) return base::pass_on(fine);
    return PasswordClaim{.authorization = std::string(*authorization), .login = std::string(*login), .password = std::string(response)};
}

base::Result<std::string> PlainClient::respond(std::string_view) {
    if (std::exchange(responded_, true)) return fail(ErrorKind::invalid, "PLAIN has one message only");
    return message();
}

std::string PlainClient::message() const {
    std::string message(1, '\0');  // no authorization identity: act as the login
    message.append(login_).push_back('\0');
    return message.append(password_);
}

}  // namespace thurn::sasl
