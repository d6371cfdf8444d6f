// Lua's matcher, without its captures' texts. An item of a pattern is a character, a class (`%a`, `[a-z]`, `.`), perhaps with a suffix that repeats
// it; `%b()`, `%f[a]`, `%1`; or a parenthesis. match() tries the rest of the pattern at one place of the text, and calls itself wherever Lua's does, so
// that it needs the same depth and takes the same steps.
#include "script/pattern_cost.h"

#include <array>
#include <cctype>
#include <cstring>

namespace thurn::script {

namespace {

constexpr int kDepth = 200;            // MAXCCALLS of lstrlib.c
constexpr std::size_t kCaptures = 32;  // LUA_MAXCAPTURES
constexpr std::ptrdiff_t kOpen = -1;   // a capture that has not ended yet
constexpr std::ptrdiff_t kPlace = -2;  // `()`: where it is

class Matcher {
public:
    Matcher(const PatternSearch& search, std::uint64_t most)
        : search_(search),
          begin_(search.text.empty() ? "" : search.text.data()),  // a null place is no match
          end_(begin_ + search.text.size()),
          pattern_end_(search.pattern.data() + search.pattern.size()),
          most_(most) {}
    PatternCost run();

private:
    using Place = const char*;  // nullptr: no match
    struct Capture {
        Place from;
        std::ptrdiff_t length;
    };

    [[nodiscard]] bool stopped() const { return cost_.over || *cost_.wrong != '\0'; }
    void take(std::ptrdiff_t steps) {
        cost_.steps += static_cast<std::uint64_t>(steps);
        if (cost_.steps > most_) cost_.over = true;
    }
    Place refuse(const char* why) {
        cost_.wrong = why;
        return nullptr;
    }
    /// What Lua reads behind the end of either: its strings end with NUL.
    [[nodiscard]] char of_pattern(Place p) const { return p < pattern_end_ ? *p : '\0'; }
    [[nodiscard]] int of_text(Place s) const { return s < end_ ? static_cast<unsigned char>(*s) : 0; }

    Place item_end(Place p);
    [[nodiscard]] static bool is_in_class(int c, char name);
    [[nodiscard]] bool is_in_set(int c, Place p, Place last) const;
    [[nodiscard]] bool is_single(Place s, Place p, Place item_end);
    Place match(Place s, Place p);
    Place match_items(Place s, Place p);
    Place match_longest(Place s, Place p, Place item_end);
    Place match_shortest(Place s, Place p, Place item_end);
    Place match_balance(Place s, Place& p);
    Place match_frontier(Place s, Place& p);
    Place match_again(Place s, Place& p);
    Place open_capture(Place s, Place p);
    Place close_capture(Place s, Place p);

