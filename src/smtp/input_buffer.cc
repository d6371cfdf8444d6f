#include "smtp/input_buffer.h"

#include "smtp/wipe.h"

namespace thurn::smtp {

namespace {

constexpr std::size_t kEndless = std::size_t{16} << 20;
constexpr std::size_t kHead = 8;

}  // namespace

/// A fresh buffer instead of growing the old one: what realloc moves would leave a password behind.
void InputBuffer::append(std::string_view octets) {
    const auto left = unread();
    if (left.empty()) {
        octets_.assign(octets);
    } else {
        std::string fresh;
        fresh.reserve(left.size() + octets.size());
        fresh.append(left).append(octets);
        wipe(octets_);
        octets_ = std::move(fresh);
    }
    consumed_ = 0;
}

void InputBuffer::clear() {
    std::string().swap(octets_);
    *this = InputBuffer();
}

/// (Assigning an empty string would keep the memory: libstdc++ copies short strings.)
void InputBuffer::release() {
    if (consumed_ < octets_.size()) return;
    std::string().swap(octets_);
    consumed_ = 0;
}

InputBuffer::Found InputBuffer::find_line(std::size_t limit) {
    if (dropping_ != Dropping::nothing) {
        const bool untold = dropping_ == Dropping::untold;
        if (!drop()) return dropped_ > kEndless ? Found::endless : Found::incomplete;
        return untold ? Found::too_long : Found::dropped;
    }
    const auto text = unread();
    const auto end = text.find('\n', scanned_);
    const bool found = end != std::string_view::npos;
    line_length_ = found ? end + 1 : text.size();
    scanned_ = found ? 0 : text.size();
    if (line_length_ > limit) {
        head_.assign(text.substr(0, kHead));
        dropping_ = Dropping::untold;
        return find_line(limit);
    }
    if (!found) return Found::incomplete;
    if (end > 0 && text[end - 1] == '\r') return Found::line;
    dropping_ = Dropping::refused;
    return Found::bare_lf;
}

void InputBuffer::take_line() { wipe_and_consume(line_length_); }

/// True when the CRLF was met.
bool InputBuffer::drop() {
    const auto text = unread();
    scanned_ = 0;
    if (text.empty()) return false;
    const bool split_end = after_cr_ && text.front() == '\n';
    const auto end = split_end ? 0 : text.find("\r\n");
    const bool met = end != std::string_view::npos;
    const auto length = split_end ? 1 : met ? end + 2 : text.size();
    after_cr_ = !met && text.ends_with('\r');
    dropped_ = met ? 0 : dropped_ + length;
    if (met) dropping_ = Dropping::nothing;
    wipe_and_consume(length);
    return met;
}

void InputBuffer::wipe_and_consume(std::size_t count) {
    wipe(octets_.data() + consumed_, count);
    consume(count);
}

}  // namespace thurn::smtp
