#include "route/hosts.h"

#include "base/ascii.h"
#include "mail/mailbox.h"

#include <algorithm>
#include <cassert>
#include <functional>
#include <set>
#include <tuple>
#include <utility>

namespace thurn::route {
namespace {

constexpr std::size_t kMaxExchanges = 20;
constexpr std::size_t kMaxAddressesOfHost = 10;  // so that one host cannot crowd out the others
constexpr std::size_t kMaxAddresses = 40;
constexpr std::size_t kMaxDetail = 200;

/// A host mail may go to, and what became of looking up its addresses.
struct Exchange {
    std::uint16_t preference = 0;
    std::string name;
    std::vector<Address> ipv6{};
    std::vector<Address> ipv4{};
    bool failed = false;  // some look-up failed for now
    bool is_us = false;

    [[nodiscard]] bool usable() const { return !ipv6.empty() || !ipv4.empty(); }
};

std::string lower(std::string_view text) {
    std::string result(text);
    std::ranges::transform(result, result.begin(), base::to_lower);
    return result;
}

/// A host name in the form questions have; nothing where DNS holds no host's name. An address in an MX is no name (RFC 5321 §5.1, RFC 1035
/// §3.3.9), though `192.0.2.1` reads like one.
std::optional<std::string> host_name(std::string_view exchange) {
    if (exchange.ends_with('.')) exchange.remove_suffix(1);
    if (exchange.empty() || parse_address(exchange)) return std::nullopt;
    const auto domain = mail::parse_domain(exchange);
    if (!domain || domain->is_literal()) return std::nullopt;
    return domain->text();
}

Unroutable bounce(std::string status) { return {true, std::move(status)}; }
Unroutable defer(std::string status) { return {false, std::move(status)}; }

/// Addresses of both families by turns.
std::vector<Address> alternate(const std::vector<Address>& first, const std::vector<Address>& second) {
    std::vector<Address> result;
    for (std::size_t i = 0; i < std::max(first.size(), second.size()); ++i) {
        if (i < first.size()) result.push_back(first[i]);
        if (i < second.size()) result.push_back(second[i]);
    }
    if (result.size() > kMaxAddressesOfHost) result.resize(kMaxAddressesOfHost);
    return result;
}

}  // namespace

struct HostFinder::State {
    State(base::Random& random_source, Options given) : random(random_source), options(given) {}

    // --- asking
    void ask_mx(const ByMx& hop) {
        domain = hop.domain;
        if (domain.empty() || domain.front() == '[') return end(bounce("550 5.1.2 " + domain + " has no MX"));
        open.insert({domain, dns::Type::mx});
    }

    void ask_host(const ToHost& hop) {
        port = hop.port;
        if (!hop.socket.empty()) return take_socket(hop);
        site = lower(hop.host) + " port " + std::to_string(hop.port);
        result.reason = "host " + hop.host;
        if (const auto address = parse_address(hop.host)) {
            result.addresses.push_back({hop.host, *address, port});
            return end({});
        }
        configured = true;
        exchanges.push_back({.name = lower(hop.host)});
        ask_addresses();
    }

    void take_socket(const ToHost& hop) {
        site = "socket " + hop.socket;
        result.reason = site;
        result.addresses.push_back({.host = hop.host, .address = {}, .port = port, .socket = hop.socket});
        end({});
    }

    void ask_addresses() {
        for (Exchange& exchange : exchanges) {
            if (exchange.is_us) continue;
            if (options.ipv6) open.insert({exchange.name, dns::Type::aaaa});
            if (options.ipv4) open.insert({exchange.name, dns::Type::a});
        }
        if (open.empty()) conclude();
    }

    // --- answers
    void take_mx(const dns::Answer& answer) {
        switch (answer.status) {
            case dns::Status::ok:
                return take_exchanges(answer);
            case dns::Status::no_data:
                return take_implicit();
            case dns::Status::no_name:
                return end(bounce("550 5.1.2 there is no domain " + domain));
            case dns::Status::failed:
            case dns::Status::bogus:
                return end(defer(trouble("the MX of " + domain + " cannot be looked up", answer)));
        }
    }

    /// RFC 5321 §5.1: without any MX, the domain itself is its host, of preference 0.
    void take_implicit() {
        implicit = true;
        result.reason = "no MX, address of " + domain;
        exchanges.push_back({.name = domain});
        find_own_name();
        ask_addresses();
    }

