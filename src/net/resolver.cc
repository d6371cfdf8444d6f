#include "net/resolver.h"

#include "base/guarded.h"
#include "net/answer_cache.h"
#include "net/dns_servers.h"
#include "net/pem.h"
#include "net/unbound.h"

#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace thurn::net {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kCachedAnswers = 10'000;
constexpr auto kLongestProbe = std::chrono::seconds(3);

dns::Answer local_answer(const dns::Question& question) {
    dns::Answer answer;
    answer.canonical_name = question.name;
    answer.ttl = std::chrono::hours(1);
    if (question.type == dns::Type::a) answer.records.emplace_back(dns::Ipv4{{127, 0, 0, 1}});
    if (question.type == dns::Type::aaaa) answer.records.emplace_back(dns::Ipv6{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}});
    answer.status = answer.records.empty() ? dns::Status::no_data : dns::Status::ok;
    return answer;
}

bool is_localhost(std::string_view name) { return name == "localhost" || name.ends_with(".localhost"); }

dns::Answer failed(std::string why) {
    dns::Answer answer;
    answer.detail = std::move(why);
    return answer;
}

base::Result<std::vector<std::string>> choose_servers(const std::vector<std::string>& given) {
    if (given.empty()) return parse_resolv_conf(load_small_file("/etc/resolv.conf").value_or(std::string()));
    std::vector<std::string> servers;
    for (const auto& text : given) {
        auto server = parse_dns_server(text);
        if (!server) return base::pass_on(server);
        servers.push_back(*std::move(server));
    }
    return servers;
}

base::Result<dns::Answer> ask_for_root(UnboundOptions setting) {
    setting.timeout = kLongestProbe;
    auto unbound = Unbound::make(setting);
    if (!unbound) return base::pass_on(unbound);
    return (*unbound)->ask_and_wait({"", dns::Type::soa});
}

/// Servers that leave signatures out (many routers, some stub resolvers) answer without validation and fail with it. If nothing answers at
/// all, the network may only be late, and validation stays.
base::Result<bool> leaves_dnssec_out(const UnboundOptions& setting) {
    auto validated = ask_for_root(setting);
    if (!validated) return base::pass_on(validated);
    if (validated->secure || validated->detail == "timed out") return false;
    auto plain = ask_for_root({setting.servers, {}, setting.timeout});
    if (!plain) return base::pass_on(plain);
    return plain->status != dns::Status::failed;
}

/// Drops the trust anchor where it is of no use; says why.
base::Result<std::string> settle_dnssec(const ResolverOptions& options, UnboundOptions& setting) {
    if (!options.dnssec) return std::string();
    std::error_code ignored;
    if (!std::filesystem::exists(options.trust_anchor, ignored))
        return fmt::format("DNS answers are not validated: there is no trust anchor at {}", options.trust_anchor.string());
    setting.trust_anchor = options.trust_anchor;
    auto useless = leaves_dnssec_out(setting);
    if (!useless) return base::pass_on(useless);
    if (!*useless) return std::string();
    setting.trust_anchor.clear();
    return fmt::format("DNS answers are not validated: the servers ({}) leave DNSSEC out", fmt::join(setting.servers, ", "));
}

}  // namespace

/// Questions cross to the resolver's thread through `inbox`; answers come back by asio::post() to the executor of who asked.
struct Resolver::State {
    struct Request {
        dns::Question question;
        Unbound::Done done;
    };
    struct Inbox {
        std::vector<Request> requests;
        bool closed = false;
    };

    UnboundOptions setting;
    std::string notice;
    std::unique_ptr<Unbound> unbound;
    AnswerCache cache{kCachedAnswers};
    base::Guarded<Inbox> inbox{};
    std::thread thread{};

    void submit(Request request);
    void serve() {
        unbound->run([this] { take_requests(); });
    }
    void take_requests();
    void ask(Request request);
    void stop();
};

void Resolver::State::submit(Request request) {
    bool first = false;
    const bool taken = inbox.with([&](Inbox& box) {
        if (box.closed) return false;
        first = box.requests.empty();
        box.requests.push_back(std::move(request));
        return true;
    });
    if (!taken) return request.done(failed("stopping"));
    if (first) unbound->wake();
}

