#include "scan/archive_listing.h"

#include "base/ascii.h"
#include "mail/charset.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include <fmt/format.h>

namespace thurn::scan {

namespace {

using base::ErrorKind;
using base::fail;

constexpr std::array<std::string_view, 5> kExcessNames{"", "depth", "entries", "unpacked", "ratio"};
constexpr std::size_t kMostOfLine = 4096;
constexpr std::size_t kMostOfText = 200;

std::string escape(std::string_view text) {
    std::string escaped;
    for (const char c : text)
        if (base::is_printable(c) && c != '%')
            escaped += c;
        else
            escaped += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    return escaped;
}

std::optional<std::string> unescape(std::string_view text) {
    std::string plain;
    for (; !text.empty(); text.remove_prefix(1)) {
        if (!base::is_printable(text.front())) return std::nullopt;
        if (text.front() != '%') {
            plain += text.front();
            continue;
        }
        unsigned octet = 0;
        if (text.size() < 3 || std::from_chars(text.data() + 1, text.data() + 3, octet, 16).ptr != text.data() + 3) return std::nullopt;
        plain += static_cast<char>(octet);
        text.remove_prefix(2);
    }
    return mail::to_utf8("utf-8", plain);
}

/// The words of one line.
class Words {
public:
    explicit Words(std::string_view line) : rest_(line) {}
    std::string_view next() {
        const auto word = rest_.substr(0, rest_.find(' '));
        rest_.remove_prefix(std::min(word.size() + 1, rest_.size()));
        return word;
    }
    template <class Number>
    std::optional<Number> number() {
        const auto word = next();
        Number value{};
        const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
        if (error != std::errc() || end != word.data() + word.size()) return std::nullopt;
        return value;
    }
    [[nodiscard]] std::string_view rest() const { return rest_; }

private:
    std::string_view rest_;
};

bool read_flags(std::string_view flags, ArchiveMember& member) {
    member.macros = flags.starts_with('m');
    member.encrypted = flags.ends_with('e');
    return flags == "-" || flags == "m" || flags == "e" || flags == "me";
}

bool read_member(Words words, ArchiveListing& into) {
    ArchiveMember member;
    const auto archive = words.number<std::size_t>();
    const auto depth = words.number<std::size_t>();
    const auto size = words.number<std::uint64_t>();
    const auto kind = words.next();
    if (!archive || !depth || !size || !read_flags(words.next(), member)) return false;
    member.kind = find_file_kind(kind);
    if (kind.empty() || (kind != "-" && member.kind == FileKind::none)) return false;
    auto path = unescape(words.rest());
    if (!path) return false;
    member.archive = *archive;
    member.depth = *depth;
    member.size = *size;
    member.path = *std::move(path);
    into.members.push_back(std::move(member));
    return true;
}

bool read_note(Words words, std::vector<ArchiveListing::Note>& into) {
    const auto archive = words.number<std::size_t>();
    auto what = unescape(words.rest());
    if (!archive || !what) return false;
    into.push_back({*archive, *std::move(what)});
    return true;
}

bool read_line(std::string_view line, ArchiveListing& into) {
    Words words(line);
    const auto word = words.next();
    if (word == "member") return read_member(words, into);
    if (word == "broken") return read_note(words, into.broken);
    if (word != "excess" || !read_note(words, into.excess)) return false;
    const auto& name = into.excess.back().what;
    return !name.empty() && std::ranges::find(kExcessNames, name) != kExcessNames.end();
}

}  // namespace

std::string_view name_of(ArchiveExcess excess) { return kExcessNames[static_cast<std::size_t>(excess)]; }

std::string render_member(const ArchiveMember& member) {
    std::string_view path = member.path;
    if (path.size() > kMostOfPath) path.remove_prefix(path.size() - kMostOfPath);
    const auto flags = std::string(member.macros ? "m" : "") + (member.encrypted ? "e" : "");
    return fmt::format("member {} {} {} {} {} {}\n", member.archive, member.depth, member.size,
                       member.kind == FileKind::none ? "-" : name_of(member.kind), flags.empty() ? "-" : flags, escape(path));
}

std::string render_broken(const ArchiveListing::Note& note) {
    return fmt::format("broken {} {}\n", note.archive, escape(std::string_view(note.what).substr(0, kMostOfText)));
}

std::string render_excess(std::size_t archive, ArchiveExcess excess) { return fmt::format("excess {} {}\n", archive, name_of(excess)); }

base::Result<ArchiveListing> parse_listing(std::string_view text) {
    if (!text.starts_with(kListingHead))
        return fail(text.empty() ? ErrorKind::peer_gone : ErrorKind::syntax, "it said nothing of archives");
    text.remove_prefix(kListingHead.size());
    ArchiveListing listing;
    while (text != kListingEnd) {
        const auto end = text.find('\n');
        if (end == std::string_view::npos) return fail(ErrorKind::peer_gone, "it ended before it was done");
        if (end > kMostOfLine) return fail(ErrorKind::too_long, "a line of more than 4 KiB");
        if (!read_line(text.substr(0, end), listing)) return fail(ErrorKind::syntax, "a line that is none of a listing");
        text.remove_prefix(end + 1);
    }
    return listing;
}

}  // namespace thurn::scan