    const PatternSearch& search_;
    Place begin_;
    Place end_;
    Place pattern_end_;
    std::uint64_t most_;
    PatternCost cost_;
    std::array<Capture, kCaptures> captures_{};
    std::size_t level_ = 0;
    int depth_ = kDepth;
};

/// Behind the item at `p`, where its suffix is.
Matcher::Place Matcher::item_end(Place p) {
    const char first = *p++;
    if (first == '%') return p == pattern_end_ ? refuse("malformed pattern (ends with '%')") : p + 1;
    if (first != '[') return p;
    if (of_pattern(p) == '^') ++p;
    do {  // a `]` that comes first is one of the set
        if (p == pattern_end_) return refuse("malformed pattern (missing ']')");
        if (*p++ == '%' && p < pattern_end_) ++p;
    } while (of_pattern(p) != ']');
    return p + 1;
}

bool Matcher::is_in_class(int c, char name) {
    using Test = int (*)(int);
    struct Class {
        char name;
        Test test;
    };
    static constexpr std::array<Class, 11> kClasses{{{'a', std::isalpha},
                                                     {'c', std::iscntrl},
                                                     {'d', std::isdigit},
                                                     {'g', std::isgraph},
                                                     {'l', std::islower},
                                                     {'p', std::ispunct},
                                                     {'s', std::isspace},
                                                     {'u', std::isupper},
                                                     {'w', std::isalnum},
                                                     {'x', std::isxdigit},
                                                     {'z', [](int octet) -> int { return octet == 0; }}}};
    const int wanted = static_cast<unsigned char>(name);
    for (const auto& one : kClasses)
        if (one.name == std::tolower(wanted)) return (one.test(c) != 0) != (std::isupper(wanted) != 0);
    return wanted == c;
}

/// `p` at the `[`, `last` at the `]`.
bool Matcher::is_in_set(int c, Place p, Place last) const {
    const auto octet = [](char of) { return static_cast<int>(static_cast<unsigned char>(of)); };
    const bool wanted = of_pattern(p + 1) != '^';
    if (!wanted) ++p;
    while (++p < last) {
        if (*p == '%') {
            if (is_in_class(c, *++p)) return wanted;
        } else if (of_pattern(p + 1) == '-' && p + 2 < last) {
            p += 2;
            if (octet(p[-2]) <= c && c <= octet(*p)) return wanted;
        } else if (octet(*p) == c) {
            return wanted;
        }
    }
    return !wanted;
}

bool Matcher::is_single(Place s, Place p, Place item_end) {
    take(item_end - p);
    if (s >= end_) return false;
    switch (*p) {
        case '.':
            return true;
        case '%':
            return is_in_class(of_text(s), p[1]);
        case '[':
            return is_in_set(of_text(s), p, item_end - 1);
        default:
            return *p == *s;
    }
}

Matcher::Place Matcher::match_longest(Place s, Place p, Place item_end) {
    std::ptrdiff_t count = 0;
    while (!stopped() && is_single(s + count, p, item_end)) ++count;
    for (; count >= 0 && !stopped(); --count)
        if (const auto found = match(s + count, item_end + 1)) return found;
    return nullptr;
}

Matcher::Place Matcher::match_shortest(Place s, Place p, Place item_end) {
    while (!stopped()) {
        if (const auto found = match(s, item_end + 1)) return found;
        if (!is_single(s, p, item_end)) break;
        ++s;
    }
    return nullptr;
}

/// `%bxy`.
Matcher::Place Matcher::match_balance(Place s, Place& p) {
    if (p + 3 >= pattern_end_) return refuse("malformed pattern (missing arguments to '%b')");
    const char opens = p[2], closes = p[3];
    p += 4;
    if (s >= end_ || *s != opens) return nullptr;
    for (std::size_t open = 1; ++s < end_;) {
        take(1);
        if (*s == closes) {
            if (--open == 0) return s + 1;
        } else if (*s == opens) {
            ++open;
        }
    }
    return nullptr;
}

/// `%f[set]`.
Matcher::Place Matcher::match_frontier(Place s, Place& p) {
    const auto set = p + 2;
    if (of_pattern(set) != '[') return refuse("missing '[' after '%f' in pattern");
    p = item_end(set);
    if (stopped()) return nullptr;
    take(p - set);
    const int previous = s == begin_ ? 0 : of_text(s - 1);
    return !is_in_set(previous, set, p - 1) && is_in_set(of_text(s), set, p - 1) ? s : nullptr;
}

/// `%1`.
Matcher::Place Matcher::match_again(Place s, Place& p) {
    const auto index = static_cast<std::size_t>(p[1] - '1');  // of %0 beyond all
    p += 2;
    if (index >= level_ || captures_[index].length == kOpen) return refuse("invalid capture index");
    const auto [from, length] = captures_[index];
    if (length == kPlace || end_ - s < length) return nullptr;
    take(length);
    return std::memcmp(from, s, static_cast<std::size_t>(length)) == 0 ? s + length : nullptr;
}

Matcher::Place Matcher::open_capture(Place s, Place p) {
    const bool place = of_pattern(p + 1) == ')';
    if (level_ >= kCaptures) return refuse("too many captures");
    captures_[level_++] = {s, place ? kPlace : kOpen};
    const auto found = match(s, p + (place ? 2 : 1));
    if (!found) --level_;
    return found;
}

Matcher::Place Matcher::close_capture(Place s, Place p) {
    auto index = level_;
    while (index > 0 && captures_[index - 1].length != kOpen) --index;
    if (index == 0) return refuse("invalid pattern capture");
    auto& capture = captures_[index - 1];
    capture.length = s - capture.from;
    const auto found = match(s, p + 1);
    if (!found) capture.length = kOpen;
    return found;
}

Matcher::Place Matcher::match(Place s, Place p) {
    if (depth_ == 0) return refuse("pattern too complex");
    --depth_;
    const auto found = match_items(s, p);
    ++depth_;
    return found;
}

Matcher::Place Matcher::match_items(Place s, Place p) {
    while (p != pattern_end_ && s != nullptr) {
        take(1);
        if (stopped()) return nullptr;
        if (*p == '(') return open_capture(s, p);
        if (*p == ')') return close_capture(s, p);
        if (*p == '$' && p + 1 == pattern_end_) return s == end_ ? s : nullptr;
        const char special = *p == '%' ? of_pattern(p + 1) : '\0';
        if (special == 'b') {
            s = match_balance(s, p);
        } else if (special == 'f') {
            s = match_frontier(s, p);
        } else if (std::isdigit(static_cast<unsigned char>(special)) != 0) {
            s = match_again(s, p);
        } else {
            const auto behind = item_end(p);
            if (stopped()) return nullptr;
            const char suffix = of_pattern(behind);
            if (!is_single(s, p, behind)) {
                if (suffix != '*' && suffix != '?' && suffix != '-') return nullptr;
                p = behind + 1;
                continue;
            }
            if (suffix == '*' || suffix == '+') return match_longest(suffix == '+' ? s + 1 : s, p, behind);
            if (suffix == '-') return match_shortest(s, p, behind);
            if (suffix == '?') {
                if (const auto found = match(s + 1, behind + 1)) return found;
                p = behind + 1;
                continue;
            }
            ++s;
            p = behind;
        }
    }
    return s;
}

PatternCost Matcher::run() {
    Place p = search_.pattern.data();
    const bool anchored = search_.caret == PatternSearch::Caret::anchors && search_.pattern.starts_with('^');
    if (anchored) ++p;
    Place last = nullptr;
    for (Place s = begin_ + search_.from; !stopped() && cost_.matches < search_.most_matches;) {
        take(1);
        level_ = 0;
        const auto found = match(s, p);
        if (stopped()) break;
        if (found && found != last) {  // an empty match just behind another is none
            ++cost_.matches;
            s = last = found;
        } else if (s == end_) {
            break;
        } else {
            ++s;
        }
        if (anchored) break;
    }
    return cost_;
}

}  // namespace

PatternCost count_pattern_steps(const PatternSearch& search, std::uint64_t most) { return Matcher(search, most).run(); }

}  // namespace thurn::script
