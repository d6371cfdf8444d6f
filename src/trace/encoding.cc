#include "trace/encoding.h"

#include "trace/clean_text.h"
#include "trace/fields.h"

#include <algorithm>
#include <utility>

namespace thurn::trace {
namespace {

using base::ErrorKind;
using base::fail;
using base::Result;

void append_fixed(std::string& out, std::uint64_t value) {
    for (int shift = 0; shift < 64; shift += 8) out += static_cast<char>(value >> shift & 0xff);
}

std::uint64_t read_fixed(std::string_view octets) {
    std::uint64_t value = 0;
    for (std::size_t i = 8; i-- > 0;) value = value << 8 | static_cast<unsigned char>(octets[i]);
    return value;
}

constexpr std::uint64_t zigzag(std::int64_t value) {
    return static_cast<std::uint64_t>(value) << 1 ^ static_cast<std::uint64_t>(value >> 63);
}
constexpr std::int64_t unzigzag(std::uint64_t value) { return static_cast<std::int64_t>(value >> 1 ^ (~(value & 1) + 1)); }

class Writer {
public:
    explicit Writer(std::string& out) : out_(out), begin_(out.size()) {}

    void operator()(const char*, std::uint64_t value) {
        for (; value >= 0x80; value >>= 7) out_ += static_cast<char>(value | 0x80);
        out_ += static_cast<char>(value);
    }
    void operator()(const char* name, base::Time value) { (*this)(name, zigzag(value.time_since_epoch().count())); }
    void operator()(const char* name, const std::string& text) {
        const std::size_t length = std::min(text.size(), kMaxEventText);
        (*this)(name, std::uint64_t{length});
        const std::size_t start = out_.size();
        out_.append(text, 0, length);
        clean_controls(out_, start);
    }
    void operator()(const char* name, const std::vector<std::string>& list) {
        std::size_t count = 0;
        for (std::size_t size = out_.size() - begin_; count < list.size() && size < kMaxEventSize - kMaxEventText; ++count)
            size += list[count].size() + 2;
        (*this)(name, std::uint64_t{count});
        for (std::size_t i = 0; i < count; ++i) (*this)(name, list[i]);
    }

private:
    std::string& out_;
    std::size_t begin_;
};

class Reader {
public:
    explicit Reader(std::string_view octets) : rest_(octets) {}

    void operator()(const char*, std::uint64_t& value) {
        if (has_field()) value = number();
    }
    void operator()(const char*, base::Time& value) {
        if (has_field()) value = base::Time(base::Duration(unzigzag(number())));
    }
    void operator()(const char*, std::string& text) {
        if (has_field()) text = taken_text();
    }
    void operator()(const char*, std::vector<std::string>& list) {
        if (!has_field()) return;
        // Every element takes an octet at least, so a forged count cannot ask for more than there is.
        for (std::uint64_t left = number(); left > 0 && good_; --left) list.push_back(taken_text());
    }
    [[nodiscard]] bool good() const { return good_; }

private:
    [[nodiscard]] bool has_field() const { return good_ && !rest_.empty(); }

    std::uint64_t number() {
        std::uint64_t value = 0;
        for (unsigned shift = 0; shift < 64; shift += 7) {
            if (rest_.empty()) break;
            const auto octet = static_cast<unsigned char>(rest_.front());
            rest_.remove_prefix(1);
            value |= static_cast<std::uint64_t>(octet & 0x7f) << shift;
            if (octet < 0x80) return value;
        }
        good_ = false;
        return 0;
    }
    std::string taken_text() {
        const std::uint64_t length = number();
        if (!good_ || length > rest_.size()) {
            good_ = false;
            return {};
        }
        std::string text(rest_.substr(0, length));
        clean_controls(text, 0);  // of use only if someone else wrote the file
        rest_.remove_prefix(length);
        return text;
    }

    std::string_view rest_;
    bool good_ = true;
};

/// A body of the alternative with that index, with its defaults.
template <std::size_t... Index>
bool choose(Body& body, std::size_t kind, std::index_sequence<Index...>) {
    return ((kind == Index ? (body.emplace<Index>(), true) : false) || ...);
}

}  // namespace

void append_event(std::string& out, const Event& event) {
    Writer writer(out);
    append_fixed(out, event.id.value);
    append_fixed(out, static_cast<std::uint64_t>(event.at.time_since_epoch().count()));
    out += static_cast<char>(event.body.index());
    std::visit([&writer]<class Kind>(const Kind& body) { Fields<Kind>::visit(body, writer); }, event.body);
}

Result<EventHead> decode_head(std::string_view octets) {
    if (octets.size() < kEventHeadSize) return fail(ErrorKind::corrupt, "an event shorter than its head");
    return EventHead{.id = {read_fixed(octets)}, .at = base::Time(base::Duration(static_cast<std::int64_t>(read_fixed(octets.substr(8)))))};
}

Result<Event> decode_event(std::string_view octets) {
    auto head = decode_head(octets);
    if (!head) return base::pass_on(head);
    Event event{.id = head->id, .at = head->at, .body = {}};
    const auto kind = static_cast<unsigned char>(octets[kEventHeadSize - 1]);
    if (!choose(event.body, kind, std::make_index_sequence<std::variant_size_v<Body>>()))
        return fail(ErrorKind::corrupt, "an event of unknown kind");
    Reader reader(octets.substr(kEventHeadSize));
    std::visit([&reader]<class Kind>(Kind& body) { Fields<Kind>::visit(body, reader); }, event.body);
    if (!reader.good()) return fail(ErrorKind::corrupt, "an event cut short");
    return event;
}

}  // namespace thurn::trace
