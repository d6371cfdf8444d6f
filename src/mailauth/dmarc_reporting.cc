#include "mailauth/dmarc_reporting.h"

#include "base/ascii.h"
#include "mailauth/dmarc_record.h"
#include "mailauth/dmarc_tree.h"
#include "mailauth/inquiry.h"

#include <algorithm>
#include <cstdint>

namespace thurn::mailauth {
namespace {

using namespace std::chrono_literals;
using Kind = ReportConsent::Kind;

constexpr std::size_t kMostDestinations = 5;
constexpr std::size_t kLongestName = 253;
constexpr auto kFirstReports = 15min;  // after midnight: what is under way then belongs to the day before
constexpr auto kSpread = 4h;

std::string lower(std::string_view text) {
    std::string result(text);
    std::ranges::transform(result, result.begin(), base::to_lower);
    return result;
}

std::optional<unsigned> hex_digit(char c) {
    if (base::is_digit(c)) return static_cast<unsigned>(c - '0');
    c = base::to_lower(c);
    if (c < 'a' || c > 'f') return std::nullopt;
    return static_cast<unsigned>(c - 'a') + 10;
}

/// RFC 3986 §2.1; what is no escape stands for itself.
std::string unescape(std::string_view text) {
    std::string result;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto high = text[i] == '%' && i + 2 < text.size() ? hex_digit(text[i + 1]) : std::nullopt;
        const auto low = high ? hex_digit(text[i + 2]) : std::nullopt;
        result += low ? static_cast<char>(*high * 16 + *low) : text[i];
        if (low) i += 2;
    }
    return result;
}

std::optional<mail::Mailbox> mailbox_of(std::string_view uri) {
    constexpr std::string_view kScheme = "mailto:";
    if (!base::equal_ignoring_case(uri.substr(0, kScheme.size()), kScheme)) return std::nullopt;
    const auto address = uri.substr(kScheme.size());
    auto mailbox = mail::parse_mailbox(unescape(address.substr(0, address.find('?'))));
    if (!mailbox || mailbox->domain.is_literal()) return std::nullopt;
    return *std::move(mailbox);
}

/// FNV-1a: the same on every machine.
std::uint64_t spread_hash(std::string_view text) {
    std::uint64_t hash = 14695981039346656037U;
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
    return hash;
}

/// Those of a consent's own `rua` or `ruf` that are at the host it is about; others it cannot speak for (RFC 9990 §4).
std::vector<mail::Mailbox> destinations_at(const std::vector<std::string>& uris, const std::string& host) {
    auto destinations = find_report_destinations(uris);
    std::erase_if(destinations, [&](const auto& mailbox) { return lower(mailbox.domain.text()) != host; });
    return destinations;
}

ReportConsent judge(const dns::Answer& answer, const std::string& name, const std::string& host, ReportKind kind) {
    if (answer.status == dns::Status::failed || answer.status == dns::Status::bogus)
        return {.kind = Kind::unknown, .reason = "the TXT of " + name + " cannot be looked up"};
    for (const auto& each : answer.records) {
        const auto* text = std::get_if<dns::Text>(&each);
        const auto record = text != nullptr ? parse_dmarc_record(text->octets) : std::nullopt;
        if (!record) continue;
        const auto& uris = kind == ReportKind::aggregate ? record->rua : record->ruf;
        return {.kind = Kind::given, .instead = destinations_at(uris, host), .reason = name + " says so"};
    }
    return {.kind = Kind::refused, .reason = "there is no DMARC record at " + name};
}

Evaluation<ReportConsent> find_consent(std::string domain, std::string host, Inquiries& dns, const PublicSuffixList* suffixes,
                                       ReportKind kind) {
    if (domain == host) co_return ReportConsent{.kind = Kind::own, .reason = "the same domain"};
    DmarcTree tree(dns, suffixes);
    const auto ours = co_await tree.walk_from(domain);
    const auto theirs = co_await tree.walk_from(host);
    if (ours.organizational_domain == theirs.organizational_domain)
        co_return ReportConsent{.kind = Kind::own, .reason = "both belong to " + ours.organizational_domain};
    for (const auto& trouble : {ours.trouble, theirs.trouble})
        if (!trouble.empty()) co_return ReportConsent{.kind = Kind::unknown, .reason = trouble};
    const std::string name = domain + "._report._dmarc." + host;
    if (name.size() > kLongestName) co_return ReportConsent{.kind = Kind::refused, .reason = "the name to ask at is too long"};
    const dns::Answer answer = co_await dns.ask({name, dns::Type::txt});
    co_return judge(answer, name, host, kind);
}

}  // namespace

std::vector<mail::Mailbox> find_report_destinations(const std::vector<std::string>& uris) {
    std::vector<mail::Mailbox> destinations;
    for (const auto& uri : uris) {
        auto mailbox = mailbox_of(uri);
        if (!mailbox || std::ranges::find(destinations, *mailbox) != destinations.end()) continue;
        destinations.push_back(*std::move(mailbox));
        if (destinations.size() == kMostDestinations) break;
    }
    return destinations;
}

base::Time report_due(std::chrono::sys_days day, std::string_view domain) {
    const auto spread =
        std::chrono::milliseconds(spread_hash(domain) % static_cast<std::uint64_t>(std::chrono::milliseconds(kSpread).count()));
    return base::Time(day + std::chrono::days(1)) + kFirstReports + spread;
}

struct ReportConsentCheck::State {
    Inquiries dns;
    Evaluation<ReportConsent> evaluation;
    State(std::string domain, std::string host, const PublicSuffixList* suffixes, ReportKind kind)
        : evaluation(find_consent(std::move(domain), std::move(host), dns, suffixes, kind)) {
        evaluation.start();
    }
};

ReportConsentCheck::ReportConsentCheck(std::string_view domain, std::string_view host, const PublicSuffixList* suffixes, ReportKind kind)
    : state_(std::make_unique<State>(lower(domain), lower(host), suffixes, kind)) {}
ReportConsentCheck::~ReportConsentCheck() = default;
ReportConsentCheck::ReportConsentCheck(ReportConsentCheck&&) noexcept = default;
ReportConsentCheck& ReportConsentCheck::operator=(ReportConsentCheck&&) noexcept = default;

std::vector<dns::Question> ReportConsentCheck::questions() const { return state_->dns.open(); }
void ReportConsentCheck::answer(const dns::Question& question, const dns::Answer& answer) { state_->dns.answer(question, answer); }
bool ReportConsentCheck::done() const { return state_->evaluation.done(); }
ReportConsent ReportConsentCheck::take() { return state_->evaluation.take(); }

}  // namespace thurn::mailauth
