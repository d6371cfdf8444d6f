// All messages are attributes `x=value` with commas between, whose order is fixed (RFC 5802 §5.1). A value holds no comma, so a comma ends
// it; what a value may hold beyond that depends on the attribute.
#include "sasl/scram_message.h"

#include "base/ascii.h"
#include "base/base64.h"
#include "base/utf8.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace thurn::sasl {
namespace {

using base::ErrorKind;
using base::fail;
using base::Result;

std::unexpected<base::Error> broken(std::string_view what) { return fail(ErrorKind::syntax, std::string("SCRAM: ").append(what)); }

bool is_binding_name_octet(char octet) { return base::is_letter(octet) || base::is_digit(octet) || octet == '.' || octet == '-'; }
bool is_nonce_octet(char octet) { return base::is_printable(octet) && octet != ' '; }  // the comma is gone already

bool is_nonce(std::string_view text) { return !text.empty() && text.size() <= kMaxNonce && std::ranges::all_of(text, is_nonce_octet); }

/// Walks over the attributes of a message.
class Attributes {
public:
    explicit Attributes(std::string_view message) : rest_(message) {}

    [[nodiscard]] bool at_end() const { return ended_; }
    [[nodiscard]] bool next_is(char name) const { return !ended_ && rest_.size() >= 2 && rest_[0] == name && rest_[1] == '='; }
    /// The value of the attribute that must come now.
    [[nodiscard]] Result<std::string_view> take(char name) {
        if (next_is('m')) return fail(ErrorKind::refused, "SCRAM: an extension is demanded that is not known");
        if (!next_is(name)) return broken(std::string("no attribute ") + name);
        const auto value = take_piece().substr(2);
        if (value.empty()) return broken(std::string("attribute ") + name + " is empty");
        return value;
    }
    /// Extensions that need not be understood. Stops before `last`, if one is given.
    [[nodiscard]] Result<void> skip_extensions(char last = '\0') {
        while (!ended_ && !next_is(last)) {
            const auto piece = take_piece();
            const bool fine =
                piece.size() > 2 && base::is_letter(piece[0]) && piece[1] == '=' && !piece.contains('\0') && base::is_utf8(piece);
            if (!fine) return broken("an extension breaks the grammar");
        }
        return {};
    }

private:
    std::string_view take_piece() {
        const auto comma = rest_.find(',');
        ended_ = comma == std::string_view::npos;
        return std::exchange(rest_, ended_ ? std::string_view() : rest_.substr(comma + 1)).substr(0, comma);
    }

    std::string_view rest_;
    bool ended_ = false;
};

Result<std::string> take_base64(Attributes& in, char name) {
    const auto text = in.take(name);
    if (!text) return std::unexpected(text.error());
    auto octets = base::decode_base64(*text);
    if (!octets) return broken("a value is not base64");
    return octets;
}

Result<std::string_view> take_nonce(Attributes& in) {
    auto nonce = in.take('r');
    if (nonce && !is_nonce(*nonce)) return broken("the nonce breaks the grammar");
    return nonce;
}

/// posit-number of RFC 5802 §7.
Result<std::uint32_t> take_iterations(Attributes& in) {
    const auto text = in.take('i');
    if (!text) return std::unexpected(text.error());
    std::uint32_t count = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), count);
    if (error != std::errc() || end != text->data() + text->size() || text->front() == '0') return broken("no number of iterations");
    return count;
}

/// The flag up to its comma.
Result<void> read_binding_flag(std::string_view flag, Gs2Header& header) {
    if (flag == "n") return {};
    if (flag == "y") {
        header.binding = Gs2Header::Binding::thought_absent;
        return {};
    }
    header.binding = Gs2Header::Binding::used;
    if (!flag.starts_with("p=") || flag.size() == 2) return broken("no channel binding flag");
    header.binding_name = flag.substr(2);
    if (!std::ranges::all_of(header.binding_name, is_binding_name_octet)) return broken("no name of a channel binding");
    return {};
}

