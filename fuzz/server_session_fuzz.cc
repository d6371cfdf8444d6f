// The first octets choose options and answers; the rest is what the client says, in pieces ended by 0xff (a piece is what one packet
// brought; after it TLS begins if it was wanted). The session is held against a small model of what an event may mean, and it must say the
// same however a piece is cut.
#include "require.h"
#include "smtp/server_session.h"

#include <string>

using namespace thurn;
using namespace thurn::smtp;
using fuzz::require;

namespace {

/// The same in each run of an input, so that its runs can be compared.
class NoRandom final : public base::Random {
public:
    std::uint64_t next() override { return 0; }
};

ServerOptions options_from(unsigned bits) {
    static NoRandom random;
    ServerOptions options;
    options.random = &random;
    options.hostname = "mx.example";
    options.tls = bits & 1 ? TlsState::active : bits & 2 ? TlsState::offered : TlsState::unavailable;
    options.auth = bits & 4 ? AuthRule::required : bits & 8 ? AuthRule::offered : AuthRule::off;
    options.recipients = 2;
    options.command_line = 100;
    options.auth_line = 200;
    options.message_size = {bits & 16 ? 50U : 5000U};
    options.content_line = bits & 32 ? 40 : 0;
    options.commands = 200;
    options.errors = bits & 64 ? 5 : 100;
    if (bits & 128)
        options.extensions = {.chunking = true,
                              .binary_mime = true,
                              .smtputf8 = true,
                              .dsn = true,
                              .require_tls = true,
                              .deliver_by = std::chrono::seconds(0),
                              .mt_priority = "",
                              .vrfy = true,
                              .expn = true,
                              .etrn = true,
                              .xclient = true,
                              .xforward = true};
    return options;
}

struct Story {
    std::string replies;
    std::string contents;
    friend bool operator==(const Story&, const Story&) = default;
};

/// What the events so far mean; breaks off when one makes no sense.
class Receiver {
public:
    Receiver(ServerSession& session, ServerOptions options, std::string_view answers)
        : session_(session), options_(std::move(options)), tls_(options_.tls == TlsState::active), answers_(answers) {}

