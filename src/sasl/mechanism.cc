#include "sasl/mechanism.h"

#include "base/ascii.h"
#include "base/base64.h"
#include "sasl/cram_md5.h"
#include "sasl/external.h"
#include "sasl/login.h"
#include "sasl/oauth.h"
#include "sasl/plain.h"
#include "sasl/scram.h"

#include <algorithm>
#include <utility>

namespace thurn::sasl {
namespace {

constexpr std::string_view kExporter = "tls-exporter";
constexpr std::string_view kServerEndPoint = "tls-server-end-point";

bool is_carriable(std::string_view text, std::size_t limit) { return !text.empty() && text.size() <= limit && !text.contains('\0'); }

struct ScramName {
    std::string_view name;
    Hash hash;
    ScramServer::Variant variant;
};
constexpr std::array<ScramName, 4> kScramNames{{{"SCRAM-SHA-256-PLUS", Hash::sha256, ScramServer::Variant::plus},
                                                {"SCRAM-SHA-256", Hash::sha256, ScramServer::Variant::plain},
                                                {"SCRAM-SHA-1-PLUS", Hash::sha1, ScramServer::Variant::plus},
                                                {"SCRAM-SHA-1", Hash::sha1, ScramServer::Variant::plain}}};

const ScramName* find_scram(std::string_view name) {
    const auto found = std::ranges::find_if(kScramNames, [name](const auto& row) { return base::equal_ignoring_case(row.name, name); });
    return found == kScramNames.end() ? nullptr : &*found;
}

/// 144 bits in 24 printable octets without a comma.
std::string make_nonce(base::Random& random) {
    std::string octets;
    while (octets.size() < 18) {
        std::uint64_t word = random.next();
        for (int part = 0; part < 8 && octets.size() < 18; ++part, word >>= 8) octets += static_cast<char>(word & 0xff);
    }
    return base::encode_base64(octets);
}

bool is_possible(const ScramName& scram, const base::Random* random, const ChannelBindings& bindings) {
    return random && (scram.variant == ScramServer::Variant::plain || bindings.any());
}

std::unique_ptr<ServerMechanism> make_scram_server(const ScramName& scram, const ServerContext& context) {
    if (!is_possible(scram, context.random, context.bindings)) return nullptr;
    return std::make_unique<ScramServer>(ScramServer::Options{
        .hash = scram.hash, .variant = scram.variant, .bindings = context.bindings, .nonce = make_nonce(*context.random)});
}

std::unique_ptr<ClientMechanism> make_scram_client(const ScramName& scram, const ClientContext& context) {
    if (!is_possible(scram, context.random, context.bindings)) return nullptr;
    ScramClient::Options options{
        .hash = scram.hash, .login = context.login, .password = context.password, .nonce = make_nonce(*context.random)};
    if (scram.variant == ScramServer::Variant::plus) {
        const bool exported = !context.bindings.exporter.empty();  // the default under TLS 1.3, RFC 9266 §3
        options.binding_name = exported ? kExporter : kServerEndPoint;
        options.binding_data = exported ? context.bindings.exporter : context.bindings.server_end_point;
    } else {
        options.binding_possible = context.bindings.any();
    }
    return std::make_unique<ScramClient>(std::move(options));
}

std::unique_ptr<ClientMechanism> make_token_client(TokenServer::Dialect dialect, const ClientContext& context) {
    if (!is_carriable(context.token, kMaxToken)) return nullptr;
    return std::make_unique<TokenClient>(dialect, context.login, context.token);
}

}  // namespace

base::Result<ServerStep> ServerMechanism::give(Secret) { return base::fail(base::ErrorKind::invalid, "nothing was asked for"); }

const std::string* ChannelBindings::find(std::string_view name) const {
    const std::string* const data = name == kExporter ? &exporter : name == kServerEndPoint ? &server_end_point : nullptr;
    return data && !data->empty() ? data : nullptr;
}

std::vector<std::string_view> offered_mechanisms(const ServerContext& context) {
    std::vector<std::string_view> names;
    if (context.certificate) names.emplace_back("EXTERNAL");
    for (const auto& scram : kScramNames)
        if (context.scram && is_possible(scram, context.random, context.bindings)) names.push_back(scram.name);
    if (context.tokens) names.insert(names.end(), {"OAUTHBEARER", "XOAUTH2"});
    names.insert(names.end(), {"PLAIN", "LOGIN"});
    if (context.cram_md5 && context.random) names.emplace_back("CRAM-MD5");
    return names;
}

std::unique_ptr<ServerMechanism> make_server_mechanism(std::string_view name, const ServerContext& context) {
    if (const auto* scram = find_scram(name)) return make_scram_server(*scram, context);
    if (base::equal_ignoring_case(name, "PLAIN")) return std::make_unique<PlainServer>();
    if (base::equal_ignoring_case(name, "LOGIN")) return std::make_unique<LoginServer>();
    if (base::equal_ignoring_case(name, "CRAM-MD5") && context.random)
        return std::make_unique<CramMd5Server>("<" + make_nonce(*context.random) + "@" + context.hostname + ">");
    if (base::equal_ignoring_case(name, "OAUTHBEARER")) return std::make_unique<TokenServer>(TokenServer::Dialect::oauthbearer);
    if (base::equal_ignoring_case(name, "XOAUTH2")) return std::make_unique<TokenServer>(TokenServer::Dialect::xoauth2);
    if (base::equal_ignoring_case(name, "EXTERNAL")) return std::make_unique<ExternalServer>();
    return nullptr;
}

bool is_possible(std::string_view client_mechanism, const ClientContext& context) {
    const auto* scram = find_scram(client_mechanism);
    return !scram || is_possible(*scram, context.random, context.bindings);
}

std::unique_ptr<ClientMechanism> make_client_mechanism(std::string_view name, const ClientContext& context) {
    if (base::equal_ignoring_case(name, "EXTERNAL")) return std::make_unique<ExternalClient>(context.login);
    if (!is_carriable(context.login, kMaxLogin)) return nullptr;
    if (base::equal_ignoring_case(name, "OAUTHBEARER")) return make_token_client(TokenServer::Dialect::oauthbearer, context);
    if (base::equal_ignoring_case(name, "XOAUTH2")) return make_token_client(TokenServer::Dialect::xoauth2, context);
    if (!is_carriable(context.password, kMaxPassword)) return nullptr;
    if (const auto* scram = find_scram(name)) return make_scram_client(*scram, context);
    if (base::equal_ignoring_case(name, "CRAM-MD5")) return std::make_unique<CramMd5Client>(context.login, context.password);
    if (base::equal_ignoring_case(name, "PLAIN")) return std::make_unique<PlainClient>(context.login, context.password);
    if (base::equal_ignoring_case(name, "LOGIN")) return std::make_unique<LoginClient>(context.login, context.password);
    return nullptr;
}

}  // namespace thurn::sasl