    void take_exchanges(const dns::Answer& answer) {
        std::size_t count = 0;
        bool null = false;
        for (const auto& record : answer.records) {
            const auto* mx = std::get_if<dns::Mx>(&record);
            if (mx == nullptr) continue;
            ++count;
            null = null || mx->exchange.empty() || mx->exchange == ".";
            if (auto name = host_name(mx->exchange)) exchanges.push_back({.preference = mx->preference, .name = *std::move(name)});
        }
        if (count == 0) return take_implicit();
        // RFC 7505 §3: a null MX stands alone; among others it is a slip and counts for nothing.
        if (null && count == 1) return end(bounce("556 5.1.10 " + domain + " accepts no mail (null MX)"));  // RFC 7504
        skipped = count - exchanges.size();
        keep_best();
        find_own_name();
        ask_addresses();
    }

    /// Each name once, with its best preference; the best first, in an order that does not hang on that of the answer.
    void keep_best() {
        const auto order = [](const Exchange& a, const Exchange& b) {
            return std::tie(a.preference, a.name) < std::tie(b.preference, b.name);
        };
        std::ranges::sort(exchanges, order);
        std::set<std::string> seen;
        std::erase_if(exchanges, [&](const Exchange& exchange) { return !seen.insert(exchange.name).second; });
        if (exchanges.size() > kMaxExchanges) skipped += exchanges.size() - kMaxExchanges;
        exchanges.resize(std::min(exchanges.size(), kMaxExchanges));
    }

    void take_addresses(const dns::Question& question, const dns::Answer& answer) {
        const auto exchange = std::ranges::find(exchanges, question.name, &Exchange::name);
        if (exchange == exchanges.end()) return;
        const bool failed = answer.status == dns::Status::failed || answer.status == dns::Status::bogus;
        if (failed && !exchange->failed && detail.empty())
            detail = trouble("addresses of " + exchange->name + " cannot be looked up", answer);
        exchange->failed = exchange->failed || failed;
        if (answer.status != dns::Status::ok) return;
        for (const auto& record : answer.records) {
            const auto* ipv4 = std::get_if<dns::Ipv4>(&record);
            const auto* ipv6 = std::get_if<dns::Ipv6>(&record);
            if (ipv4 != nullptr && question.type == dns::Type::a) add(exchange->ipv4, *ipv4);
            if (ipv6 != nullptr && question.type == dns::Type::aaaa) add(exchange->ipv6, *ipv6);
        }
    }

    static void add(std::vector<Address>& addresses, Address address) {
        if (std::ranges::find(addresses, address) == addresses.end()) addresses.push_back(address);
    }

    // --- ourselves
    void find_own_name() {
        for (Exchange& exchange : exchanges) exchange.is_us = exchange.is_us || exchange.name == ourselves.hostname;
    }

    bool is_ours(const Address& address) const {
        return std::ranges::any_of(ourselves.addresses, [&](const Address& own) { return unmapped(own) == unmapped(address); });
    }

    void find_own_addresses() {
        for (Exchange& exchange : exchanges) {
            const bool had_any = exchange.usable();
            const auto ours = [this](const Address& address) { return is_ours(address); };
            exchange.is_us = exchange.is_us || std::ranges::any_of(exchange.ipv4, ours) || std::ranges::any_of(exchange.ipv6, ours);
            std::erase_if(exchange.ipv4, is_this_machine);
            std::erase_if(exchange.ipv6, is_this_machine);
            exchange.is_us = exchange.is_us || (had_any && !exchange.usable());
        }
    }

    // --- conclusions
    void conclude() {
        if (configured) return conclude_configured();
        find_own_addresses();
        describe();
        name_site();
        const bool loop = drop_from_our_preference();
        shuffle_equals();
        collect();
        if (!result.addresses.empty()) return end({});
        if (std::ranges::any_of(exchanges, &Exchange::failed)) return end(defer(detail));
        if (loop) return end(bounce("554 5.4.6 mail for " + domain + " loops back to myself"));
        if (!options.ipv4 || !options.ipv6)
            return end(defer("451 4.4.4 no host of " + domain + " has an " + (options.ipv4 ? "IPv4" : "IPv6") + " address"));
        if (implicit) return end(bounce("550 5.1.2 " + domain + " has neither MX nor address"));
        return end(bounce("550 5.4.4 no MX host of " + domain + " has an address"));
    }

    void conclude_configured() {
        collect();
        if (!result.addresses.empty()) return end({});
        const Exchange& exchange = exchanges.front();
        end(defer(exchange.failed ? detail : "451 4.4.4 the configured host " + exchange.name + " has no address"));
    }

