// The client's session against the server's. The first octets choose what is offered and how octets are cut, the rest is a content of any
// octets, handed over twice on one connection. Whatever way it takes, by DATA or in chunks, what arrives is what was handed over.
#include "require.h"
#include "smtp/client_session.h"
#include "smtp/server_session.h"

#include <algorithm>
#include <string>

using namespace thurn;
using namespace thurn::smtp;
using fuzz::require;

namespace {

constexpr std::size_t kHead = 4;

struct Choice {
    unsigned offered;
    std::size_t piece;  // octets of content handed over at once
    std::size_t cut;    // octets of the wire carried at once
    mail::BodyType body;
};

Choice choice_of(std::string_view head) {
    const auto octet = [&](std::size_t at) { return static_cast<unsigned char>(head[at]); };
    constexpr mail::BodyType kBodies[] = {mail::BodyType::seven_bit, mail::BodyType::eight_bit, mail::BodyType::binary};
    return {.offered = octet(0), .piece = octet(1) + 1U, .cut = octet(2) + 1U, .body = kBodies[octet(3) % 3]};
}

ServerOptions server_options(unsigned offered) {
    ServerOptions options;
    options.hostname = "server.example";
    options.protocol = offered & 128 ? Protocol::lmtp : Protocol::smtp;
    options.extensions = {.pipelining = (offered & 1) != 0,
                          .size = (offered & 2) != 0,
                          .eight_bit_mime = (offered & 4) != 0,
                          .chunking = (offered & 8) != 0,
                          .binary_mime = (offered & 16) != 0,
                          .smtputf8 = (offered & 32) != 0,
                          .dsn = (offered & 64) != 0};
    return options;
}

ClientOptions client_options(unsigned offered) {
    ClientOptions options;
    options.hello_name = "client.example";
    options.protocol = offered & 128 ? Protocol::lmtp : Protocol::smtp;
    options.chunking = Chunking::when_offered;
    return options;
}

/// CRLF for every line end of any kind, and one at the end.
std::string by_lines(std::string_view content) {
    std::string result;
    for (std::size_t at = 0; at < content.size(); ++at) {
        if (content.substr(at, 2) == "\r\n") ++at;
        if (content[at] == '\r' || content[at] == '\n')
            result += "\r\n";
        else
            result += content[at];
    }
    if (!result.empty() && !result.ends_with("\r\n")) result += "\r\n";
    return result;
}

class Pair {
public:
    Pair(Choice choice, std::string_view content)
        : choice_(choice), content_(content), server_(server_options(choice.offered)), client_(client_options(choice.offered)) {
        server_.greet();
    }
    void run() {
        for (int idle = 0; idle < 2;) {
            const bool said = carry(client_.take_output(), server_);
            const bool answered = carry(server_.take_output(), client_);
            pump_server();
            pump_client();
            idle = said || answered ? 0 : idle + 1;
        }
        require(ended_ == 2, "both messages have an end");
    }

private:
    template <class To>
    bool carry(const std::string& octets, To& to) {
        for (std::string_view rest = octets; !rest.empty(); rest.remove_prefix(std::min(choice_.cut, rest.size()))) {
            to.receive(rest.substr(0, choice_.cut));
            pump_server();
            pump_client();
        }
        return !octets.empty();
    }
    void pump_server() {
        while (auto event = server_.next_event()) {
            if (auto* chunk = std::get_if<ContentChunk>(&*event)) arrived_ += chunk->octets;
            if (std::holds_alternative<ContentDropped>(*event)) arrived_.clear();
            if (std::holds_alternative<ContentEnded>(*event)) on_content();
            require(!std::holds_alternative<CommandRefused>(*event) || has_nul(), "the client says nothing that is refused");
            server_.accept();
        }
    }
    void on_content() {
        require(arrived_ == (choice_.body == mail::BodyType::binary ? std::string(content_) : by_lines(content_)), "what arrives was sent");
        arrived_.clear();
        ++taken_;
    }
    void pump_client() {
        while (auto event = client_.next_event()) {
            if (std::holds_alternative<Ready>(*event)) begin();
            if (std::holds_alternative<ContentWanted>(*event)) send_content();
            if (auto* ended = std::get_if<TransactionEnded>(&*event)) on_end(*ended);
            require(!std::holds_alternative<ClientFailed>(*event), "nothing fails between the two");
        }
    }
    void begin() {
        Transaction transaction;
        transaction.parameters.body = choice_.body;
        transaction.parameters.size = base::Octets{content_.size()};
        for (const char* name : {"a", "b"}) transaction.recipients.push_back({*mail::parse_mailbox(std::string(name) + "@server.example")});
        client_.begin(std::move(transaction));
    }
    void send_content() {
        for (std::string_view rest = content_; !rest.empty(); rest.remove_prefix(std::min(choice_.piece, rest.size())))
            client_.content(rest.substr(0, choice_.piece));
        client_.content_end();
    }
    void on_end(const TransactionEnded& ended) {
        const bool binary = choice_.body == mail::BodyType::binary;
        const bool passes = binary ? (choice_.offered & 24) == 24 : !has_nul();
        require(ended.replies.size() == 2, "a reply for each recipient");
        for (const auto& reply : ended.replies) require(reply.positive() == passes, "taken if it can be, refused if it cannot");
        ++ended_;
        require(taken_ == (passes ? ended_ : 0), "taken as often as it is said to be");
        if (ended_ < 2) begin();
    }
    [[nodiscard]] bool has_nul() const { return content_.find('\0') != std::string_view::npos; }

    Choice choice_;
    std::string_view content_;
    ServerSession server_;
    ClientSession client_;
    std::string arrived_;
    int taken_ = 0;
    int ended_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < kHead || size > 4096) return 0;
    const auto input = fuzz::as_text(data, size);
    Pair(choice_of(input), input.substr(kHead)).run();
    return 0;
}
