// The first octet picks the mechanism and whether there is an initial response; each further message is an octet of length and what
// follows.

#include "base/utf8.h"
#include "require.h"
#include "sasl/mechanism.h"

using namespace thurn;
using fuzz::require;

namespace {

std::string_view take_message(std::string_view& input) {
    const std::size_t length = static_cast<unsigned char>(input.front());
    const std::string_view message = input.substr(1, length);
    input.remove_prefix(1 + message.size());
    return message;
}

void check_text(std::string_view text, std::size_t limit) {
    require(text.size() <= limit && !text.contains('\0') && base::is_utf8(text), "UTF-8 without NUL, within its limit");
}

void check_credentials(const sasl::Credentials& credentials) {
    check_text(credentials.authorization, sasl::kMaxLogin);
    check_text(credentials.login, sasl::kMaxLogin);
    check_text(credentials.password, sasl::kMaxPassword);
    require(!credentials.login.empty() && !credentials.password.empty(), "somebody with some password");
}

/// Runs to the end; then nothing more may come of it.
void converse(sasl::ServerMechanism& server, base::Result<sasl::ServerStep> step, std::string_view input) {
    int challenges = 0;
    while (step && std::holds_alternative<sasl::Challenge>(*step)) {
        require(++challenges <= 2, "nothing is asked for ever");
        if (input.empty()) return;
        step = server.step(take_message(input));
    }
    if (step) check_credentials(std::get<sasl::Credentials>(*step));
    require(!server.step(input) && !server.start(), "an ended exchange is spent");
}

void check_client(std::string_view name, std::string_view input) {
    const auto client = sasl::make_client_mechanism(name, "login", "password");
    (void)client->initial();
    int answers = 0;
    while (client->respond(input)) require(++answers <= 2, "a server cannot ask for ever");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    auto input = fuzz::as_text(data, size);
    const auto choice = static_cast<unsigned char>(input.front());
    input.remove_prefix(1);
    const auto name = sasl::kServerMechanisms.at(choice / 2 % sasl::kServerMechanisms.size());
    const auto server = sasl::make_server_mechanism(name);
    auto first = choice % 2 == 0 ? server->start() : server->step(take_message(input));
    converse(*server, std::move(first), input);
    check_client(name, input);
    return 0;
}
