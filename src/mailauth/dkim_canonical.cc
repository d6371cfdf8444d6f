// The canonical form of a body (RFC 6376 §3.4.3, §3.4.4) differs from the body at line ends only, and, relaxed, at white space. Both forms
// leave out empty lines at the end, which are known to be at the end only when nothing follows: so line ends, and white space before them,
// are counted and owed, and paid when the next octet of text comes. What is owed is a number, so a body of nothing but line ends needs no
// memory. Text goes through a small buffer, because hashing word by word would cost more than hashing.
#include "mailauth/dkim_canonical.h"

#include "base/ascii.h"

#include <algorithm>
#include <cassert>

namespace thurn::mailauth {
namespace {

constexpr bool is_blank(char c) { return c == ' ' || c == '\t'; }

void append_relaxed(std::string& to, std::string_view raw) {
    const std::size_t colon = raw.find(':');
    std::string_view name = raw.substr(0, colon);
    while (!name.empty() && is_blank(name.back())) name.remove_suffix(1);
    std::ranges::transform(name, std::back_inserter(to), base::to_lower);
    to += ':';
    bool owed = false;
    bool begun = false;
    for (const char c : raw.substr(std::min(colon, raw.size() - 1) + 1)) {
        if (c == '\r' || c == '\n') continue;  // unfolding takes the line end, not the white space behind it
        if (is_blank(c)) {
            owed = begun;
            continue;
        }
        if (owed) to += ' ';
        owed = false;
        begun = true;
        to += c;
    }
}

}  // namespace

void append_canonical_field(std::string& to, std::string_view raw, Canonicalization canonicalization) {
    assert(raw.contains(':'));
    if (canonicalization == Canonicalization::simple)
        to += raw;
    else
        append_relaxed(to, raw);
}

/// One canonical form of the body, and the hashes of it.
class BodyHasher::Form {
public:
    explicit Form(Canonicalization canonicalization) : canonicalization_(canonicalization) {}

    void want(std::optional<std::uint64_t> length) {
        if (length) cut_.try_emplace(*length);
    }
    void feed(std::string_view octets) {
        if (canonicalization_ == Canonicalization::simple)
            feed_simple(octets);
        else
            feed_relaxed(octets);
    }
    void finish() {
        pay_carriage_return();
        // §3.4.3: a body without a line end at its end gets one, an empty body too; §3.4.4: an empty body stays empty.
        if (canonicalization_ == Canonicalization::simple || any_) put("\r\n");
        flush();
        whole_ = hash_.finish();
    }
    [[nodiscard]] const std::string& digest(std::optional<std::uint64_t> length) const {
        return length && *length <= size_ ? cut_.at(*length) : whole_;
    }
    [[nodiscard]] std::uint64_t size() const { return size_; }

private:
    /// Takes a line end that begins a chunk after a carriage return that ended the last one.
    std::string_view after_carriage_return(std::string_view octets) {
        if (!carriage_return_ || octets.empty()) return octets;
        if (octets.front() != '\n') {
            pay_carriage_return();
            return octets;
        }
        end_line();
        return octets.substr(1);
    }
    void end_line() {
        carriage_return_ = false;
        blank_ = false;
        ++line_ends_;
    }
    void pay_carriage_return() {  // it stood alone: text like any other octet
        if (carriage_return_) text("\r");
        carriage_return_ = false;
    }
    /// At a carriage return; gives how many octets it took.
    std::size_t take_carriage_return(std::string_view octets) {
        carriage_return_ = true;
        if (octets.size() == 1) return 1;
        if (octets[1] != '\n') {
            pay_carriage_return();
            return 1;
        }
        end_line();
        return 2;
    }

