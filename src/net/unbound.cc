// libunbound's event interface is used, on one thread and with one event base: its threaded interface was slower by half and, shared among
// threads, has crashed others. Nothing here is called from two threads but wake(), which writes to an eventfd.
#include "net/unbound.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include <event2/event.h>
#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unbound-event.h>
#include <unbound.h>
#include <unistd.h>

namespace thurn::net {

namespace {

constexpr int kInternet = 1;  // class IN

/// Options of unbound.conf(5). libunbound takes them one by one; the order is of no matter.
constexpr std::array<std::pair<const char*, const char*>, 13> kSettings{{
    {"do-not-query-localhost:", "no"},  // the system's resolver is often there
    {"unblock-lan-zones:", "yes"},      // reverse names of private addresses are asked, not made up
    {"insecure-lan-zones:", "yes"},     // and are never signed
    {"domain-insecure:", "test."},      // RFC 6761 §6.2: never in the root; laboratories use it
    {"infra-keep-probing:", "yes"},     // a server that was down is tried again soon
    {"outgoing-range:", "1024"},        // a library's default of 16 sockets makes questions queue
    {"num-queries-per-thread:", "4096"},
    {"outgoing-num-tcp:", "64"},
    {"incoming-num-tcp:", "0"},
    {"msg-cache-size:", "4m"},
    {"rrset-cache-size:", "8m"},
    {"infra-cache-numhosts:", "10000"},
    {"use-syslog:", "no"},
}};

/// Zones libunbound answers itself that may exist after all, in laboratories (RFC 6761 §6.2) and at home (RFC 8375). Asked, they are as the
/// servers say.
constexpr std::array<const char*, 2> kNotBuiltIn{"test.", "home.arpa."};

base::ErrorKind kind_of(int unbound_error) { return unbound_error == UB_NOMEM ? base::ErrorKind::full : base::ErrorKind::refused; }

base::Result<void> check(int unbound_error, std::string_view doing) {
    if (unbound_error == 0) return {};
    return base::fail(kind_of(unbound_error), fmt::format("DNS: {}: {}", doing, ub_strerror(unbound_error)));
}

timeval to_timeval(std::chrono::steady_clock::duration time) {
    const auto micros = std::max<std::int64_t>(std::chrono::duration_cast<std::chrono::microseconds>(time).count(), 0);
    return {micros / 1'000'000, micros % 1'000'000};
}

dns::Answer failure(const dns::Question& question, std::string detail, dns::Status status = dns::Status::failed) {
    dns::Answer answer;
    answer.status = status;
    answer.canonical_name = question.name;
    answer.detail = std::move(detail);
    return answer;
}

std::string_view code_name(int code) {
    switch (code) {
        case 1:
            return "FORMERR";
        case 2:
            return "SERVFAIL";
        case 4:
            return "NOTIMP";
        case 5:
            return "REFUSED";
        default:
            return "an unusual response code";
    }
}

dns::Answer read_answer(const dns::Question& question, std::string_view packet, bool secure) {
    auto answer = dns::parse_answer(packet, question);
    if (!answer) return failure(question, answer.error().detail);
    answer->secure = secure && answer->status != dns::Status::failed;
    return *std::move(answer);
}

}  // namespace

struct Unbound::Flight {
    Unbound& owner;
    std::uint64_t id;
    dns::Question question;
    Done done;
    int async_id = 0;  // 0 until libunbound has told
};

Unbound::Unbound(std::chrono::milliseconds timeout) : timeout_(timeout) {}

base::Result<std::unique_ptr<Unbound>> Unbound::make(const UnboundOptions& options) {
    std::unique_ptr<Unbound> made(new Unbound(options.timeout));
    if (auto ready = made->set_up(options); !ready) return base::pass_on(ready);
    return made;
}

bool Unbound::set_up_events() {
    wakeup_descriptor_ = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    base_ = event_base_new();
    if (wakeup_descriptor_ < 0 || !base_) return false;
    const auto woken = [](evutil_socket_t descriptor, short, void* self) {
        eventfd_t count = 0;
        ::eventfd_read(descriptor, &count);
        static_cast<Unbound*>(self)->on_wake_();
    };
    wakeup_ = event_new(base_, wakeup_descriptor_, EV_READ | EV_PERSIST, woken, this);
    timer_ = evtimer_new(base_, [](evutil_socket_t, short, void* self) { static_cast<Unbound*>(self)->expire(); }, this);
    return wakeup_ && timer_ && event_add(wakeup_, nullptr) == 0;
}

base::Result<void> Unbound::set_up(const UnboundOptions& options) {
    if (!set_up_events()) return base::fail(base::ErrorKind::full, "DNS: no event loop to be had");
    context_ = ub_ctx_create_event(base_);
    if (!context_) return base::fail(base::ErrorKind::full, "DNS: libunbound could not be set up");
    ub_ctx_debugout(context_, nullptr);  // it would write to our standard error
    for (const auto& [name, value] : kSettings) {
        if (auto set = check(ub_ctx_set_option(context_, name, value), name); !set) return set;
    }
    if (options.trust_anchor.empty()) {
        if (auto set = check(ub_ctx_set_option(context_, "module-config:", "iterator"), "module-config"); !set) return set;
    } else if (auto set = check(ub_ctx_add_ta_file(context_, options.trust_anchor.c_str()), "trust anchor"); !set) {
        return set;
    }
    for (const auto& server : options.servers) {
        if (auto set = check(ub_ctx_set_fwd(context_, server.c_str()), server); !set) return set;
    }
    for (const auto* zone : kNotBuiltIn) {
        if (auto removed = check(ub_ctx_zone_remove(context_, zone), zone); !removed) return removed;
    }
    return {};
}

Unbound::~Unbound() {
    leave();
    if (context_) ub_ctx_delete(context_);
    if (wakeup_) event_free(wakeup_);
    if (timer_) event_free(timer_);
    if (base_) event_base_free(base_);
    if (wakeup_descriptor_ >= 0) ::close(wakeup_descriptor_);
}

void Unbound::ask(const dns::Question& question, Done done) {
    const std::uint64_t id = next_flight_++;
    auto& flight = flights_.emplace(id, new Flight{*this, id, question, std::move(done)}).first->second;
    const std::string name = question.name.empty() ? "." : question.name;
    int async_id = 0;
    const int error =
        ub_resolve_event(context_, name.c_str(), static_cast<int>(question.type), kInternet, flight.get(), &Unbound::on_answer, &async_id);
    if (error != 0) return land(id, failure(question, ub_strerror(error)));
    const auto waiting = flights_.find(id);  // the answer may have come already
    if (waiting == flights_.end()) return;
    waiting->second->async_id = async_id;
    deadlines_.push_back({std::chrono::steady_clock::now() + timeout_, id});
    if (deadlines_.size() == 1) set_timer();
}

void Unbound::on_answer(void* flight, int code, void* packet, int size, int security, char* why_bogus, int) {
    const auto& [owner, id, question, done, async_id] = *static_cast<Flight*>(flight);
    // With a code libunbound has no packet for us, whatever the pointer says.
    if (code == 3) return owner.land(id, failure(question, {}, dns::Status::no_name));
    if (code != 0)
        return owner.land(id,
                          failure(question, fmt::format("{} for {} {}", code_name(code), question.name, dns::type_name(question.type))));
    if (security == 1) return owner.land(id, failure(question, why_bogus ? why_bogus : "DNSSEC validation failed", dns::Status::bogus));
    if (!packet || size <= 0) return owner.land(id, failure(question, "empty answer"));
    owner.land(id, read_answer(question, {static_cast<const char*>(packet), static_cast<std::size_t>(size)}, security == 2));
}

void Unbound::land(std::uint64_t id, dns::Answer answer) {
    auto flight = flights_.extract(id);
    if (!flight.empty()) flight.mapped()->done(std::move(answer));
}

void Unbound::set_timer() {
    if (deadlines_.empty()) return;
    const timeval in = to_timeval(deadlines_.front().at - std::chrono::steady_clock::now());
    evtimer_add(timer_, &in);
}

// After ub_cancel() the callback is never called, so the flight may go at once.
void Unbound::expire() {
    const auto now = std::chrono::steady_clock::now();
    while (!deadlines_.empty() && (deadlines_.front().at <= now || !flights_.contains(deadlines_.front().flight))) {
        const std::uint64_t id = deadlines_.front().flight;
        deadlines_.pop_front();
        const auto late = flights_.find(id);
        if (late == flights_.end()) continue;
        ub_cancel(context_, late->second->async_id);
        land(id, failure(late->second->question, "timed out"));
    }
    set_timer();
}

void Unbound::run(std::function<void()> on_wake) {
    on_wake_ = std::move(on_wake);
    event_base_dispatch(base_);
}

dns::Answer Unbound::ask_and_wait(const dns::Question& question) {
    std::optional<dns::Answer> answer;
    ask(question, [&answer](dns::Answer come) { answer = std::move(come); });
    while (!answer && event_base_loop(base_, EVLOOP_ONCE) == 0) {}
    return answer ? *std::move(answer) : failure(question, "no event loop");
}

void Unbound::leave() {
    if (base_) event_base_loopbreak(base_);
    deadlines_.clear();
    while (!flights_.empty()) {
        const auto& [id, flight] = *flights_.begin();
        ub_cancel(context_, flight->async_id);
        land(id, failure(flight->question, "stopping"));
    }
}

void Unbound::wake() { ::eventfd_write(wakeup_descriptor_, 1); }

}  // namespace thurn::net