Result<void> read_authorization(std::string_view text, Gs2Header& header) {
    if (text.empty()) return {};
    auto name = text.starts_with("a=") ? decode_saslname(text.substr(2)) : std::nullopt;
    if (!name) return broken("no authorization identity");
    header.authorization = *std::move(name);
    return {};
}

}  // namespace

Result<Gs2Header> take_gs2_header(std::string_view& message) {
    const auto first = message.find(',');
    const auto second = first == std::string_view::npos ? first : message.find(',', first + 1);
    if (second == std::string_view::npos) return broken("no GS2 header");
    Gs2Header header{.text = message.substr(0, second + 1)};
    if (auto read = read_binding_flag(message.substr(0, first), header); !read) return base::pass_on(read);
    if (auto read = read_authorization(message.substr(first + 1, second - first - 1), header); !read) return base::pass_on(read);
    message.remove_prefix(header.text.size());
    return header;
}

Result<ClientFirst> parse_client_first(std::string_view message) {
    auto header = take_gs2_header(message);
    if (!header) return base::pass_on(header);
    Attributes in(message);
    const auto name = in.take('n');
    if (!name) return std::unexpected(name.error());
    auto login = decode_saslname(*name);
    if (!login) return broken("no login");
    const auto nonce = take_nonce(in);
    if (!nonce) return std::unexpected(nonce.error());
    if (auto rest = in.skip_extensions(); !rest) return base::pass_on(rest);
    return ClientFirst{.header = *std::move(header), .login = *std::move(login), .nonce = *nonce, .bare = message};
}

Result<ServerFirst> parse_server_first(std::string_view message) {
    Attributes in(message);
    const auto nonce = take_nonce(in);
    if (!nonce) return std::unexpected(nonce.error());
    auto salt = take_base64(in, 's');
    if (!salt) return base::pass_on(salt);
    const auto iterations = take_iterations(in);
    if (!iterations) return std::unexpected(iterations.error());
    if (auto rest = in.skip_extensions(); !rest) return base::pass_on(rest);
    return ServerFirst{.nonce = *nonce, .salt = *std::move(salt), .iterations = *iterations};
}

Result<ClientFinal> parse_client_final(std::string_view message) {
    const auto proof_at = message.rfind(",p=");
    if (proof_at == std::string_view::npos) return broken("no proof");
    Attributes in(message);
    auto binding = take_base64(in, 'c');
    if (!binding) return base::pass_on(binding);
    const auto nonce = take_nonce(in);
    if (!nonce) return std::unexpected(nonce.error());
    if (auto rest = in.skip_extensions('p'); !rest) return base::pass_on(rest);
    auto proof = take_base64(in, 'p');
    if (!proof) return base::pass_on(proof);
    if (!in.at_end()) return broken("something behind the proof");
    return ClientFinal{
        .binding = *std::move(binding), .nonce = *nonce, .proof = *std::move(proof), .without_proof = message.substr(0, proof_at)};
}

Result<std::string> parse_server_final(std::string_view message) {
    Attributes in(message);
    if (in.next_is('e')) return fail(ErrorKind::refused, "SCRAM: the server tells of an error");
    auto signature = take_base64(in, 'v');
    if (!signature) return signature;
    if (auto rest = in.skip_extensions(); !rest) return base::pass_on(rest);
    return signature;
}

std::string encode_saslname(std::string_view name) {
    std::string text;
    for (const char octet : name) {
        if (octet == '=')
            text += "=3D";
        else if (octet == ',')
            text += "=2C";
        else
            text += octet;
    }
    return text;
}

std::optional<std::string> decode_saslname(std::string_view text) {
    std::string name;
    while (!text.empty()) {
        const bool escaped = text.front() == '=';
        if (text.front() == '\0' || text.front() == ',') return std::nullopt;
        if (escaped && !text.starts_with("=2C") && !text.starts_with("=3D")) return std::nullopt;  // RFC 5802 §5.1
        name += !escaped ? text.front() : text[1] == '2' ? ',' : '=';
        text.remove_prefix(escaped ? 3 : 1);
    }
    if (name.empty() || !base::is_utf8(name)) return std::nullopt;
    return name;
}

}  // namespace thurn::sasl
