// A thief sends to as many as he can, as fast as he can, to people the owner never wrote to. The owner's own past is what tells one from the
// other: who writes to 2,000 members each month may do so, who writes to three colleagues a day may not do it of a sudden. Counted are
// recipients that differ, since a printer that reports to one address every minute is no thief; and an hour, since most of a night's
// 100,000 messages would be gone by the end of a day.
//
// What a day teaches counts from the next day on, and a day in which something was wrong teaches nothing: who doubles what he sends from
// hour to hour meets the limits of yesterday.
#include "policy/account_baseline.h"

#include "base/ascii.h"

#include <algorithm>

#include <fmt/format.h>

namespace thurn::policy {

namespace {

constexpr SnapshotKind kKind{.name = "accounts", .version = 1};
constexpr std::uint32_t kHoursOfDay = 24;
constexpr std::uint32_t kFadesIn = 32;        // days, about
constexpr std::uint32_t kBouncesWithin = 8;   // days, about: mail that nobody takes comes back when its time in the queue is over
constexpr std::uint32_t kEverUsed = 60;       // days for which an hour of the day counts as one at which the account sends
constexpr std::uint32_t kKnowsItsHours = 14;  // days from the first message on until hours can be odd
constexpr auto kKept = std::chrono::days(90);
constexpr std::uint32_t kMost = 1'000'000'000;

std::string lower(std::string_view text) {
    std::string result;
    for (const char c : text) result.push_back(base::to_lower(c));
    return result;
}

std::int64_t seconds(base::Time time) { return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count(); }
std::uint32_t hour_of(base::Time time) { return static_cast<std::uint32_t>(seconds(time) / 3600); }

std::uint32_t capped(std::uint64_t number) { return static_cast<std::uint32_t>(std::min<std::uint64_t>(number, kMost)); }

std::uint16_t code_of(std::string_view country) {
    return country.size() == 2
               ? static_cast<std::uint16_t>(static_cast<unsigned char>(country[0]) << 8U | static_cast<unsigned char>(country[1]))
               : std::uint16_t{0};
}

std::uint32_t faded(std::uint32_t number, std::uint32_t days, std::uint32_t in = kFadesIn) {
    for (; number > 0 && days > 0; --days) number -= (number + in - 1) / in;
    return number;
}

}  // namespace

std::string Jump::reason() const {
    switch (of) {
        case Of::messages:
            return fmt::format("{} messages within an hour, over {}", count, most);
        case Of::recipients:
            return fmt::format("{} different recipients within an hour, over {}", count, most);
        case Of::new_recipients:
            return fmt::format("{} new recipients within an hour, over {}", count, most);
        case Of::bounces:
            return fmt::format("{} of {} recipients of late could not be delivered to, today", count, most);
        case Of::country:
            return country.empty() ? "sends from a country from which it never sent"
                                   : fmt::format("sends from {}, from where it never sent", country);
        case Of::none:
            break;
    }
    return {};
}

HashedKey AccountBaseline::key_of(std::string_view login) const { return KeyHasher(seed_).add("account").add(lower(login)).finish(); }

bool AccountBaseline::is_learning(const AccountRules& rules, base::Time now) const {
    return seconds(now) - begun_.load(std::memory_order_relaxed) < rules.learning.count();
}

/// Closes hours and days that are over.
void AccountBaseline::catch_up(Account& account, std::uint32_t hour) {
    if (account.hour > hour + kHoursOfDay) {  // the clock was wrong, and is right now: what was counted then means nothing
        account.hour = hour;
        account.begun = hour / kHoursOfDay;
        account.counts = account.before = account.busiest = {};
        account.recipients_lately = account.day_bounces = 0;
    }
    if (account.hour >= hour) return;
    const auto raise = [](Counts& to, const Counts& by) {
        to.messages = std::max(to.messages, by.messages);
        to.recipients = std::max(to.recipients, by.recipients);
        to.new_recipients = std::max(to.new_recipients, by.new_recipients);
    };
    raise(account.busiest, account.counts);
    account.before = account.hour + 1 == hour ? account.counts : Counts{};
    account.counts = {};
    const auto day = account.hour / kHoursOfDay;
    const auto days = hour / kHoursOfDay - day;
    account.hour = hour;
    if (days == 0) return;
    auto& usual = account.usual;
    if (account.odd != day) {
        raise(usual, account.busiest);
        for (std::uint32_t of_day = 0; of_day < kHoursOfDay; ++of_day)
            if ((account.hours_today >> of_day & 1U) != 0) account.seen[of_day] = static_cast<std::uint16_t>(day);
    }
    usual = {faded(usual.messages, days - 1), faded(usual.recipients, days - 1), faded(usual.new_recipients, days - 1)};
    account.busiest = {};
    account.hours_today = 0;
    account.recipients_lately = faded(account.recipients_lately, days, kBouncesWithin);
    account.day_bounces = 0;
}

/// Counts the recipient, and remembers it in place of the one of its place that was written to the longest time ago.
void AccountBaseline::meet(Account& account, std::uint64_t recipient, Counts& more) {
    const auto hour = static_cast<std::uint16_t>(account.hour);
    const auto fingerprint = static_cast<std::uint32_t>(static_cast<std::uint16_t>(recipient >> 48U) | 1U) << 16U;  // never a free one
    const auto place = std::span(account.known).subspan(recipient % kPlaces * kOfAPlace, kOfAPlace);
    const auto age = [&](std::uint32_t known) { return static_cast<std::uint16_t>(hour - static_cast<std::uint16_t>(known)); };
    const auto found = std::ranges::find_if(place, [&](std::uint32_t known) { return (known & 0xffff0000U) == fingerprint; });
    if (found == place.end()) {
        ++more.recipients;
        ++more.new_recipients;
        *std::ranges::max_element(place, {}, [&](std::uint32_t known) { return known == 0 ? 1U << 16U : std::uint32_t{age(known)}; }) =
            fingerprint | hour;
        return;
    }
    if (age(*found) != 0) ++more.recipients;
    *found = fingerprint | hour;
}

/// As sixty minutes back from now would have it, if the hour before was even.
AccountBaseline::Counts AccountBaseline::within_an_hour(const Account& account, base::Time now) {
    const auto left = static_cast<std::uint64_t>(3600 - seconds(now) % 3600);
    const auto both = [&](std::uint32_t current, std::uint32_t before) { return capped(current + before * left / 3600); };
    const auto& [counts, before] = std::pair(account.counts, account.before);
    return {both(counts.messages, before.messages), both(counts.recipients, before.recipients),
            both(counts.new_recipients, before.new_recipients)};
}

bool AccountBaseline::is_odd_hour(const Account& account) {
    const auto day = account.hour / kHoursOfDay;
    if (day - account.begun < kKnowsItsHours) return false;
    for (const auto hour : {account.hour + kHoursOfDay - 1, account.hour, account.hour + 1}) {
        const auto seen = account.seen[hour % kHoursOfDay];
        if (seen != 0 && static_cast<std::uint16_t>(day - seen) < kEverUsed) return false;
    }
    return true;
}

std::optional<Jump> AccountBaseline::find_jump(const Account& account, const Counts& counts, const AccountRules& rules) {
    const auto& usual = account.usual;
    const unsigned parts = is_odd_hour(account) ? 2 : 1;
    const auto over = [&](Jump::Of of, std::uint32_t count, unsigned least, std::uint32_t normal) -> std::optional<Jump> {
        const auto most = capped(std::max<std::uint64_t>(least, std::uint64_t{normal} * rules.factor) / parts);
        if (count <= most) return std::nullopt;
        return Jump{.of = of, .count = count, .most = most};
    };
    if (auto jump = over(Jump::Of::new_recipients, counts.new_recipients, rules.new_recipients, usual.new_recipients)) return jump;
    if (auto jump = over(Jump::Of::recipients, counts.recipients, rules.recipients, usual.recipients)) return jump;
    if (auto jump = over(Jump::Of::messages, counts.messages, rules.messages, usual.messages)) return jump;
    const bool many = account.day_bounces >= rules.bounces &&
                      std::uint64_t{account.day_bounces} * 100 >= std::uint64_t{account.recipients_lately} * rules.bounce_percent;
    if (many)
        return Jump{
            .of = Jump::Of::bounces, .count = account.day_bounces, .most = std::max(account.recipients_lately, account.day_bounces)};
    return std::nullopt;
}

/// Whether it is new to the account, which has sent from another one before.
bool AccountBaseline::take_country(Account& account, std::string_view country) {
    const auto code = code_of(country);
    if (code == 0) return false;
    const auto day = static_cast<std::uint16_t>(account.hour / kHoursOfDay);
    const bool any = std::ranges::any_of(account.countries, [](const Country& known) { return known.code != 0; });
    const auto found = std::ranges::find(account.countries, code, &Country::code);
    if (found != account.countries.end()) {
        found->day = day;
        return false;
    }
    const auto age = [day](const Country& known) {
        return known.code == 0 ? 1U << 16U : std::uint32_t{static_cast<std::uint16_t>(day - known.day)};
    };
    *std::ranges::max_element(account.countries, {}, age) = {.code = code, .day = day};
    return any;
}

std::optional<Jump> AccountBaseline::jump_of(const Account& account) {
    if (account.jump == Jump::Of::none) return std::nullopt;
    return Jump{.of = account.jump, .count = account.jump_count, .most = account.jump_most};
}

AccountBaseline::Verdict AccountBaseline::judge(Account& account, std::span<const std::uint64_t> recipients, const Submission& message,
                                                const AccountRules& rules, base::Time now) const {
    using Deed = AccountRules::Deed;
    const auto hour = hour_of(now);
    const auto day = hour / kHoursOfDay;
    if (account.until == 0) account.begun = day;
    account.until = (now + kKept).time_since_epoch().count();
    catch_up(account, hour);
    Verdict verdict;
    if (take_country(account, message.country) && rules.new_country != AccountRules::NewCountry::ignore)
        verdict.new_country = Jump{.of = Jump::Of::country, .country = std::string(message.country)};
    const auto as_before = account;
    Counts more{.messages = 1};
    for (const auto recipient : recipients) meet(account, recipient, more);
    account.counts.messages = capped(std::uint64_t{account.counts.messages} + more.messages);
    account.counts.recipients = capped(std::uint64_t{account.counts.recipients} + more.recipients);
    account.counts.new_recipients = capped(std::uint64_t{account.counts.new_recipients} + more.new_recipients);
    account.recipients_lately = capped(std::uint64_t{account.recipients_lately} + recipients.size());
    const bool stays = rules.deed == Deed::hold || rules.deed == Deed::suspend;
    if (stays && account.jump != Jump::Of::none) {
        verdict.jump = jump_of(account);
        verdict.deed = rules.deed;
        return verdict;
    }
    verdict.jump = find_jump(account, within_an_hour(account, now), rules);
    if (!verdict.jump && rules.new_country == AccountRules::NewCountry::jump) verdict.jump = verdict.new_country;
    account.hours_today |= 1U << hour % kHoursOfDay;
    if (!verdict.jump) return verdict;
    const bool learning = is_learning(rules, now);
    verdict.deed = learning ? Deed::none : rules.deed;
    if (verdict.deed == Deed::throttle) {  // what is beyond the limit is not counted, as of a rate
        account = as_before;
        verdict.first = account.told != hour;
        account.told = hour;
    } else {
        verdict.first = account.told != day;
        account.told = day;
    }
    if (!learning) account.odd = day;
    if (!stays || learning) return verdict;
    account.jump = verdict.jump->of;
    account.jump_count = verdict.jump->count;
    account.jump_most = verdict.jump->most;
    account.jumped = static_cast<std::uint32_t>(seconds(now));
    verdict.first = true;
    return verdict;
}

AccountBaseline::Verdict AccountBaseline::add(const Submission& message, const AccountRules& rules, base::Time now) {
    const auto login = lower(message.login);
    if (std::ranges::find(rules.exempt, login) != rules.exempt.end()) return {};
    std::vector<std::uint64_t> recipients;
    recipients.reserve(message.recipients.size());
    for (const auto& recipient : message.recipients)
        recipients.push_back(KeyHasher(seed_).add(recipient.mailbox.local).add(recipient.mailbox.domain.text()).finish().low);
    if (std::int64_t none = 0; begun_.load(std::memory_order_relaxed) == 0) begun_.compare_exchange_strong(none, seconds(now));
    changes_.fetch_add(1, std::memory_order_relaxed);
    return table_.change(key_of(login), now, [&](Account& account) { return judge(account, recipients, message, rules, now); });
}

void AccountBaseline::add_bounce(std::string_view login, base::Time now) {
    changes_.fetch_add(1, std::memory_order_relaxed);
    table_.change(key_of(login), now, [&](Account& account) {
        if (account.until == 0) account.begun = hour_of(now) / kHoursOfDay;
        account.until = (now + kKept).time_since_epoch().count();
        catch_up(account, hour_of(now));
        account.day_bounces = capped(std::uint64_t{account.day_bounces} + 1);
    });
}

bool AccountBaseline::release(std::string_view login, base::Time now) {
    const auto key = key_of(login);
    if (!table_.find(key)) return false;
    changes_.fetch_add(1, std::memory_order_relaxed);
    return table_.change(key, now, [&](Account& account) {
        if (account.jump == Jump::Of::none && account.odd != account.hour / kHoursOfDay) return false;
        const auto& busy = within_an_hour(account, now);
        const auto most = [](std::uint32_t a, std::uint32_t b, std::uint32_t c) { return std::max({a, b, c}); };
        account.usual = {most(account.usual.messages, account.busiest.messages, busy.messages),
                         most(account.usual.recipients, account.busiest.recipients, busy.recipients),
                         most(account.usual.new_recipients, account.busiest.new_recipients, busy.new_recipients)};
        account.counts = account.before = {};
        account.day_bounces = 0;
        account.jump = Jump::Of::none;
        account.jump_count = account.jump_most = account.jumped = account.told = account.odd = 0;
        return true;
    });
}

std::optional<AccountBaseline::Told> AccountBaseline::find(std::string_view login, base::Time now) const {
    auto found = table_.find(key_of(login));
    if (!found || found->kept_until() <= now) return std::nullopt;
    catch_up(*found, hour_of(now));
    const auto counts = within_an_hour(*found, now);
    return Told{.jump = jump_of(*found),
                .since = base::Time(std::chrono::seconds(found->jumped)),
                .messages = counts.messages,
                .recipients = counts.recipients,
                .new_recipients = counts.new_recipients,
                .usual_messages = found->usual.messages,
                .usual_recipients = found->usual.recipients,
                .usual_new_recipients = found->usual.new_recipients};
}

std::string AccountBaseline::snapshot(base::Time now) const {
    SnapshotWriter out(kKind);
    out.number(seed_);
    out.number(static_cast<std::uint64_t>(begun_.load()));
    table_.write(out, now);
    return std::move(out).finish();
}

base::Result<void> AccountBaseline::restore(std::string_view octets) {
    auto in = SnapshotReader::open(octets, kKind);
    if (!in) return base::pass_on(in);
    const auto seed = in->number();
    const auto begun = in->number();
    const auto accounts = HashedTable<Account>::read(*in);
    if (!accounts || !in->done()) return damaged_snapshot();
    seed_ = seed;
    begun_ = static_cast<std::int64_t>(begun);
    table_.fill(*accounts);
    return {};
}

}  // namespace thurn::policy