    void name_site() {
        std::set<std::string> names;
        for (const Exchange& exchange : exchanges) names.insert(exchange.name);
        for (const std::string& name : names) site += (site.empty() ? "MX " : ", ") + name;
    }

    /// RFC 5321 §5.1: a host of our own preference or a worse one would send the mail back to us.
    bool drop_from_our_preference() {
        const auto us = std::ranges::find_if(exchanges, &Exchange::is_us);  // sorted: our best preference
        if (us == exchanges.end()) return false;
        const auto ours = us->preference;
        std::erase_if(exchanges, [ours](const Exchange& exchange) { return exchange.preference >= ours; });
        return true;
    }

    void shuffle_equals() {
        for (std::size_t begin = 0; begin < exchanges.size();) {
            std::size_t end = begin + 1;
            while (end < exchanges.size() && exchanges[end].preference == exchanges[begin].preference) ++end;
            for (std::size_t left = end - begin; left > 1; --left)
                std::swap(exchanges[begin + left - 1], exchanges[begin + static_cast<std::size_t>(random.get().below(left))]);
            begin = end;
        }
    }

    void collect() {
        for (const Exchange& exchange : exchanges) {
            const auto ordered = options.prefer_ipv4 ? alternate(exchange.ipv4, exchange.ipv6) : alternate(exchange.ipv6, exchange.ipv4);
            for (const Address& address : ordered)
                if (result.addresses.size() < kMaxAddresses)
                    result.addresses.push_back({exchange.name, address, port, exchange.preference});
        }
    }

    void describe() {
        if (implicit) return;
        for (const Exchange& exchange : exchanges) {
            result.reason += (result.reason.empty() ? "MX " : ", ") + std::to_string(exchange.preference) + " " + exchange.name;
            if (exchange.is_us)
                result.reason += " (us)";
            else if (!exchange.usable())
                result.reason += exchange.failed ? " (look-up failed)" : " (no address)";
        }
        if (skipped > 0) result.reason += (result.reason.empty() ? "MX without a host name: " : "; not used: ") + std::to_string(skipped);
    }

    void end(std::optional<Unroutable> problem) {
        open.clear();
        finished = true;
        if (!problem) result.site = site;
        result.problem = std::move(problem);
    }

    static std::string trouble(const std::string& what, const dns::Answer& answer) {
        const std::string_view why = answer.status == dns::Status::bogus ? " (DNSSEC: the answer is forged)" : "";
        return "451 4.4.3 " + what + std::string(why) + (answer.detail.empty() ? "" : ": " + answer.detail.substr(0, kMaxDetail));
    }

    std::reference_wrapper<base::Random> random;
    Options options;
    Ourselves ourselves;
    std::string domain;
    std::string site;
    std::uint16_t port = 25;
    bool configured = false;  // a ToHost
    bool implicit = false;    // no MX
    std::size_t skipped = 0;
    std::string detail;  // of the first failed look-up
    std::set<dns::Question> open;
    std::vector<Exchange> exchanges;
    Hosts result;
    bool finished = false;
};

HostFinder::HostFinder(const ByMx& hop, const Ourselves& ourselves, base::Random& random, Options options)
    : state_(std::make_unique<State>(random, options)) {
    state_->ourselves = ourselves;
    state_->ourselves.hostname = lower(ourselves.hostname);
    state_->ask_mx(hop);
}

HostFinder::HostFinder(const ToHost& hop, base::Random& random, Options options) : state_(std::make_unique<State>(random, options)) {
    state_->ask_host(hop);
}

HostFinder::~HostFinder() = default;
HostFinder::HostFinder(HostFinder&&) noexcept = default;
HostFinder& HostFinder::operator=(HostFinder&&) noexcept = default;

std::vector<dns::Question> HostFinder::questions() { return {state_->open.begin(), state_->open.end()}; }

void HostFinder::answer(const dns::Question& question, const dns::Answer& answer) {
    if (state_->open.erase(question) == 0) return;  // not asked, or answered before
    if (question.type == dns::Type::mx) return state_->take_mx(answer);
    state_->take_addresses(question, answer);
    if (state_->open.empty()) state_->conclude();
}

bool HostFinder::done() const { return state_->finished; }

Hosts HostFinder::take() {
    assert(state_->finished);
    return std::move(state_->result);
}

}  // namespace thurn::route
