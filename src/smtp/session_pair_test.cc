// The two sessions against each other: whatever is offered and whoever is refused, what the one is given the other receives.
#include "smtp/client_session.h"
#include "smtp/server_session.h"

#include <algorithm>
#include <set>
#include <string>

#include <gtest/gtest.h>

namespace thurn::smtp {
namespace {

constexpr unsigned kTls = 1, kAuth = 2, kEightBit = 4, kRefuseData = 8, kRefuseContent = 16, kOctets = 32, kChunks = 64, kLmtp = 128,
                   kNoPipelining = 256, kOptions = 512;

struct Message {
    MailParameters parameters;
    std::vector<RcptParameters> of_recipients;
    std::vector<std::string> recipients;
    std::string content;
};

/// A server that refuses recipients named `no…`, and keeps what it gets.
class Server {
public:
    explicit Server(unsigned how) : Server(how, offered_for(how)) {}
    Server(unsigned how, const ServerExtensions& offered) : how_(how), session(options(how, offered)) { session.greet(); }

    void handle_all() {
        while (auto event = session.next_event()) std::visit([this](auto& given) { on(given); }, *event);
    }
    bool tls_wanted = false;
    std::vector<Message> messages;

private:
    static ServerExtensions offered_for(unsigned how) {
        return {.pipelining = !(how & kNoPipelining),
                .chunking = (how & kChunks) != 0,
                .binary_mime = true,
                .smtputf8 = true,
                .dsn = true,
                .mt_priority = ""};
    }
    static ServerOptions options(unsigned how, const ServerExtensions& offered) {
        ServerOptions options;
        options.hostname = "server.example";
        options.tls = how & kTls ? TlsState::offered : TlsState::unavailable;
        options.auth = how & kAuth ? AuthRule::required : AuthRule::off;
        options.message_size = base::kibibytes(64);
        options.protocol = how & kLmtp ? Protocol::lmtp : Protocol::smtp;
        options.extensions = offered;
        return options;
    }
    void on(HelloGiven&) { session.accept(); }
    void on(SecretWanted&) { ADD_FAILURE() << "without random there is no SCRAM"; }
    void on(CredentialsGiven& given) {
        EXPECT_EQ(given.login + ":" + given.password, "joe:secret");
        session.accept();
    }
    void on(SenderGiven& given) {
        current_ = {};
        current_.parameters = std::move(given.parameters);
        session.accept();
    }
    void on(RecipientGiven& given) {
        if (given.mailbox.local.starts_with("no")) return session.answer(make_reply(550, {5, 1, 1}, "no"));
        current_.recipients.push_back(given.mailbox.local);
        current_.of_recipients.push_back(std::move(given.parameters));
        session.accept();
    }
    void on(ContentBegins&) {
        if (how_ & kRefuseData)
            session.answer(make_reply(451, {4, 3, 0}, "later"));
        else
            session.accept();
    }
    void on(ContentChunk& chunk) { current_.content += chunk.octets; }
    void on(ContentEnded&) {
        if (how_ & kRefuseContent) return session.answer(make_reply(550, {5, 7, 1}, "spam"));
        messages.push_back(std::move(current_));
        session.accept();
    }
    void on(ContentDropped& dropped) { ADD_FAILURE() << dropped.reason; }
    void on(TransactionReset&) {}
    void on(TlsWanted&) { tls_wanted = true; }
    template <class Other>
    void on(Other&) {}

    unsigned how_;
    Message current_;

public:
    ServerSession session;
};

class Pair {
public:
    explicit Pair(unsigned how) : how_(how), server(how), client(client_options(how)) {}
    Pair(unsigned how, const ServerExtensions& offered) : how_(how), server(how, offered), client(client_options(how)) {}

    /// Carries octets until both wait; gives the client's events, content excepted, which is `content_` when asked for.
    void run() {
        for (int idle = 0; idle < 2;) {
            const bool moved = carry(server.session, [this](std::string_view octets) {
                client.receive(octets);
                pump_client();
            });
            const bool moved_back = carry(client, [this](std::string_view octets) {
                server.session.receive(octets);
                server.handle_all();
            });
            shake_hands();
            pump_client();
            idle = moved || moved_back ? 0 : idle + 1;
        }
    }
    std::vector<Reply> hand_over(Transaction transaction, std::string content) {
        content_ = std::move(content);
        transaction.parameters.size = base::Octets{content_.size()};
        client.begin(std::move(transaction));
        run();
        return std::exchange(replies_, {});
    }