void Resolver::State::take_requests() {
    bool closed = false;
    auto requests = inbox.with([&](Inbox& box) {
        closed = box.closed;
        return std::exchange(box.requests, {});
    });
    for (auto& request : requests) {
        closed ? request.done(failed("stopping")) : ask(std::move(request));
    }
    if (closed) unbound->leave();
}

void Resolver::State::ask(Request request) {
    auto done = [this, question = request.question, answered = std::move(request.done)](dns::Answer answer) mutable {
        cache.put(question, answer, std::chrono::steady_clock::now());
        answered(std::move(answer));
    };
    unbound->ask(request.question, std::move(done));
}

void Resolver::State::stop() {
    inbox.with([](Inbox& box) { box.closed = true; });
    if (!thread.joinable()) return;
    unbound->wake();
    thread.join();
}

base::Result<std::unique_ptr<Resolver>> Resolver::start(const ResolverOptions& options) {
    auto servers = choose_servers(options.servers);
    if (!servers) return base::pass_on(servers);
    UnboundOptions setting{*std::move(servers), {}, options.timeout};
    auto notice = settle_dnssec(options, setting);
    if (!notice) return base::pass_on(notice);
    auto unbound = Unbound::make(setting);
    if (!unbound) return base::pass_on(unbound);
    std::unique_ptr<State> state(new State{std::move(setting), *std::move(notice), *std::move(unbound)});
    state->thread = std::thread(&State::serve, state.get());
    return std::unique_ptr<Resolver>(new Resolver(std::move(state)));
}

Resolver::Resolver(std::unique_ptr<State> state) : state_(std::move(state)) {}

Resolver::~Resolver() { stop(); }

void Resolver::stop() { state_->stop(); }

const std::vector<std::string>& Resolver::servers() const { return state_->setting.servers; }

bool Resolver::validates() const { return !state_->setting.trust_anchor.empty(); }

const std::string& Resolver::notice() const { return state_->notice; }

namespace {

/// Resumes who asked, on its own executor; keeps that busy meanwhile.
template <class Handler>
Unbound::Done resume(Handler handler) {
    auto executor = asio::get_associated_executor(handler);
    return [work = asio::make_work_guard(executor), handler = std::move(handler)](dns::Answer answer) mutable {
        asio::post(work.get_executor(),
                   [handler = std::move(handler), answer = std::move(answer)]() mutable { std::move(handler)(std::move(answer)); });
    };
}

}  // namespace

asio::awaitable<dns::Answer> Resolver::async_ask(dns::Question question) {
    if (is_localhost(question.name)) co_return local_answer(question);
    if (auto known = state_->cache.find(question, std::chrono::steady_clock::now())) co_return *std::move(known);
    co_return co_await asio::async_initiate<const asio::use_awaitable_t<>, void(dns::Answer)>(
        [state = state_.get()](auto handler, dns::Question asked) { state->submit({std::move(asked), resume(std::move(handler))}); },
        asio::use_awaitable, std::move(question));
}

namespace {

/// Shared by who asks and who answers. Only the asker's executor touches it.
struct Wait {
    asio::steady_timer over;
    std::optional<dns::Answer> answer{};
};

Unbound::Done wake(std::shared_ptr<Wait> wait) {
    auto executor = wait->over.get_executor();
    return [work = asio::make_work_guard(executor), wait = std::move(wait)](dns::Answer answer) mutable {
        asio::post(work.get_executor(), [wait = std::move(wait), answer = std::move(answer)]() mutable {
            wait->answer = std::move(answer);
            wait->over.cancel();
        });
    };
}

}  // namespace

asio::awaitable<dns::Answer> Resolver::async_ask(dns::Question question, std::chrono::steady_clock::time_point deadline) {
    if (is_localhost(question.name)) co_return local_answer(question);
    if (auto known = state_->cache.find(question, std::chrono::steady_clock::now())) co_return *std::move(known);
    const auto wait = std::make_shared<Wait>(Wait{asio::steady_timer(co_await asio::this_coro::executor, deadline)});
    state_->submit({std::move(question), wake(wait)});
    co_await wait->over.async_wait(asio::as_tuple(asio::use_awaitable));
    if (!wait->answer) co_return failed("timed out");
    co_return *std::move(wait->answer);
}

}  // namespace thurn::net
