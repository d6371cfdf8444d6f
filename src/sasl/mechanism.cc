#include "sasl/mechanism.h"

#include "base/ascii.h"
#include "sasl/login.h"
#include "sasl/plain.h"

#include <utility>

namespace thurn::sasl {
namespace {

bool is_carriable(std::string_view text, std::size_t limit) { return !text.empty() && text.size() <= limit && !text.contains('\0'); }

}  // namespace

std::unique_ptr<ServerMechanism> make_server_mechanism(std::string_view name) {
    if (base::equal_ignoring_case(name, "PLAIN")) return std::make_unique<PlainServer>();
    if (base::equal_ignoring_case(name, "LOGIN")) return std::make_unique<LoginServer>();
    return nullptr;
}

std::unique_ptr<ClientMechanism> make_client_mechanism(std::string_view name, std::string login, std::string password) {
    if (!is_carriable(login, kMaxLogin) || !is_carriable(password, kMaxPassword)) return nullptr;
    if (base::equal_ignoring_case(name, "PLAIN")) return std::make_unique<PlainClient>(std::move(login), std::move(password));
    if (base::equal_ignoring_case(name, "LOGIN")) return std::make_unique<LoginClient>(std::move(login), std::move(password));
    return nullptr;
}

}  // namespace thurn::sasl