    unsigned how_;
    Server server;
    ClientSession client;
    bool ready = false;

private:
    static ClientOptions client_options(unsigned how) {
        ClientOptions options;
        options.hello_name = "client.example";
        options.protocol = how & kLmtp ? Protocol::lmtp : Protocol::smtp;
        options.chunking = Chunking::when_offered;
        if (how & kAuth) options.credentials = ClientCredentials{"joe", "secret"};
        return options;
    }
    template <class From, class To>
    bool carry(From& from, To to) {
        const auto octets = from.take_output();
        if (how_ & kOctets) {
            for (const char& octet : octets) to(std::string_view(&octet, 1));
        } else if (!octets.empty()) {
            to(octets);
        }
        return !octets.empty();
    }
    void shake_hands() {
        if (!tls_wanted_ || !server.tls_wanted) return;
        tls_wanted_ = server.tls_wanted = false;
        server.session.tls_started();
        client.tls_started();
    }
    void pump_client() {
        while (auto event = client.next_event()) {
            if (std::holds_alternative<Ready>(*event)) ready = true;
            if (std::holds_alternative<ClientTlsWanted>(*event)) tls_wanted_ = true;
            if (std::holds_alternative<ContentWanted>(*event)) send_content();
            if (auto* ended = std::get_if<TransactionEnded>(&*event)) replies_ = std::move(ended->replies);
            if (auto* failed = std::get_if<ClientFailed>(&*event)) ADD_FAILURE() << failed->error.detail;
        }
    }
    void send_content() {
        for (std::size_t at = 0; at < content_.size(); at += 7) client.content(std::string_view(content_).substr(at, 7));
        client.content_end();
    }

