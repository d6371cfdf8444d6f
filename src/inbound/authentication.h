#pragma once

#include "mailauth/arc_seal.h"
#include "mailauth/findings.h"
#include "mailauth/public_suffix.h"
#include "mailauth/signatory.h"
#include "net/resolver.h"
#include "policy/authentication_rule.h"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

namespace thurn::inbound {

/// What mail from outside is checked for, and what of ours is signed with.
struct AuthenticationOptions {
    bool check = true;
    std::string authserv_id;  // ours, in Authentication-Results
    policy::AuthenticationRules rules{};
    mailauth::SignaturePolicy signatures{};
    std::shared_ptr<const mailauth::PublicSuffixList> suffixes{};  // given: DMARC as RFC 7489 had it
    std::chrono::seconds time_limit{20};                           // for what DNS has not said when the content is there
    std::shared_ptr<const mailauth::Signatory> signatory{};        // without one, nothing is signed or sealed
    bool seal = true;                                              // what is forwarded gets an ARC set of ours
};

/// Checks one message while it arrives: DNS is asked beside the conversation, so that mostly everything is known when the content ends.
///
/// Loop     begin() when the content begins; take_header(), feed() the content; async_finish().
/// Errors   What is not known within the limit counts as not to be had: temperror.
/// Threads  One: that of `executor`, on which it must be created too. Look-ups under way keep it alive.
class Authentication : public std::enable_shared_from_this<Authentication> {
public:
    /// `resolver` outlives the loops.
    Authentication(boost::asio::any_io_executor executor, net::Resolver& resolver, std::shared_ptr<const AuthenticationOptions> options,
                   mailauth::MessageOrigin origin);

    void begin();
    /// `header` with its empty line. `sealed_for`: whose key would seal the message, if it is to be passed on; else empty.
    void take_header(std::string header, std::string_view sealed_for);
    void feed(std::string_view body) { signatures_->feed(body); }
    /// Content filters have changed the message: what is sealed is what goes on. Before async_finish(), then feed_changed() of the new body.
    void change(std::string header);
    void feed_changed(std::string_view body) {
        if (sealer_) changed_body_.feed(body);
    }
    /// Precondition: take_header() was called.
    [[nodiscard]] boost::asio::awaitable<mailauth::Findings> async_finish();
    /// After take_header(): as it came.
    [[nodiscard]] const mailauth::MessageHeader& header() const { return signatures_->header(); }
    /// `fields`: an ARC set for the top of the message; empty where it is not to be passed on, there is no key, or the chain takes no more.
    /// `told`: how that went, for the trace; nothing of a message that stays here.
    struct Seal {
        std::string fields{};
        std::optional<mailauth::FindingLine> told{};
    };
    /// Precondition: async_finish() has ended.
    [[nodiscard]] Seal seal(const mailauth::Findings& findings) const;

private:
    template <class Core>
    void look_up(Core& core);
    template <class Core>
    [[nodiscard]] static boost::asio::awaitable<void> async_look_up(std::shared_ptr<Authentication> self, Core& core);
    [[nodiscard]] boost::asio::awaitable<void> async_wait(std::chrono::steady_clock::time_point deadline);
    void prepare_seal(std::string_view domain);
    void seal_with(const mailauth::MessageHeader& header, mailauth::BodyHasher& body);

    net::Resolver& resolver_;
    std::shared_ptr<const AuthenticationOptions> options_;
    mailauth::MessageOrigin asked_;
    mailauth::OriginCheck origin_;
    std::optional<mailauth::SignatureCheck> signatures_;
    const mailauth::SigningKey* seal_key_ = nullptr;  // the signatory's
    std::optional<mailauth::MessageHeader> changed_header_;
    mailauth::BodyHasher changed_body_;
    std::optional<mailauth::ArcSealer> sealer_;
    std::string why_no_seal_;  // for people; empty where none is wanted
    std::optional<mailauth::Logged<mailauth::DmarcCheck>> dmarc_;
    boost::asio::any_io_executor executor_;
    boost::asio::steady_timer quiet_;  // cancelled when nothing is under way any more
    unsigned under_way_ = 0;
    bool given_up_ = false;
};

}  // namespace thurn::inbound
