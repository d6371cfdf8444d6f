// Runs tests/transcripts/*.smtp in memory, with the client's octets cut in every way. What each shows is listed in their README.md;
// tests/system/test_transcripts.py runs many over sockets. The other side of the session is fixed:
//
//   EHLO    refused* 550 5.7.1, else accepted
//   MAIL    blocked* 550 5.7.1, later* 450 4.7.1, else accepted
//   RCPT    unknown* 550 5.1.1, later* 450 4.7.1, closing* 421 4.7.0, else accepted
//   AUTH    the password `secret` is right, `later` 454 4.7.0, else 535 5.7.8
//   DATA    sender nodata* 450 4.7.1, else 354
//   VRFY    unknown* 550 5.1.1, else 250 with the text
//   EXPN    `list` 250 with two members, else accepted, which is 252
//   ETRN    unknown* 459 4.7.0, else accepted
//   XCLIENT NAME=evil 550 5.7.0, else accepted
//   content holding `X-Each` 250 and 452 4.2.2 in turn, `X-Unanswered` nothing to LMTP's recipients, `X-Refuse` 550 5.7.1, `X-Later` 450 4.7.1, else 250
#include "support/transcript.h"

#include "mail/date.h"
#include "smtp/server_session.h"

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <regex>
#include <set>

#include <gtest/gtest.h>

namespace thurn::smtp {
namespace {

using tests::Transcript;
using tests::TranscriptStep;

/// How the pieces of the client are cut.
struct Split {
    std::size_t at = 0;     // every piece in two at this place; 0: not at all
    std::size_t every = 0;  // in pieces of so many octets
};

/// `extensions=chunking,dsn`: what is on beside the defaults.
ServerExtensions extensions_of(std::string_view names) {
    ServerExtensions extensions;
    const std::map<std::string_view, std::function<void()>> known{
        {"chunking", [&] { extensions.chunking = true; }},
        {"binarymime", [&] { extensions.binary_mime = true; }},
        {"smtputf8", [&] { extensions.smtputf8 = true; }},
        {"limits", [&] { extensions.limits = true; }},
        {"dsn", [&] { extensions.dsn = true; }},
        {"requiretls", [&] { extensions.require_tls = true; }},
        {"futurerelease",
         [&] { extensions.future_release = {std::chrono::seconds(604800), *mail::parse_timestamp("2027-01-01T00:00:00Z")}; }},
        {"deliverby", [&] { extensions.deliver_by = std::chrono::seconds(60); }},
        {"vrfy", [&] { extensions.vrfy = true; }},
        {"expn", [&] { extensions.expn = true; }},
        {"etrn", [&] { extensions.etrn = true; }},
        {"xclient", [&] { extensions.xclient = true; }},
        {"xforward", [&] { extensions.xforward = true; }},
        {"mtpriority", [&] { extensions.mt_priority = "MIXER"; }}};
    while (!names.empty()) {
        const auto name = names.substr(0, names.find(','));
        names.remove_prefix(std::min(names.size(), name.size() + 1));
        known.at(name)();
    }
    return extensions;
}

ServerOptions options_of(const Transcript& transcript) {
    ServerOptions options{.hostname = "mx.example.com"};
    const auto number = [&](const char* key, std::size_t& into) {
        if (const auto found = transcript.options.find(key); found != transcript.options.end()) into = std::stoul(found->second);
    };
    number("recipients", options.recipients);
    number("command_line", options.command_line);
    number("auth_line", options.auth_line);
    number("content_line", options.content_line);
    number("messages", options.messages);
    number("commands", options.commands);
    number("errors", options.errors);
    number("auth_failures", options.auth_failures);
    std::size_t size = options.message_size.count;
    number("message_size", size);
    options.message_size.count = size;
    const std::map<std::string, TlsState> tls{
        {"unavailable", TlsState::unavailable}, {"offered", TlsState::offered}, {"active", TlsState::active}};
    const std::map<std::string, AuthRule> auth{{"off", AuthRule::off}, {"offered", AuthRule::offered}, {"required", AuthRule::required}};
    if (transcript.options.contains("lmtp")) options.protocol = Protocol::lmtp;
    if (const auto found = transcript.options.find("tls"); found != transcript.options.end()) options.tls = tls.at(found->second);
    if (const auto found = transcript.options.find("auth"); found != transcript.options.end()) options.auth = auth.at(found->second);
    if (const auto found = transcript.options.find("extensions"); found != transcript.options.end())
        options.extensions = extensions_of(found->second);
    return options;
}

/// Answers the session's events as the essay above says, and keeps what was accepted.
class Inbound {
public:
    explicit Inbound(ServerSession& session) : session_(session) {}

