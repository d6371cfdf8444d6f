// The first octet picks the mechanism, the second whether there is an initial response and bindings; each further message is an octet of
// length and what follows. Questions are answered with secrets that nothing in the input can know, so no exchange may end proven.

#include "base/utf8.h"
#include "require.h"
#include "sasl/mechanism.h"
#include "sasl/saslprep.h"
#include "sasl/scram_message.h"

#include <array>

using namespace thurn;
using fuzz::require;

namespace {

constexpr std::array<std::string_view, 10> kNames{
    "PLAIN",       "LOGIN",   "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-1", "SCRAM-SHA-1-PLUS", "CRAM-MD5",
    "OAUTHBEARER", "XOAUTH2", "EXTERNAL"};

class Counter final : public base::Random {
public:
    std::uint64_t next() override { return ++count_; }

private:
    std::uint64_t count_ = 0;
};

std::string_view take_message(std::string_view& input) {
    const std::size_t length = static_cast<unsigned char>(input.front());
    const std::string_view message = input.substr(1, length);
    input.remove_prefix(1 + message.size());
    return message;
}

void check_text(std::string_view text, std::size_t limit) {
    require(text.size() <= limit && !text.contains('\0') && base::is_utf8(text), "UTF-8 without NUL, within its limit");
}

void check_claim(const sasl::Claim& claim) {
    if (const auto* password = std::get_if<sasl::PasswordClaim>(&claim)) {
        check_text(password->authorization, sasl::kMaxLogin);
        check_text(password->login, sasl::kMaxLogin);
        check_text(password->password, sasl::kMaxPassword);
        require(!password->login.empty() && !password->password.empty(), "somebody with some password");
    } else if (const auto* token = std::get_if<sasl::TokenClaim>(&claim)) {
        check_text(token->authorization, sasl::kMaxLogin);
        check_text(token->token, sasl::kMaxToken);
        require(!token->token.empty(), "some token");
    } else if (const auto* certificate = std::get_if<sasl::CertificateClaim>(&claim)) {
        check_text(certificate->authorization, sasl::kMaxLogin);
    }
    require(!std::holds_alternative<sasl::IdentityProven>(claim), "nobody can prove what he does not know");
}

sasl::Secret secret_for(const sasl::ServerStep& step) {
    if (const auto* wanted = std::get_if<sasl::ScramSecretWanted>(&step)) {
        check_text(wanted->login, sasl::kMaxLogin);
        return sasl::make_decoy_secret(wanted->login, "key", wanted->hash);
    }
    const auto& login = std::get<sasl::CramMd5SecretWanted>(step).login;
    check_text(login, sasl::kMaxLogin);
    return sasl::make_decoy_cram_md5_secret(login, "key");
}

/// Runs to the end; then nothing more may come of it.
void converse(sasl::ServerMechanism& server, base::Result<sasl::ServerStep> step, std::string_view input) {
    int rounds = 0;
    while (step && !std::holds_alternative<sasl::Claim>(*step)) {
        require(++rounds <= 4, "nothing is asked for ever");
        if (!std::holds_alternative<sasl::Challenge>(*step)) {
            step = server.give(secret_for(*step));
        } else {
            if (input.empty()) return;
            step = server.step(take_message(input));
        }
    }
    if (step) check_claim(std::get<sasl::Claim>(*step));
    if (step && server.refuse()) require(!server.step(input), "a refused claim stays refused");
    require(!server.step(input) && !server.start() && !server.give(sasl::NoSecret{}), "an ended exchange is spent");
}

void check_client(std::string_view name, const sasl::ChannelBindings& bindings, std::string_view input) {
    Counter random;
    const auto client = sasl::make_client_mechanism(
        name, {.login = "login", .password = "password", .token = "token", .random = &random, .bindings = bindings});
    if (!client) return;
    (void)client->initial();
    int answers = 0;
    while (client->respond(input.empty() ? input : take_message(input))) require(++answers <= 2, "a server cannot ask for ever");
    require(!name.starts_with("SCRAM") || !client->complete(), "no server can prove what it does not know");
}

void check_parsers(std::string_view input) {
    if (const auto name = sasl::decode_saslname(input)) require(sasl::encode_saslname(*name).size() >= name->size(), "escaping only grows");
    require(sasl::decode_saslname(sasl::encode_saslname(input)).value_or(std::string(input)) == input,
            "names survive the way there and back");
    if (const auto secret = sasl::parse_scram_secret(input)) require(sasl::render_scram_secret(*secret) == input, "one text per secret");
    const auto prepared = sasl::prepare_password(input);
    require(prepared.empty() == input.empty(), "a password stays one");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 3) return 0;
    auto input = fuzz::as_text(data, size);
    const auto name = kNames.at(static_cast<unsigned char>(input[0]) % kNames.size());
    const auto choice = static_cast<unsigned char>(input[1]);
    input.remove_prefix(2);
    check_parsers(input);
    Counter random;
    sasl::ChannelBindings bindings;
    if (choice & 2) bindings.exporter = "exported";
    if (choice & 4) bindings.server_end_point = "certified";
    check_client(name, bindings, input);
    const auto server = sasl::make_server_mechanism(name, {.random = &random, .bindings = bindings});
    if (!server) return 0;
    auto first = choice & 1 ? server->start() : server->step(take_message(input));
    converse(*server, std::move(first), input);
    return 0;
}