    void feed_simple(std::string_view octets) {
        octets = after_carriage_return(octets);
        while (!octets.empty()) {
            const std::size_t run = std::min(octets.find('\r'), octets.size());
            if (run > 0) text(octets.substr(0, run));
            octets.remove_prefix(run);
            if (!octets.empty()) octets.remove_prefix(take_carriage_return(octets));
        }
    }
    void feed_relaxed(std::string_view octets) {
        octets = after_carriage_return(octets);
        while (!octets.empty()) {
            const std::size_t run = plain_run(octets);
            if (run > 0) text(octets.substr(0, run));
            octets.remove_prefix(run);
            if (octets.empty()) return;
            if (is_blank(octets.front())) {
                blank_ = true;
                octets.remove_prefix(1);
            } else {
                octets.remove_prefix(take_carriage_return(octets));
            }
        }
    }
    /// Octets that relaxed form keeps as they are: single spaces between words among them.
    static std::size_t plain_run(std::string_view octets) {
        std::size_t i = 0;
        for (; i < octets.size(); ++i) {
            const char c = octets[i];
            if (c > ' ' || c < '\t') continue;  // octets over 127 are below 0 where char is signed; else they are above ' '
            if (c == '\r' || c == '\t') break;
            if (c == ' ' && (i == 0 || i + 1 == octets.size() || is_blank(octets[i + 1]) || octets[i + 1] == '\r')) break;
        }
        return i;
    }

    /// Octets of text, behind all that is owed.
    void text(std::string_view octets) {
        any_ = true;
        for (; line_ends_ > 0; --line_ends_) put("\r\n");
        if (blank_) put(" ");
        blank_ = false;
        put(octets);
    }
    void put(std::string_view octets) {
        if (filled_ + octets.size() > buffer_.size()) flush();
        if (octets.size() > buffer_.size()) return hash(octets);
        std::ranges::copy(octets, buffer_.begin() + static_cast<std::ptrdiff_t>(filled_));
        filled_ += octets.size();
    }
    void flush() {
        hash({buffer_.data(), filled_});
        filled_ = 0;
    }
    /// Hashes, and takes a digest wherever a wanted length ends.
    void hash(std::string_view octets) {
        for (auto cut = cut_.lower_bound(size_); cut != cut_.end() && cut->first <= size_ + octets.size(); ++cut) {
            const std::size_t part = static_cast<std::size_t>(cut->first - size_);
            hash_.update(octets.substr(0, part));
            octets.remove_prefix(part);
            size_ = cut->first;
            if (cut->second.empty()) cut->second = hash_.snapshot();
        }
        hash_.update(octets);
        size_ += octets.size();
    }

    Canonicalization canonicalization_;
    bool any_ = false;              // text there was
    bool carriage_return_ = false;  // the last octet; a line feed may follow
    bool blank_ = false;            // white space is owed
    std::uint64_t line_ends_ = 0;   // owed
    std::uint64_t size_ = 0;        // octets hashed
    std::array<char, 4096> buffer_{};
    std::size_t filled_ = 0;
    Sha256 hash_;
    std::map<std::uint64_t, std::string> cut_;  // digests at `l=`
    std::string whole_;
};

BodyHasher::BodyHasher() = default;
BodyHasher::~BodyHasher() = default;
BodyHasher::BodyHasher(BodyHasher&&) noexcept = default;
BodyHasher& BodyHasher::operator=(BodyHasher&&) noexcept = default;

void BodyHasher::want(const BodyHash& hash) {
    auto& wanted = forms_[static_cast<std::size_t>(hash.canonicalization)];
    if (!wanted) wanted = std::make_unique<Form>(hash.canonicalization);
    wanted->want(hash.length);
}

void BodyHasher::feed(std::string_view octets) {
    for (const auto& each : forms_)
        if (each) each->feed(octets);
}

void BodyHasher::finish() {
    for (const auto& each : forms_)
        if (each) each->finish();
    finished_ = true;
}

const BodyHasher::Form& BodyHasher::form(Canonicalization canonicalization) const {
    const auto& wanted = forms_[static_cast<std::size_t>(canonicalization)];
    assert(finished_ && wanted);
    return *wanted;
}

const std::string& BodyHasher::digest(const BodyHash& hash) const { return form(hash.canonicalization).digest(hash.length); }
std::uint64_t BodyHasher::size(Canonicalization canonicalization) const { return form(canonicalization).size(); }

}  // namespace thurn::mailauth
