#pragma once

#include "milter/answer.h"
#include "milter/packet.h"
#include "milter/protocol.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace thurn::milter {

/// Who the client is that the filter shall judge.
struct Client {
    enum class Family : char { unknown = 'U', local = 'L', ipv4 = '4', ipv6 = '6' } family = Family::unknown;
    std::string name;  // `[192.0.2.1]` where there is none
    std::uint16_t port = 0;
    std::string address;  // or the path of a local socket
};

/// The mail server's side of one connection to a content filter (milter), without I/O.
///
/// Loop     A step (negotiate() first, then connect(), helo(), mail(), …) → take_output() → send; while waits(), receive() and next() until
///          it gives a Verdict, or the Agreement.
/// Steps    What the filter does not want is left out, its macros aside; what it does not answer needs no wait. In order, as SMTP has them:
///          the filter's state follows from them. After a Verdict that ends a message, abort() before the next mail().
/// Changes  Come before the Verdict on end_of_message(), in their order.
/// Errors   Of next(): `syntax`, what the protocol does not allow, here or at all; `too_long`, beyond the limits. The session is dead then.
/// Limits   See Options; holds one packet.
/// Source   libmilter's mfdef.h; Postfix's milter8.c for what filters rely on.
class Session {
public:
    struct Options {
        std::size_t most_octets = std::size_t{1} << 20;  // of one packet
        std::size_t changes = 2000;                      // of one message, pieces of its body aside
        std::size_t changed_octets = std::size_t{64} << 20;
    };
    Session() : Session(Options{}) {}
    explicit Session(Options options) : options_(options), reader_(options.most_octets) {}

    void negotiate();
    /// Precondition of these: not waits(), and the Agreement was given. `macros`: all that is known; those of the stage are chosen.
    void connect(const Client& client, const Macros& macros);
    void helo(std::string_view name, const Macros& macros);
    /// `arguments`: the path in angle brackets, then each parameter.
    void mail(std::span<const std::string> arguments, const Macros& macros);
    void rcpt(std::span<const std::string> arguments, const Macros& macros);
    void data(const Macros& macros);
    void unknown(std::string_view line, const Macros& macros);
    /// `value`: all that stands behind the colon, folded as it is in the message.
    void header(std::string_view name, std::string_view value);
    void end_of_header(const Macros& macros);
    void body(std::string_view octets);  // at most kBodyChunk
    void end_of_message(const Macros& macros);
    /// The message will not be ended; the connection is ready for another one.
    void abort();
    void quit();
    /// Another client's connection may begin behind it, with connect().
    void quit_and_reconnect();

    void receive(std::string_view octets) { reader_.receive(octets); }
    /// The next thing the filter says; nothing when more octets are needed.
    [[nodiscard]] base::Result<std::optional<Said>> next();
    [[nodiscard]] bool waits() const { return open_ != Step::none; }
    [[nodiscard]] std::string take_output() { return writer_.take(); }
    [[nodiscard]] std::size_t output_size() const { return writer_.size(); }

    [[nodiscard]] const Agreement& agreement() const { return agreement_; }
    [[nodiscard]] bool keeps_leading_space() const { return (agreement_.steps & step::leading_space) != 0; }
    [[nodiscard]] bool wants_body() const { return (agreement_.steps & step::no_body) == 0; }
    [[nodiscard]] bool wants_headers() const { return (agreement_.steps & step::no_headers) == 0; }

private:
    enum class Step { none, negotiation, envelope, body, end_of_message };
    /// What leaves a step out, and what leaves its answer out.
    struct Flags {
        std::uint32_t unwanted;
        std::uint32_t silent;
    };
    [[nodiscard]] bool wants(Flags flags) const { return (agreement_.steps & flags.unwanted) == 0; }
    void await(Flags flags, Step step = Step::envelope);
    void macros(Command command, std::optional<Stage> stage, const Macros& known);
    void arguments(Command command, std::span<const std::string> arguments);
    void send(Command command);
    [[nodiscard]] base::Result<void> check(const Said& said);
    [[nodiscard]] base::Result<void> check_agreement(const Agreement& agreement);
    [[nodiscard]] base::Result<void> check_change(const Change& change);
    [[nodiscard]] base::Result<void> check_verdict(const Verdict& verdict) const;

    Options options_;
    PacketReader reader_;
    PacketWriter writer_;
    Agreement agreement_;
    Step open_ = Step::none;
    std::size_t changes_ = 0;
    std::size_t changed_octets_ = 0;
    std::optional<base::Error> error_;
};

}  // namespace thurn::milter
