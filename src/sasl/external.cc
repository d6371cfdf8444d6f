#include "sasl/external.h"

#include "sasl/claims.h"

#include <utility>

namespace thurn::sasl {

using base::ErrorKind;
using base::fail;

base::Result<ServerStep> ExternalServer::start() {
    if (stage_ != Stage::fresh) return fail(ErrorKind::invalid, "EXTERNAL was started before");
    stage_ = Stage::asked;
    return Challenge{};
}

base::Result<ServerStep> ExternalServer::step(std::string_view response) {
    if (std::exchange(stage_, Stage::spent) == Stage::spent) return fail(ErrorKind::invalid, "EXTERNAL has one message only");
    if (!response.empty()) {
        if (auto fine = check_login(response); !fine) return base::pass_on(fine);
    }
    return CertificateClaim{std::string(response)};
}

base::Result<std::string> ExternalClient::respond(std::string_view) {
    if (std::exchange(responded_, true)) return fail(ErrorKind::invalid, "EXTERNAL has one message only");
    return authorization_;
}

}  // namespace thurn::sasl