    void handle_all() {
        while (auto event = session_.next_event()) {
            const bool ends = std::holds_alternative<TransactionReset>(*event) || std::holds_alternative<ContentDropped>(*event);
            require(!std::exchange(end_due_, false) || ends, "an accepted hello ends a transaction");
            std::visit([this](auto& given) { on(given); }, *event);
        }
        require(!end_due_, "it is told at once");
        replies_ += session_.take_output();
        require(!session_.has_output(), "taken is taken");
    }
    void start_tls_if_wanted() {
        if (!std::exchange(tls_wanted_, false) || session_.closed()) return;
        tls_ = true;
        hello_ = sender_ = login_ = false;
        recipients_ = 0;
        session_.tls_started();
    }
    [[nodiscard]] Story story() const { return {replies_, contents_}; }

private:
    bool answer() {
        require(!session_.next_event(), "nothing while an event is open");
        const char choice = answers_.empty() ? 'a' : answers_[static_cast<std::size_t>(asked_++) % answers_.size()];
        const bool yes = choice % 4 != 0;
        if (yes)
            session_.accept();
        else
            session_.answer(make_reply(choice % 8 == 0 ? 550 : 451, {static_cast<std::uint16_t>(choice % 8 == 0 ? 5 : 4), 0, 0}, "no"));
        return yes;
    }
    void on(HelloGiven& given) {
        require(!given.name.empty(), "hello has a name");
        if (!answer()) return;
        hello_ = true;
        end_due_ = sender_;
    }
    void on(SecretWanted& wanted) {
        require(tls_ && options_.auth != AuthRule::off && !login_ && !sender_ && !wanted.login.empty(),
                "secrets are for a login under TLS");
        if (wanted.hash == sasl::Hash::md5)
            session_.give_secret(sasl::make_decoy_cram_md5_secret(wanted.login, "key"));
        else
            session_.give_secret(sasl::make_decoy_secret(wanted.login, "key", wanted.hash));
    }
    void on(CredentialsGiven& given) {
        require(tls_ && options_.auth != AuthRule::off && !login_ && !sender_, "credentials come under TLS, once");
        require(!given.login.empty() && !given.password.empty(), "credentials are whole");
        if (answer()) login_ = true;
    }
    void on(SenderGiven& given) {
        binary_ = given.parameters.body == mail::BodyType::binary;
        require(!binary_ || options_.extensions.chunking, "binary content is taken where it is announced");
        require(!given.parameters.require_tls || tls_, "REQUIRETLS comes under TLS");
        require(hello_ && !sender_ && (options_.auth != AuthRule::required || login_), "a sender opens a transaction");
        if (answer()) sender_ = true;
    }
    void on(RecipientGiven& given) {
        require(sender_ && recipients_ < options_.recipients && !given.mailbox.local.empty(), "recipients belong to a sender");
        if (answer()) ++recipients_;
    }
    void on(ContentBegins&) {
        require(sender_ && recipients_ > 0, "content belongs to recipients");
        content_.clear();
        receiving_ = answer();
        if (!receiving_) end_transaction();
    }
    void on(ContentChunk& chunk) {
        require(receiving_ && !chunk.octets.empty(), "content comes after its beginning");
        content_ += chunk.octets;
        require(content_.size() <= options_.message_size.count, "content is within its limit");
    }
    void on(ContentEnded&) {
        require(receiving_, "an end has a beginning");
        require(binary_ || content_.empty() || content_.ends_with("\r\n"), "content ends with a line");
        for (std::size_t at = 0; at < content_.size() && !binary_; ++at) {
            require(content_[at] != '\0', "no NUL");
            require(content_[at] != '\n' || (at > 0 && content_[at - 1] == '\r'), "no bare LF");
            require(content_[at] != '\r' || content_[at + 1] == '\n', "no bare CR");
        }
        contents_ += "<" + content_ + ">";
        end_transaction();
        answer();
    }
    void on(ContentDropped&) {
        require(receiving_, "only what began is dropped");
        end_transaction();
    }
    void on(TransactionReset&) {
        require(sender_ && !receiving_, "only what is open is reset");
        end_transaction();
    }
    void on(TlsWanted&) {
        require(options_.tls == TlsState::offered && !tls_, "TLS is wanted where it is offered, once");
        tls_wanted_ = true;
    }
    void on(VerifyWanted& wanted) {
        require(!wanted.text.empty(), "VRFY asks for something");
        answer();
    }
    void on(ExpandWanted& wanted) {
        require(!wanted.text.empty(), "EXPN asks for something");
        answer();
    }
    void on(QueueRunWanted& wanted) {
        require(hello_ && !sender_ && !wanted.name.empty(), "ETRN comes outside a transaction");
        answer();
    }
    void on(XclientGiven& given) {
        require(options_.extensions.xclient && !sender_ && !given.attributes.empty(), "XCLIENT comes outside a transaction");
        const auto* login = find_attribute(given.attributes, ProxyAttribute::Name::login);
        if (!answer()) return;
        hello_ = false;
        login_ = login && login->known == ProxyAttribute::Known::given;
    }
    void on(XforwardGiven& given) {
        require(options_.extensions.xforward && !sender_ && !given.attributes.empty(), "XFORWARD comes outside a transaction");
        answer();
    }
    void on(EarlyTalk&) { require(false, "the greeting came first"); }
    void on(ImproperPipelining& told) {
        require(!std::exchange(improper_, true) && !told.verb.empty(), "improper pipelining is told once");
    }
    void on(CommandRefused& refused) { require(refused.reply.code >= 400, "refusals refuse"); }
    void end_transaction() {
        sender_ = receiving_ = false;
        recipients_ = 0;
    }

    ServerSession& session_;
    ServerOptions options_;
    bool tls_;
    std::string_view answers_;
    int asked_ = 0;
    bool improper_ = false, hello_ = false, sender_ = false, receiving_ = false, binary_ = false, login_ = false, tls_wanted_ = false;
    bool end_due_ = false;
    std::size_t recipients_ = 0;
    std::string content_;
    std::string replies_;
    std::string contents_;
};

void check_replies(std::string_view rest) {
    while (!rest.empty()) {
        const auto end = rest.find("\r\n");
        require(end != std::string_view::npos && end + 2 <= 512, "reply lines end, within 512 octets");
        require(rest[0] >= '2' && rest[0] <= '5' && (rest[3] == ' ' || rest[3] == '-'), "reply lines have a code");
        rest.remove_prefix(end + 2);
    }
}

Story converse(const ServerOptions& options, std::string_view answers, std::string_view pieces, std::size_t cut) {
    ServerSession session(options);
    Receiver receiver(session, options, answers);
    session.greet();
    while (!pieces.empty()) {
        auto piece = pieces.substr(0, pieces.find('\xff'));
        pieces.remove_prefix(std::min(piece.size() + 1, pieces.size()));
        for (; !piece.empty(); piece.remove_prefix(std::min(cut, piece.size()))) {
            session.receive(piece.substr(0, cut));
            receiver.handle_all();
        }
        receiver.start_tls_if_wanted();
    }
    session.timed_out();
    receiver.handle_all();
    require(session.closed(), "a session that timed out is closed");
    return receiver.story();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 10) return 0;
    const auto options = options_from(data[0]);
    const auto input = fuzz::as_text(data, size);
    const auto answers = input.substr(2, 6);
    const auto whole = converse(options, answers, input.substr(8), size);
    require(whole == converse(options, answers, input.substr(8), 1), "octet by octet, the same is said");
    require(whole == converse(options, answers, input.substr(8), data[1] % 100U + 1U), "in pieces, the same is said");
    check_replies(whole.replies);
    return 0;
}