    void handle_all() {
        while (auto event = session_.next_event()) std::visit([this](auto& given) { on(given); }, *event);
    }
    [[nodiscard]] long accepted() const { return accepted_; }
    /// True once after TlsWanted.
    [[nodiscard]] bool take_tls_wanted() { return std::exchange(tls_wanted_, false); }

private:
    void on(HelloGiven& given) {
        if (given.name.starts_with("refused"))
            session_.answer(make_reply(550, {5, 7, 1}, "Not you"));
        else
            session_.accept();
    }
    void on(SecretWanted&) { ADD_FAILURE() << "without random there is no SCRAM"; }
    void on(CredentialsGiven& given) {
        if (given.password == "secret")
            session_.accept();
        else if (given.password == "later")
            session_.answer(make_reply(454, {4, 7, 0}, "Later"));
        else
            session_.answer(make_reply(535, {5, 7, 8}, "Login or password is wrong"));
    }
    void on(SenderGiven& given) {
        recipients_ = 0;
        binary_ = given.parameters.body == mail::BodyType::binary;
        sender_ = given.path.mailbox ? given.path.mailbox->local : "";
        if (sender_.starts_with("blocked"))
            session_.answer(make_reply(550, {5, 7, 1}, "Blocked"));
        else if (sender_.starts_with("later"))
            session_.answer(make_reply(450, {4, 7, 1}, "Later"));
        else
            session_.accept();
    }
    void on(RecipientGiven& given) {
        if (given.mailbox.local.starts_with("unknown"))
            session_.answer(make_reply(550, {5, 1, 1}, "No such user"));
        else if (given.mailbox.local.starts_with("later"))
            session_.answer(make_reply(450, {4, 7, 1}, "Later"));
        else if (given.mailbox.local.starts_with("closing"))
            session_.answer(make_reply(421, {4, 7, 0}, "Closing"));
        else
            accept_recipient();
    }
    void accept_recipient() {
        ++recipients_;
        session_.accept();
    }
    /// LMTP: every second recipient is over quota.
    void answer_each() {
        std::vector<Reply> replies;
        for (int index = 0; index < recipients_; ++index)
            replies.push_back(index % 2 == 0 ? make_reply(250, {2, 0, 0}, "Delivered") : make_reply(452, {4, 2, 2}, "Mailbox full"));
        ++accepted_;
        session_.answer_each(replies);
    }
    void on(VerifyWanted& wanted) {
        if (wanted.text.starts_with("unknown"))
            session_.answer(make_reply(550, {5, 1, 1}, "No such user"));
        else
            session_.answer(make_reply(250, {2, 1, 5}, "<" + wanted.text + ">"));
    }
    void on(ExpandWanted& wanted) {
        if (wanted.text == "list")
            session_.answer({.code = 250, .status = mail::EnhancedStatus{2, 1, 5}, .lines = {"<a@b.example>", "<c@d.example>"}});
        else
            session_.accept();
    }
    void on(QueueRunWanted& wanted) {
        if (wanted.name.starts_with("unknown"))
            session_.answer(make_reply(459, {4, 7, 0}, "Not for you"));
        else
            session_.accept();
    }
    void on(XclientGiven& given) {
        if (find_attribute(given.attributes, ProxyAttribute::Name::name)->value == "evil")
            session_.answer(make_reply(550, {5, 7, 0}, "Not from you"));
        else
            session_.accept();
    }
    void on(XforwardGiven&) { session_.accept(); }
    void on(EarlyTalk&) { ADD_FAILURE() << "greeted before anything was said"; }
    void on(ImproperPipelining& told) { EXPECT_FALSE(told.verb.empty()); }
    void on(ContentBegins&) {
        content_.clear();
        if (sender_.starts_with("nodata"))
            session_.answer(make_reply(450, {4, 7, 1}, "Not now"));
        else
            session_.accept();
    }
    void on(ContentChunk& chunk) { content_ += chunk.octets; }
    void on(ContentEnded&) {
        check_line_ends();
        if (content_.contains("X-Each")) return answer_each();
        if (content_.contains("X-Unanswered")) return session_.answer_each({});
        if (content_.contains("X-Refuse")) return session_.answer(make_reply(550, {5, 7, 1}, "Refused"));
        if (content_.contains("X-Later")) return session_.answer(make_reply(450, {4, 7, 1}, "Later"));
        ++accepted_;
        session_.accept();
    }
    void on(ContentDropped&) { content_.clear(); }
    void on(TransactionReset&) {}
    void on(TlsWanted&) { tls_wanted_ = true; }
    void on(CommandRefused& refused) { EXPECT_GE(refused.reply.code, 400); }

