#include "storage/journal_reader.h"

#include "base/ascii.h"
#include "trace/encoding.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include <fmt/format.h>
#include <xxhash.h>

namespace thurn::storage {
namespace {

using base::ErrorKind;
using base::Result;

constexpr std::string_view kMagic = "thurntrc";
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kFileHead = 16;
constexpr std::string_view kSuffix = ".trc";
constexpr std::size_t kMaxPayload = trace::kMaxEventSize * 2;  // the limit of an event is a soft one
constexpr std::size_t kChunk = 1U << 20;
constexpr base::Duration kSlack = std::chrono::hours(1);  // between an event and its way to the disk, and of a clock that is corrected

void append_u32(std::string& out, std::uint32_t value) {
    for (int shift = 0; shift < 32; shift += 8) out += static_cast<char>(value >> shift & 0xff);
}
std::uint32_t read_u32(std::string_view octets) {
    std::uint32_t value = 0;
    for (std::size_t i = 4; i-- > 0;) value = value << 8 | static_cast<unsigned char>(octets[i]);
    return value;
}
std::uint32_t checksum_of(std::string_view payload) { return static_cast<std::uint32_t>(XXH3_64bits(payload.data(), payload.size())); }

/// All of `text` as a number.
std::optional<std::uint64_t> parse_number(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

/// `20261122` and `013722`
std::optional<base::Time> parse_moment(std::string_view date, std::string_view clock) {
    if (date.size() != 8 || clock.size() != 6) return std::nullopt;
    const auto day_number = parse_number(date);
    const auto clock_number = parse_number(clock);
    if (!day_number || !clock_number) return std::nullopt;
    const std::chrono::year_month_day day{std::chrono::year(static_cast<int>(*day_number / 10000)),
                                          std::chrono::month(static_cast<unsigned>(*day_number / 100 % 100)),
                                          std::chrono::day(static_cast<unsigned>(*day_number % 100))};
    if (!day.ok()) return std::nullopt;
    return base::Time(std::chrono::sys_days(day)) + std::chrono::hours(*clock_number / 10000) +
           std::chrono::minutes(*clock_number / 100 % 100) + std::chrono::seconds(*clock_number % 100);
}

/// The files that may tell of messages from between these moments. A file ends where the next begins; where the clock was set back,
/// nobody knows.
std::vector<JournalFile> files_about(const std::vector<JournalFile>& all, base::Time since, base::Time until) {
    std::vector<JournalFile> wanted;
    for (std::size_t i = 0; i < all.size(); ++i) {
        const bool last = i + 1 == all.size();
        const bool ended_before = !last && all[i + 1].begun >= all[i].begun && all[i + 1].begun + kSlack < since;
        const bool begun_after = all[i].begun - kSlack > until && (i == 0 || all[i - 1].begun <= all[i].begun);
        if (!ended_before && !begun_after) wanted.push_back(all[i]);
    }
    return wanted;
}

/// Goes through the records of one file with large reads.
class RecordStream {
public:
    explicit RecordStream(const spool::File& file) : file_(file) {}

    Result<void> open() {
        if (auto filled = fill(kFileHead); !filled) return std::unexpected(filled.error());
        if (left().size() < kFileHead) return {};  // just begun
        if (!left().starts_with(kMagic)) return base::fail(ErrorKind::corrupt, "it is no trace journal");
        if (read_u32(left().substr(kMagic.size())) != kVersion) return base::fail(ErrorKind::corrupt, "it is of another version");
        position_ += kFileHead;
        return {};
    }
    struct Record {
        std::string_view payload;
        std::uint32_t checksum;
    };
    /// Nothing at the end, or where the file is torn.
    Result<std::optional<Record>> next() {
        if (auto filled = fill(kJournalRecordHead); !filled) return std::unexpected(filled.error());
        if (left().size() < kJournalRecordHead) return std::nullopt;
        const std::size_t length = read_u32(left());
        if (length == 0 || length > kMaxPayload) return std::nullopt;
        if (auto filled = fill(kJournalRecordHead + length); !filled) return std::unexpected(filled.error());
        if (left().size() < kJournalRecordHead + length) return std::nullopt;
        const Record record{.payload = left().substr(kJournalRecordHead, length), .checksum = read_u32(left().substr(4))};
        position_ += kJournalRecordHead + length;
        return record;
    }

private:
    [[nodiscard]] std::string_view left() const { return std::string_view(buffer_).substr(position_); }

    /// Tries to have `wanted` octets; fewer at the end of the file.
    Result<void> fill(std::size_t wanted) {
        if (left().size() >= wanted || at_end_) return {};
        buffer_.erase(0, position_);
        position_ = 0;
        const std::size_t kept = buffer_.size();
        buffer_.resize(std::max(wanted, kChunk));
        const auto count = file_.read(offset_, std::span(buffer_).subspan(kept));
        if (!count) return std::unexpected(count.error());
        at_end_ = *count < buffer_.size() - kept;
        buffer_.resize(kept + *count);
        offset_ += *count;
        return {};
    }

    const spool::File& file_;
    std::string buffer_;
    std::size_t position_ = 0;
    std::uint64_t offset_ = 0;
    bool at_end_ = false;
};

Result<void> read_file(const spool::File& file, const std::function<void(std::string_view, std::uint32_t)>& visit) {
    RecordStream stream(file);
    if (auto opened = stream.open(); !opened) return opened;
    for (;;) {
        const auto record = stream.next();
        if (!record) return std::unexpected(record.error());
        if (!*record) return {};
        visit((*record)->payload, (*record)->checksum);
    }
}

std::optional<trace::Event> decode_checked(std::string_view payload, std::uint32_t checksum) {
    if (checksum_of(payload) != checksum) return std::nullopt;
    auto event = trace::decode_event(payload);
    if (!event) return std::nullopt;
    return *std::move(event);
}

/// Behind those of the same time; nearly always at the end, as events are written in their order.
void insert_by_time(std::vector<trace::Event>& events, trace::Event event) {
    const auto place = std::ranges::upper_bound(events, event.at, {}, &trace::Event::at);
    events.insert(place, std::move(event));
}

/// Which messages match: each condition may be met by another event of the message.
class Sieve {
public:
    explicit Sieve(const trace::Query& query) : query_(query) {}

    void offer(std::string_view payload, std::uint32_t checksum) {
        const auto head = trace::decode_head(payload);
        if (!head || !in_time(head->id)) return;
        if (wanted_ == 0) return found(head->id);
        const auto event = decode_checked(payload, checksum);
        if (!event) return;
        const unsigned met = conditions_met(event->body);
        if (met == 0) return;
        unsigned& so_far = partly_[event->id];
        so_far |= met;
        if (so_far != wanted_) return;
        found(event->id);
    }
    [[nodiscard]] std::vector<base::MessageId> take() const { return {newest_.begin(), newest_.end()}; }

private:
    static constexpr unsigned kFrom = 1, kTo = 2;

    [[nodiscard]] bool in_time(base::MessageId id) const {
        return (!query_.id || *query_.id == id) && (!query_.since || id.time() >= *query_.since) &&
               (!query_.until || id.time() <= *query_.until);
    }
    void found(base::MessageId id) {
        newest_.insert(id);
        if (newest_.size() > query_.limit) newest_.erase(newest_.begin());
    }
    [[nodiscard]] bool is_from(const std::string& address) const {
        return !query_.from.empty() && base::equal_ignoring_case(address, query_.from);
    }
    [[nodiscard]] bool is_to(const std::string& address) const {
        return !query_.to.empty() && base::equal_ignoring_case(address, query_.to);
    }

    [[nodiscard]] unsigned conditions_met(const trace::Body& body) const {
        if (const auto* parties = trace::parties_of(body)) {
            const bool to = std::ranges::any_of(parties->recipients, [this](const std::string& each) { return is_to(each); });
            return (is_from(parties->sender) ? kFrom : 0) | (to ? kTo : 0);
        }
        if (const auto* routed = std::get_if<trace::Routed>(&body)) return is_to(routed->recipient) ? kTo : 0;
        if (const auto* settled = std::get_if<trace::Settled>(&body)) return is_to(settled->recipient) ? kTo : 0;
        return 0;
    }

    const trace::Query& query_;
    unsigned wanted_ = (query_.from.empty() ? 0 : kFrom) | (query_.to.empty() ? 0 : kTo);
    std::map<base::MessageId, unsigned> partly_;
    std::set<base::MessageId> newest_;
};

}  // namespace

std::string journal_path(const JournalFile& file) {
    const auto day = std::chrono::floor<std::chrono::days>(file.begun);
    const std::chrono::year_month_day date{day};
    const std::chrono::hh_mm_ss clock{std::chrono::floor<std::chrono::seconds>(file.begun - day)};
    return fmt::format("{}/{:04}{:02}{:02}-{:02}{:02}{:02}-{}{}", kJournalFolder, static_cast<int>(date.year()),
                       static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                       clock.minutes().count(), clock.seconds().count(), file.number, kSuffix);
}

std::optional<JournalFile> parse_journal_name(std::string_view name) {
    if (!name.ends_with(kSuffix)) return std::nullopt;
    name.remove_suffix(kSuffix.size());
    if (name.size() < 17 || name[8] != '-' || name[15] != '-') return std::nullopt;
    const auto begun = parse_moment(name.substr(0, 8), name.substr(9, 6));
    const auto number = parse_number(name.substr(16));
    if (!begun || !number) return std::nullopt;
    return JournalFile{.number = *number, .begun = *begun};
}

Result<std::vector<JournalFile>> list_journal(spool::Filesystem& filesystem) {
    auto names = filesystem.list(std::string(kJournalFolder));
    if (!names && names.error().kind == ErrorKind::not_found) return std::vector<JournalFile>{};
    if (!names) return base::pass_on(names);
    std::vector<JournalFile> files;
    for (const std::string& name : *names) {
        if (const auto file = parse_journal_name(name)) files.push_back(*file);
    }
    std::ranges::sort(files, {}, &JournalFile::number);
    return files;
}

std::string journal_file_head() {
    std::string head(kMagic);
    append_u32(head, kVersion);
    append_u32(head, 0);
    return head;
}

void append_journal_record(std::string& out, const trace::Event& event) {
    const std::size_t start = out.size();
    out.append(kJournalRecordHead, '\0');
    trace::append_event(out, event);
    const auto payload = std::string_view(out).substr(start + kJournalRecordHead);
    std::string head;
    append_u32(head, static_cast<std::uint32_t>(payload.size()));
    append_u32(head, checksum_of(payload));
    out.replace(start, kJournalRecordHead, head);
}

JournalReader::JournalReader(std::shared_ptr<spool::Filesystem> filesystem, base::Log& log)
    : filesystem_(std::move(filesystem)), log_(log) {}

void JournalReader::append(trace::Event) {}

Result<std::vector<trace::Event>> JournalReader::find(base::MessageId id) {
    auto files = list_journal(*filesystem_);
    if (!files) return base::pass_on(files);
    std::vector<trace::Event> events;
    read_files(files_about(*files, id.time(), base::Time::max() - kSlack), [&](std::string_view payload, std::uint32_t checksum) {
        const auto head = trace::decode_head(payload);
        if (!head || head->id != id) return;
        if (auto event = decode_checked(payload, checksum)) insert_by_time(events, *std::move(event));
    });
    return events;
}

Result<std::vector<base::MessageId>> JournalReader::search(const trace::Query& query) {
    auto files = list_journal(*filesystem_);
    if (!files) return base::pass_on(files);
    Sieve sieve(query);
    const auto since = query.since.value_or(base::Time{});
    const auto until = query.until.value_or(base::Time::max() - kSlack);
    read_files(files_about(*files, since, until),
               [&sieve](std::string_view payload, std::uint32_t checksum) { sieve.offer(payload, checksum); });
    return sieve.take();
}

Result<void> JournalReader::read(base::Time since, const std::function<void(trace::Event)>& visit) {
    auto files = list_journal(*filesystem_);
    if (!files) return base::pass_on(files);
    read_files(files_about(*files, since, base::Time::max() - kSlack), [&](std::string_view payload, std::uint32_t checksum) {
        const auto head = trace::decode_head(payload);
        if (!head || head->at < since) return;
        if (auto event = decode_checked(payload, checksum)) visit(*std::move(event));
    });
    return {};
}

void JournalReader::read_files(const std::vector<JournalFile>& files, const Visitor& visit) {
    for (const JournalFile& each : files) {
        const std::string path = journal_path(each);
        const auto file = filesystem_->open(path, spool::Access::read);
        if (!file && file.error().kind == ErrorKind::not_found) continue;  // its time was over just now
        const auto outcome = file ? read_file(**file, visit) : Result<void>(std::unexpected(file.error()));
        if (!outcome) log_.warning("trace.unreadable", {{"file", path}, {"reason", outcome.error().detail}});
    }
}

}  // namespace thurn::storage
