#include "sasl/login.h"

#include "sasl/claims.h"

#include <utility>

namespace thurn::sasl {
namespace {

using base::ErrorKind;
using base::fail;

// The draft says "User Name" and "Password" with a NUL behind; old clients compare with these words instead.
constexpr std::string_view kLoginQuestion = "Username:";
constexpr std::string_view kPasswordQuestion = "Password:";

}  // namespace

base::Result<ServerStep> LoginServer::start() {
    if (stage_ != Stage::fresh) return fail(ErrorKind::invalid, "LOGIN was started before");
    stage_ = Stage::login_asked;
    return Challenge{std::string(kLoginQuestion)};
}

base::Result<ServerStep> LoginServer::step(std::string_view response) {
    switch (std::exchange(stage_, Stage::spent)) {
        case Stage::fresh:  // an initial response answers the first question before it is asked
        case Stage::login_asked:
            return take_login(response);
        case Stage::password_asked:
            return take_password(response);
        case Stage::spent:
            break;
    }
    return fail(ErrorKind::invalid, "LOGIN has two messages only");
}

base::Result<ServerStep> LoginServer::take_login(std::string_view response) {
    if (auto fine = check_login(response); !fine) return base::pass_on(fine);
    login_ = response;
    stage_ = Stage::password_asked;
    return Challenge{std::string(kPasswordQuestion)};
}

base::Result<ServerStep> LoginServer::take_password(std::string_view response) {
    if (auto fine = check_password(response); !fine) return base::pass_on(fine);
    return PasswordClaim{.authorization = {}, .login = std::move(login_), .password = std::string(response)};
}

base::Result<std::string> LoginClient::respond(std::string_view) {
    switch (stage_) {
        case Stage::login_next:
            stage_ = Stage::password_next;
            return login_;
        case Stage::password_next:
            stage_ = Stage::spent;
            return password_;
        case Stage::spent:
            break;
    }
    return fail(ErrorKind::invalid, "LOGIN has two messages only");
}

}  // namespace thurn::sasl