    void check_line_ends() {
        if (binary_) return;
        EXPECT_TRUE(content_.empty() || content_.ends_with("\r\n"));
        for (std::size_t at = 0; at < content_.size(); ++at) {
            if (content_[at] == '\r') EXPECT_TRUE(at + 1 < content_.size() && content_[at + 1] == '\n');
            if (content_[at] == '\n') EXPECT_TRUE(at > 0 && content_[at - 1] == '\r');
        }
    }

    ServerSession& session_;
    std::string sender_;
    bool binary_ = false;
    int recipients_ = 0;
    std::string content_;
    long accepted_ = 0;
    bool tls_wanted_ = false;
};

class Runner {
public:
    Runner(const Transcript& transcript, Split split)
        : transcript_(transcript), split_(split), session_(options_of(transcript)), inbound_(session_) {}

    void run() {
        session_.greet();
        ASSERT_TRUE(session_.take_output().starts_with("220 mx.example.com "));
        for (const auto& step : transcript_.steps) {
            SCOPED_TRACE(transcript_.name + ":" + std::to_string(step.line) + " split " +
                         (split_.every ? "every " + std::to_string(split_.every) : std::to_string(split_.at)));
            take(step);
            if (testing::Test::HasFailure()) return;
        }
        EXPECT_TRUE(replies_.empty()) << "left over: " << replies_.front();
    }

    /// Every line the server said behind its greeting.
    [[nodiscard]] const std::string& heard() const { return heard_; }

private:
    void take(const TranscriptStep& step) {
        switch (step.kind) {
            case TranscriptStep::Kind::client:
                return say(step.text);
            case TranscriptStep::Kind::server:
                return expect(step.text);
            case TranscriptStep::Kind::time:
                return wait(step.number);
            case TranscriptStep::Kind::stop:
                return stop();
            case TranscriptStep::Kind::accepted:
                EXPECT_EQ(inbound_.accepted(), step.number);
        }
    }
    void say(std::string_view octets) {
        EXPECT_TRUE(replies_.empty()) << "left over: " << replies_.front();
        if (split_.every != 0) {
            for (std::size_t at = 0; at < octets.size(); at += split_.every) feed(octets.substr(at, split_.every));
        } else {
            feed(octets.substr(0, std::min(split_.at, octets.size())));
            if (split_.at < octets.size()) feed(octets.substr(split_.at));
        }
        if (inbound_.take_tls_wanted()) session_.tls_started();  // what stood behind STARTTLS was plaintext
    }
    void feed(std::string_view octets) {
        session_.receive(octets);
        inbound_.handle_all();
        collect();
    }
    void wait(long seconds) {
        if (std::chrono::seconds(seconds) < session_.time_limit()) return;
        session_.timed_out();
        inbound_.handle_all();
        collect();
    }
    void stop() {
        session_.shut_down();
        inbound_.handle_all();
        collect();
    }
    void collect() {
        output_ += session_.take_output();
        for (auto end = output_.find("\r\n"); end != std::string::npos; end = output_.find("\r\n")) {
            replies_.push_back(output_.substr(0, end));
            heard_ += replies_.back() + '\n';
            output_.erase(0, end + 2);
        }
    }
    void expect(const std::string& pattern) {
        if (pattern == "(closed)") {
            EXPECT_TRUE(session_.closed());
            return;
        }
        ASSERT_FALSE(replies_.empty()) << "no reply, wanted " << pattern;
        EXPECT_TRUE(tests::matches(pattern, replies_.front())) << replies_.front() << "\n  wanted " << pattern;
        replies_.pop_front();
    }

