#include "inbound/authentication.h"

#include "net/answer_all.h"

#include <utility>

#include <boost/asio/detached.hpp>
#include <fmt/format.h>

namespace thurn::inbound {

namespace asio = boost::asio;

namespace {

std::chrono::seconds seconds_of(base::Time now) { return std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()); }

const dns::Answer& too_late() {
    static const dns::Answer answer{.status = dns::Status::failed, .records = {}, .canonical_name = {}, .detail = "not answered in time"};
    return answer;
}

}  // namespace

Authentication::Authentication(asio::any_io_executor executor, net::Resolver& resolver,
                               std::shared_ptr<const AuthenticationOptions> options, mailauth::MessageOrigin origin)
    : resolver_(resolver),
      options_(std::move(options)),
      asked_(std::move(origin)),
      origin_(asked_),
      executor_(std::move(executor)),
      quiet_(executor_) {}

template <class Core>
asio::awaitable<void> Authentication::async_look_up(std::shared_ptr<Authentication> self, Core& core) {
    for (auto open = core.questions(); !open.empty() && !self->given_up_; open = core.questions()) {
        const auto answers = co_await net::async_ask_all(self->resolver_, open);
        for (std::size_t i = 0; i < open.size() && !self->given_up_; ++i) core.answer(open[i], answers[i]);
    }
    if (--self->under_way_ == 0) self->quiet_.cancel();
}

/// Beside the conversation, which goes on.
template <class Core>
void Authentication::look_up(Core& core) {
    ++under_way_;
    asio::co_spawn(executor_, async_look_up(shared_from_this(), core), asio::detached);
}

void Authentication::begin() { look_up(origin_); }

void Authentication::take_header(std::string header, std::string_view sealed_for) {
    signatures_.emplace(std::move(header), mailauth::DkimVerifyOptions{.now = seconds_of(asked_.now), .policy = options_->signatures});
    if (!sealed_for.empty()) prepare_seal(sealed_for);
    look_up(*signatures_);
}

void Authentication::prepare_seal(std::string_view domain) {
    seal_key_ = options_->signatory ? options_->signatory->sealing_key(domain, asked_.now) : nullptr;
    if (seal_key_ != nullptr)
        seal_with(signatures_->header(), signatures_->body());
    else
        why_no_seal_ = options_->signatory ? options_->signatory->why_unsigned(domain, asked_.now) : "there are no keys";
}

void Authentication::seal_with(const mailauth::MessageHeader& header, mailauth::BodyHasher& body) {
    sealer_.emplace(header, *seal_key_->key, body,
                    mailauth::ArcSealOptions{.domain = seal_key_->domain, .selector = seal_key_->selector, .now = seconds_of(asked_.now)});
}

void Authentication::change(std::string header) {
    if (!sealer_) return;
    changed_header_.emplace(std::move(header));
    seal_with(*changed_header_, changed_body_);
}

asio::awaitable<void> Authentication::async_wait(std::chrono::steady_clock::time_point deadline) {
    while (under_way_ > 0 && std::chrono::steady_clock::now() < deadline) {
        quiet_.expires_at(deadline);
        co_await quiet_.async_wait(asio::as_tuple(asio::use_awaitable));
    }
}

asio::awaitable<mailauth::Findings> Authentication::async_finish() {
    const auto self = shared_from_this();
    const auto deadline = std::chrono::steady_clock::now() + options_->time_limit;
    signatures_->finish();
    changed_body_.finish();
    co_await async_wait(deadline);
    given_up_ = under_way_ > 0;
    net::answer_with(origin_, too_late());
    net::answer_with(*signatures_, too_late());
    mailauth::Findings findings{
        .asked = asked_, .origin = origin_.take(), .signatures = signatures_->take(), .dmarc = {}, .dmarc_lookups = {}};
    const auto& author = findings.signatures.author;
    if (author.problem) {
        findings.dmarc = {.result = mailauth::DmarcResult::none, .reason = std::string(author_problem_text(*author.problem))};
        co_return findings;
    }
    dmarc_.emplace(mailauth::dmarc_request(findings.origin, findings.signatures), options_->suffixes.get());
    if (!given_up_) look_up(*dmarc_);
    co_await async_wait(deadline);
    given_up_ = under_way_ > 0;
    net::answer_with(*dmarc_, too_late());
    findings.dmarc = dmarc_->take();
    findings.dmarc_lookups = dmarc_->take_lookups();
    co_return findings;
}

Authentication::Seal Authentication::seal(const mailauth::Findings& findings) const {
    if (!sealer_) {
        if (why_no_seal_.empty()) return {};
        return {.told = mailauth::FindingLine{"not sealed", why_no_seal_}};
    }
    const auto& chain = findings.signatures.arc;
    const auto results = mailauth::render_authentication_results(mailauth::results_of(findings, options_->authserv_id));
    auto fields = sealer_->seal(chain, results);
    if (!fields) return {.told = mailauth::FindingLine{"not sealed", fields.error().detail}};
    return {.fields = *std::move(fields),
            .told = mailauth::FindingLine{"sealed", fmt::format("i={} d={} s={} cv={}", chain.instance + 1, seal_key_->domain,
                                                                seal_key_->selector, name_of(chain.result))}};
}

}  // namespace thurn::inbound
