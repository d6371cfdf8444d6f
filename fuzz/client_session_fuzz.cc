// The first octet chooses options; the rest is what the server says, in pieces ended by 0xff. The driver hands over one message after
// another for as long as it is let.
#include "require.h"
#include "smtp/client_session.h"

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

ClientOptions options_from(unsigned bits) {
    static NoRandom random;
    ClientOptions options;
    options.random = &random;
    options.hello_name = "me.example";
    options.starttls = bits & 1 ? StartTls::must : bits & 2 ? StartTls::may : StartTls::never;
    options.tls_active = (bits & 4) != 0;
    if (bits & 64) options.protocol = Protocol::lmtp;
    if (bits & 128) options.chunking = Chunking::when_offered;
    if (bits & 8) options.credentials = ClientCredentials{"joe", "secret"};
    return options;
}

class Driver {
public:
    explicit Driver(unsigned bits) : session(options_from(bits)), bits_(bits), tls_(bits & 4) {}

    void handle_all() {
        while (auto event = session.next_event()) {
            require(!failed_, "nothing after ClientFailed");
            std::visit([this](auto& given) { on(given); }, *event);
        }
        check_output(session.take_output());
        require(failed_ == session.closed() || quit_, "closed means failed");
    }
    ClientSession session;

private:
    void on(Ready&) {
        require(session.ready(), "ready means ready");
        if (bits_ & 1) require(tls_, "no mail in clear where TLS is demanded");
        begin();
    }
    void on(ClientTlsWanted&) {
        require(!tls_, "TLS once");
        if (bits_ & 16) return;  // plaintext may follow: it must not be taken
        tls_ = true;
        session.tls_started();
    }
    void on(ContentWanted&) {
        require(in_transaction_, "content belongs to a transaction");
        session.content("Subject: x\r\n\r\n.\nMAIL FROM:<evil@example>\r.\r\n");
        session.content_end();
        content_sent_ = true;
    }
    void on(TransactionEnded& ended) {
        require(std::exchange(in_transaction_, false) && ended.replies.size() == 2, "a reply for each recipient");
        for (const auto& reply : ended.replies) {
            require(reply.code >= 200 && !reply.lines.empty() && !reply.intermediate(), "each reply is one");
            if (reply.positive()) require(content_sent_, "nothing is delivered that was not sent");
        }
        if (!session.ready()) return;
        if (++messages_ < 3) return begin();
        session.quit();
        quit_ = true;
    }
    void on(ClientFailed& failed) {
        require(session.closed(), "failed means closed");
        require(!failed.error.detail.empty(), "failures are told");
        failed_ = true;
    }
    void begin() {
        in_transaction_ = true;
        content_sent_ = false;
        const auto box = [](std::string_view text) { return *mail::parse_mailbox(text); };
        Transaction transaction{
            .sender = {box("a@a.example")}, .recipients = {{box("b@b.example")}, {box("\"c d\"@b.example")}}, .parameters = {}};
        transaction.parameters.size = base::Octets{100};
        transaction.parameters.body = bits_ & 128 ? mail::BodyType::binary : mail::BodyType::eight_bit;
        transaction.parameters.envid = "x y";
        transaction.recipients.front().parameters.notify.given = true;
        session.begin(std::move(transaction));
    }
    void check_output(std::string_view octets) {
        for (std::size_t at = 0; at < octets.size() && !(bits_ & 128); ++at) {
            require(octets[at] != '\n' || (at > 0 && octets[at - 1] == '\r'), "no bare LF");
            require(octets[at] != '\r' || (at + 1 < octets.size() && octets[at + 1] == '\n'), "no bare CR");
        }
        if (!tls_) require(octets.find("AUTH ") == std::string_view::npos, "no password in clear");
    }

    unsigned bits_;
    bool tls_;
    bool in_transaction_ = false, content_sent_ = false, failed_ = false, quit_ = false;
    int messages_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    Driver driver(data[0]);
    auto pieces = fuzz::as_text(data, size).substr(1);
    while (!pieces.empty()) {
        const auto piece = pieces.substr(0, pieces.find('\xff'));
        pieces.remove_prefix(std::min(piece.size() + 1, pieces.size()));
        driver.session.receive(piece);
        driver.handle_all();
    }
    if (data[0] & 32)
        driver.session.peer_closed();
    else
        driver.session.timed_out();
    driver.handle_all();
    require(driver.session.closed(), "over is over");
    return 0;
}