    std::string content_;
    std::vector<Reply> replies_;
    bool tls_wanted_ = false;
};

constexpr std::string_view kContents[] = {
    "",
    "Subject: x\r\n\r\ntext\r\n",
    ".\r\n..\r\n...\r\n.a\r\n",
    "no end",
    "\r\n.\r\n\r\n.\r\nMAIL FROM:<evil@example>\r\n.\r\n",
    "bare\nline\nends\n.\nhere\r.\r\r\n",
};

/// What must arrive: CRLF for every line end of any kind, and one at the end.
std::string normalized(std::string_view content) {
    std::string result;
    for (std::size_t at = 0; at < content.size(); ++at) {
        if (content[at] == '\r' && at + 1 < content.size() && content[at + 1] == '\n') ++at;
        if (content[at] == '\r' || content[at] == '\n')
            result += "\r\n";
        else
            result += content[at];
    }
    if (!result.empty() && !result.ends_with("\r\n")) result += "\r\n";
    return result;
}

Transaction transaction_to(const std::vector<std::string>& recipients, unsigned how) {
    Transaction transaction;
    if (how & kEightBit) transaction.parameters.body = mail::BodyType::eight_bit;
    for (const auto& name : recipients) transaction.recipients.push_back({*mail::parse_mailbox(name + "@server.example")});
    return transaction;
}

int expected_code(const std::string& recipient, bool any_good, unsigned how) {
    if (recipient.starts_with("no") || !any_good) return 550;
    if (how & kRefuseData) return 451;
    return how & kRefuseContent ? 550 : 250;
}

TEST(SessionPair, AgreesOnEveryMessageWhateverIsOfferedOrRefused) {
    for (unsigned how = 0; how < kOptions; ++how) {
        if ((how & kAuth) && !(how & kTls)) continue;
        Pair pair(how);
        pair.run();
        ASSERT_TRUE(pair.ready) << how;
        for (unsigned mask = 0; mask < 8; ++mask) {  // which of three recipients are refused; several messages on one connection
            std::vector<std::string> names;
            for (unsigned index = 0; index < 3; ++index) names.push_back((mask >> index & 1 ? "no" : "yes") + std::to_string(index));
            const auto content = kContents[mask % std::size(kContents)];
            const auto before = pair.server.messages.size();
            const auto replies = pair.hand_over(transaction_to(names, how), std::string(content));
            const bool any_good = mask != 7;
            ASSERT_EQ(replies.size(), 3U) << how;
            for (std::size_t index = 0; index < 3; ++index)
                EXPECT_EQ(replies[index].code, expected_code(names[index], any_good, how)) << how;
            const bool arrives = any_good && !(how & (kRefuseData | kRefuseContent));
            ASSERT_EQ(pair.server.messages.size(), before + (arrives ? 1 : 0)) << how;
            if (!arrives) continue;
            EXPECT_EQ(pair.server.messages.back().content, normalized(content)) << how;
            std::erase_if(names, [](const auto& name) { return name.starts_with("no"); });
            EXPECT_EQ(pair.server.messages.back().recipients, names);
        }
        EXPECT_TRUE(pair.client.ready());
    }
}

TEST(SessionPair, TriesNothingBeyondTheServersSize) {
    Pair pair(0);
    pair.run();
    const auto replies = pair.hand_over(transaction_to({"yes"}, 0), std::string(65537, 'x'));
    ASSERT_EQ(replies.size(), 1U);
    EXPECT_EQ(replies.front().code, 552);
    EXPECT_EQ(pair.hand_over(transaction_to({"yes"}, 0), "x").front().code, 250);
}

/// Each with what it needs on, and a content that no other way of sending would leave as it is.
class SessionPairFor : public testing::TestWithParam<unsigned> {};

TEST_P(SessionPairFor, CarriesParametersAndBinaryContent) {
    Pair pair(GetParam() | kChunks);
    pair.run();
    auto transaction = transaction_to({"yes", "no"}, GetParam());
    auto& parameters = transaction.parameters;
    parameters.body = mail::BodyType::binary;
    parameters.ret = mail::ReturnContent::headers;
    parameters.envid = "an id+";
    parameters.priority = std::int8_t{-4};
    transaction.sender.mailbox = *mail::parse_mailbox("j\xc3\xb6rg@m\xc3\xbcller.example", mail::Charset::utf8);
    transaction.recipients[0].parameters = {.notify = {.given = true, .success = true, .delay = true},
                                            .original_recipient = OriginalRecipient{"utf-8", "m\xc3\xbc ller"}};
    const std::string content("\0.\r\n.\r\n\n\r.\n", 11);
    const auto wanted = transaction.recipients[0].parameters;
    auto said = parameters;
    said.smtputf8 = true;  // the sender needs it
    said.size = base::Octets{content.size()};
    const auto replies = pair.hand_over(std::move(transaction), content);
    ASSERT_EQ(replies.size(), 2U);
    EXPECT_EQ(replies[0].code, 250);
    EXPECT_EQ(replies[1].code, 550);
    ASSERT_EQ(pair.server.messages.size(), 1U);
    const auto& arrived = pair.server.messages.front();
    EXPECT_EQ(arrived.content, content);
    EXPECT_EQ(arrived.parameters, said);
    EXPECT_EQ(arrived.of_recipients.front(), wanted);
    EXPECT_EQ(pair.hand_over(transaction_to({"yes"}, 0), "x").front().code, 250) << "and goes on";
}

INSTANTIATE_TEST_SUITE_P(EveryWay, SessionPairFor,
                         testing::Values(0U, kOctets, kLmtp, kLmtp | kOctets, kNoPipelining, kNoPipelining | kOctets,
                                         kNoPipelining | kLmtp));

// ---- Every set of extensions

/// Bits of a number: what the server offers. STARTTLS and AUTH are kTls and kAuth.
constexpr unsigned kPipelining = 4, kSize = 8, kEightBitMime = 16, kChunking = 32, kBinaryMime = 64, kSmtpUtf8 = 128, kDsn = 256,
                   kRequireTls = 512, kDeliverBy = 1024, kPriority = 2048, kRelease = 4096, kLimits = 8192, kSets = 16384;
constexpr unsigned kRarer = kRequireTls | kDeliverBy | kPriority | kRelease | kLimits;

ServerExtensions offered_in(unsigned set) {
    return {.pipelining = (set & kPipelining) != 0,
            .size = (set & kSize) != 0,
            .eight_bit_mime = (set & kEightBitMime) != 0,
            .chunking = (set & kChunking) != 0,
            .binary_mime = (set & kBinaryMime) != 0,
            .smtputf8 = (set & kSmtpUtf8) != 0,
            .limits = (set & kLimits) != 0,
            .dsn = (set & kDsn) != 0,
            .require_tls = (set & kRequireTls) != 0,
            .future_release = set & kRelease ? std::optional(FutureRelease{.interval = std::chrono::hours(1), .until = {}}) : std::nullopt,
            .deliver_by = set & kDeliverBy ? std::optional(std::chrono::seconds(60)) : std::nullopt,
            .mt_priority = set & kPriority ? std::optional<std::string>("MIXER") : std::nullopt};
}

/// What is handed over, and the extensions without which it cannot be.
struct Load {
    const char* name;
    mail::BodyType body;
    std::string_view sender;
    std::string_view content;
    unsigned needs;
    std::string_view refusal;  // without them
};
constexpr Load kLoads[] = {
    {"7-bit", mail::BodyType::seven_bit, "a@client.example", ".\r\ntext\r\n", 0, ""},
    {"8-bit", mail::BodyType::eight_bit, "a@client.example", "Gr\xc3\xbc\xc3\x9f Gott\r\n.\r\n", 0, ""},
    {"UTF-8", mail::BodyType::eight_bit, "j\xc3\xb6rg@client.example", "From: j\xc3\xb6rg@client.example\r\n\r\n", kSmtpUtf8, "5.6.7"},
    {"binary", mail::BodyType::binary, "a@client.example", {"\0\n.\r\n.\r\n\r", 9}, kChunking | kBinaryMime, "5.6.3"},
    {"under TLS", mail::BodyType::seven_bit, "a@client.example", "text\r\n", kTls | kRequireTls, "5.7.30"},
};

constexpr std::chrono::seconds kHeldFor{90};
constexpr DeliverBy kBy{.within = std::chrono::seconds(600), .mode = ByMode::return_message, .trace = true};

/// Of the two recipients, who is refused.
enum class Refused { nobody, second, all };

Transaction transaction_for(const Load& load, Refused refused) {
    Transaction transaction = transaction_to({refused == Refused::all ? "no0" : "yes0", refused == Refused::nobody ? "yes1" : "no1"}, 0);
    transaction.sender.mailbox = *mail::parse_mailbox(load.sender, mail::Charset::utf8);
    transaction.parameters.body = load.body;
    transaction.parameters.envid = "an id";
    transaction.parameters.require_tls = (load.needs & kRequireTls) != 0;
    transaction.parameters.priority = std::int8_t{-3};
    transaction.parameters.hold_for = kHeldFor;
    transaction.parameters.deliver_by = kBy;
    transaction.recipients[0].parameters.notify = {.given = true, .success = true};
    return transaction;
}

void expect_arrived(const Message& arrived, const Load& load, unsigned set) {
    const bool binary = load.body == mail::BodyType::binary;
    EXPECT_EQ(arrived.content, binary ? std::string(load.content) : normalized(load.content));
    EXPECT_EQ(arrived.parameters.body, binary || set & kEightBitMime ? load.body : mail::BodyType::seven_bit);
    EXPECT_EQ(arrived.parameters.envid, set & kDsn ? "an id" : "");
    EXPECT_EQ(arrived.of_recipients.front().notify.success, (set & kDsn) != 0);
    EXPECT_EQ(arrived.parameters.size.has_value(), (set & kSize) != 0);
    EXPECT_EQ(arrived.parameters.smtputf8, load.needs == kSmtpUtf8);
    EXPECT_EQ(arrived.parameters.require_tls, (load.needs & kRequireTls) != 0);
    EXPECT_EQ(arrived.parameters.priority.has_value(), (set & kPriority) != 0);
    EXPECT_EQ(arrived.parameters.hold_for, set & kRelease ? std::optional(kHeldFor) : std::nullopt);
    EXPECT_EQ(arrived.parameters.deliver_by, set & kDeliverBy ? std::optional(kBy) : std::nullopt);
}

void hand_over(Pair& pair, const Load& load, Refused refused, unsigned set) {
    const auto before = pair.server.messages.size();
    const auto replies = pair.hand_over(transaction_for(load, refused), std::string(load.content));
    ASSERT_EQ(replies.size(), 2U);
    if ((set & load.needs) != load.needs) {
        for (const auto& reply : replies) EXPECT_EQ(mail::render_status(*reply.status), load.refusal);
        EXPECT_EQ(pair.server.messages.size(), before);
        return;
    }
    EXPECT_EQ(replies[0].code, refused == Refused::all ? 550 : 250);
    EXPECT_EQ(replies[1].code, refused == Refused::nobody ? 250 : 550);
    ASSERT_EQ(pair.server.messages.size(), before + (refused == Refused::all ? 0 : 1));
    if (refused != Refused::all) expect_arrived(pair.server.messages.back(), load, set);
}

TEST(SessionPair, NeedsOfWhatIsOfferedOnlyWhatTheMessageNeeds) {
    for (unsigned set = 0; set < kSets; ++set) {
        if ((set & kAuth) && !(set & kTls)) continue;  // AUTH is for TLS
        for (const unsigned how : {0U, kOctets, kLmtp}) {
            if (how != 0 && (set & kRarer) != 0 && (set & kRarer) != kRarer) continue;  // a matter of parameters, not of octets
            Pair pair((set & (kTls | kAuth)) | how, offered_in(set));
            pair.run();
            ASSERT_TRUE(pair.ready) << set;
            EXPECT_EQ(pair.client.extensions().limits.recipients.has_value(), (set & kLimits) != 0) << set;
            for (const auto& load : kLoads) {
                for (const auto refused : {Refused::nobody, Refused::second, Refused::all}) {
                    SCOPED_TRACE(std::string(load.name) + " with " + std::to_string(set) + ", " + std::to_string(how));
                    hand_over(pair, load, refused, set);
                    if (testing::Test::HasFailure()) return;
                }
            }
            EXPECT_TRUE(pair.client.ready()) << set;
        }
    }
}

}  // namespace
}  // namespace thurn::smtp