    const Transcript& transcript_;
    Split split_;
    ServerSession session_;
    Inbound inbound_;
    std::string output_;
    std::string heard_;
    std::deque<std::string> replies_;
};

class TranscriptTest : public testing::TestWithParam<std::filesystem::path> {};

std::size_t longest_piece(const Transcript& transcript) {
    std::size_t longest = 0;
    for (const auto& step : transcript.steps)
        if (step.kind == TranscriptStep::Kind::client) longest = std::max(longest, step.text.size());
    return longest;
}

constexpr std::size_t kHuge = 1 << 20;  // octets of a piece that is not cut everywhere

TEST_P(TranscriptTest, HoldsForEverySplit) {
    const auto transcript = tests::load_transcript(GetParam());
    Runner(transcript, {}).run();
    if (HasFailure()) return;
    const auto longest = longest_piece(transcript);
    const bool huge = longest > kHuge;
    for (std::size_t every = 1; every <= 7 && !huge && !HasFailure(); every += 2) Runner(transcript, {.at = 0, .every = every}).run();
    const auto stride = 1 + longest / (huge ? 5 : 600);  // long pieces: a sample of the places
    for (std::size_t at = 1; at < longest && !HasFailure(); at += stride) Runner(transcript, {.at = at, .every = 0}).run();
}

/// `501 5.5.4 Bad SIZE value`, for each FixedReply in the sources of this module.
std::set<std::string> refusals_in_sources() {
    const std::regex declared(R"re(FixedReply k\w+\{(\d+), \{(\d+), (\d+), (\d+)\}, "([^"]*)"\})re");
    std::set<std::string> found;
    for (const auto& file : std::filesystem::directory_iterator(THURN_SOURCE_DIR "/src/smtp")) {
        if (file.path().stem().string().ends_with("_test")) continue;
        std::ifstream stream(file.path());
        const std::string text((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
        for (std::sregex_iterator at(text.begin(), text.end(), declared), end; at != end; ++at)
            found.insert((*at)[1].str() + ' ' + (*at)[2].str() + '.' + (*at)[3].str() + '.' + (*at)[4].str() + ' ' + (*at)[5].str());
    }
    return found;
}

/// RFC 2034 §4: the enhanced code has the class of the reply code.
bool class_agrees(std::string_view line) { return line.size() < 6 || line[5] != '.' || line[0] == line[4]; }

TEST(Transcripts, ShowEveryRefusalThereIs) {
    std::string heard;
    for (const auto& file : tests::transcript_files(THURN_SOURCE_DIR "/tests/transcripts")) {
        const auto transcript = tests::load_transcript(file);
        Runner runner(transcript, {});
        runner.run();
        heard += runner.heard();
        for (const auto& step : transcript.steps)
            if (step.kind == TranscriptStep::Kind::server) EXPECT_TRUE(class_agrees(step.text)) << transcript.name << ": " << step.text;
    }
    const auto refusals = refusals_in_sources();
    EXPECT_GT(refusals.size(), 60U);
    for (const auto& refusal : refusals) EXPECT_TRUE(heard.contains(refusal)) << "no transcript shows " << refusal;
}

std::string test_name(const testing::TestParamInfo<std::filesystem::path>& info) {
    auto name = info.param.stem().string();
    std::ranges::replace_if(name, [](unsigned char octet) { return std::isalnum(octet) == 0; }, '_');
    return name;
}

INSTANTIATE_TEST_SUITE_P(Files, TranscriptTest, testing::ValuesIn(tests::transcript_files(THURN_SOURCE_DIR "/tests/transcripts")),
                         test_name);

}  // namespace
}  // namespace thurn::smtp
