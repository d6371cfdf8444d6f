#include "inbound/script_asking.h"

#include "inbound/fact_search.h"
#include "inbound/web_client.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace thurn::inbound {

using net::asio::awaitable;

namespace {

/// One question, so that it can be asked with a limit as facts are.
class OneQuestion final : public policy::Lookup {
public:
    explicit OneQuestion(dns::Question question) : question_(std::move(question)) {}
    [[nodiscard]] std::vector<dns::Question> questions() const override {
        return value_ ? std::vector<dns::Question>{} : std::vector{question_};
    }
    void answer(const dns::Question&, const dns::Answer& answer) override { value_ = script::texts_of(answer); }
    [[nodiscard]] policy::FactValue take() override { return *std::move(value_); }

private:
    dns::Question question_;
    std::optional<policy::FactValue> value_;
};

awaitable<script::Heard> async_ask_dns(dns::Question question, ScriptMeans means, net::Deadline deadline) {
    auto lookup = std::make_unique<OneQuestion>(std::move(question));
    co_return co_await async_find_out(means.resolver, std::move(lookup),
                                      std::min(deadline, std::chrono::steady_clock::now() + means.dns_limit));
}

awaitable<script::Heard> async_ask_web_server(const ScriptOptions& script, script::WebWanted wanted, ScriptMeans means,
                                              net::Deadline deadline) {
    auto address = parse_web_address(wanted.url);
    if (!address) co_return policy::FactValue(policy::Unavailable{address.error().detail});
    const WebQuestion question{
        .address = *std::move(address), .body = std::move(wanted.body), .type = std::move(wanted.type), .tls = script.tls};
    auto reply = co_await async_ask_web(question, means.resolver, means.idle, deadline);
    if (!reply) co_return policy::FactValue(policy::Unavailable{reply.error().detail});
    co_return script::WebHeard{reply->status, std::move(reply->body)};
}

}  // namespace

awaitable<script::Heard> async_ask_for_script(const ScriptOptions& script, script::Step step, ScriptMeans means, net::Deadline deadline) {
    if (auto* dns = std::get_if<script::DnsWanted>(&step)) co_return co_await async_ask_dns(std::move(dns->question), means, deadline);
    co_return co_await async_ask_web_server(script, std::get<script::WebWanted>(std::move(step)), means, deadline);
}

policy::Advice advice_of_failure(const base::Error& error) {
    auto advice = policy::advice_to_wait("it failed: " + error.detail);
    advice.status = mail::EnhancedStatus{4, 3, 0};
    return advice;
}

}  // namespace thurn::inbound
