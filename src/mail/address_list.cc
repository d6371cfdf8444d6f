// Address lists of header fields (RFC 5322 §3.4), one pass over octets, no recursion and no backtracking.
//
// An element is read into one string, `words_`: quoted parts and literals as they stand, comments and white space dropped. What came before
// a '<' was a display name and is forgotten; what came before a ':' named a group. So of
//     "Smith, J" (head (of) office) <j . smith@ example.com>
// there remains `j.smith@example.com`, which parse_mailbox() judges like any other address: there is no second grammar of
// addresses here. Dropping white space must not join what it parts: `a b@c` is two words, not `ab@c`, and unreadable.
//
// Whatever is odd spoils only its own element, except an open quote, comment or bracket, which reaches to the end.

#include "base/ascii.h"
#include "mail/header.h"
#include "mail/mailbox.h"

#include <utility>

namespace thurn::mail {
namespace {

class AddressListReader {
public:
    explicit AddressListReader(std::string_view text) : text_(text) {}

    AddressList read() {
        while (at_ < text_.size()) take_token();
        if (bracket_ == Bracket::open || group_ == Group::inside) spoil();  // obs forms have no open group either
        end_element();
        return std::move(list_);
    }

private:
    enum class Bracket { none, open, closed };
    enum class Group { outside, inside };

    void take_token();
    void take_special(char c);
    void take_comment();
    void take_delimited(char end);
    void take_word(std::string_view word);
    void open_bracket();
    void end_group_name();
    void end_element();
    void add(std::string_view address);
    void spoil() { readable_ = false; }
    void forget_words();

    std::string_view text_;
    std::size_t at_ = 0;
    AddressList list_;

    // The element that is being read.
    std::string words_;
    bool gap_ = false;        // white space or a comment came after the last word
    bool two_words_ = false;  // words stand side by side: a display name, but no address
    bool readable_ = true;
    Bracket bracket_ = Bracket::none;
    Group group_ = Group::outside;
};

void AddressListReader::take_token() {
    switch (const char c = text_[at_]) {
        case ' ':
        case '\t':
        case '\r':
        case '\n':
            gap_ = true;
            ++at_;
            return;
        case '(':
            return take_comment();
        case '"':
            return take_delimited('"');
        case '[':
            return take_delimited(']');
        default:
            return take_special(c);
    }
}

void AddressListReader::take_special(char c) {
    ++at_;
    const bool in_bracket = bracket_ == Bracket::open;
    if (c == ',' && !in_bracket) return end_element();
    if (c == '<') return open_bracket();
    if (c == '>') return in_bracket ? void(bracket_ = Bracket::closed) : spoil();
    if (c == ':' && !in_bracket) return end_group_name();
    if (c == ';' && !in_bracket) {
        if (group_ == Group::outside) spoil();
        end_element();
        group_ = Group::outside;
        return;
    }
    take_word(text_.substr(at_ - 1, 1));
}

/// Comments nest (RFC 5322 §3.2.2); a counter serves for any depth.
void AddressListReader::take_comment() {
    std::size_t depth = 0;
    for (; at_ < text_.size(); ++at_) {
        if (text_[at_] == '\\') {
            ++at_;
        } else if (text_[at_] == '(') {
            ++depth;
        } else if (text_[at_] == ')' && --depth == 0) {
            ++at_;
            gap_ = true;
            return;
        }
    }
    spoil();
}

/// A quoted string or a literal, kept as it stands but for its line ends (RFC 5322 §3.2.4).
void AddressListReader::take_delimited(char end) {
    std::string word(1, text_[at_++]);
    while (at_ < text_.size()) {
        const char c = text_[at_++];
        if (c == '\r' || c == '\n') continue;
        word += c;
        if (c == end) return take_word(word);
        if (c == '\\' && at_ < text_.size()) word += text_[at_++];
    }
    spoil();
}

void AddressListReader::take_word(std::string_view word) {
    const auto joins = [](char c) { return c == '.' || c == '@' || c == ',' || c == ':'; };  // the last two in a source route only
    if (bracket_ == Bracket::closed) spoil();                                                // after `<…>` only comments may follow
    if (gap_ && !words_.empty() && !joins(words_.back()) && !joins(word.front())) two_words_ = true;
    gap_ = false;
    words_ += word;
}

void AddressListReader::open_bracket() {
    if (bracket_ != Bracket::none) spoil();
    bracket_ = Bracket::open;
    forget_words();
}

void AddressListReader::end_group_name() {
    if (bracket_ != Bracket::none || group_ == Group::inside || words_.empty()) return spoil();
    group_ = Group::inside;
    forget_words();
}

void AddressListReader::forget_words() {
    words_.clear();
    gap_ = false;
    two_words_ = false;
}

/// The route of `<@a,@b:c@d>` is ignored, as in the envelope (RFC 5322 §4.4).
std::string_view without_route(std::string_view address) {
    const std::size_t colon = address.starts_with('@') ? address.find(':') : std::string_view::npos;
    return colon == std::string_view::npos ? address : address.substr(colon + 1);
}

void AddressListReader::add(std::string_view address) {
    if (const auto mailbox = parse_mailbox(address, Charset::utf8)) return list_.addresses.push_back(render_mailbox(*mailbox));
    auto alone = parse_mailbox(std::string(address).append("@localhost"), Charset::utf8);
    if (!alone) return void(list_.complete = false);
    list_.unqualified.push_back(render_mailbox({.local = std::move(alone->local), .domain = {}}));
}

void AddressListReader::end_element() {
    const bool empty = words_.empty() && bracket_ == Bracket::none;  // obs-addr-list lets elements be empty (RFC 5322 §4.4)
    if (!readable_ || (!empty && two_words_)) {
        list_.complete = false;
    } else if (!empty) {
        const std::string_view address = bracket_ == Bracket::closed ? without_route(words_) : std::string_view(words_);
        add(address);
    }
    forget_words();
    readable_ = true;
    bracket_ = Bracket::none;
}

}  // namespace

AddressList parse_address_list(std::string_view value) { return AddressListReader(value).read(); }

}  // namespace thurn::mail
