// Where a field stands twice, some heed the first and some the last. For a filter it is enough that one of them is bad: a part is a multipart if
// one type says so, and base64 if one encoding does, since to who reads it otherwise it is so much text.
#include "mail/part_head.h"

#include "base/ascii.h"
#include "mail/loose_parameters.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace thurn::mail {
namespace {

struct Field {
    std::string name;
    std::string_view value;
};

constexpr bool is_blank(char c) { return c == ' ' || c == '\t'; }

std::string_view without_line_end(std::string_view line) {
    if (line.ends_with('\n')) line.remove_suffix(1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
}

/// Lines that are no field are passed over: some end the header there, and see text.
std::vector<Field> read_fields(std::string_view header, bool& odd_line) {
    std::vector<Field> fields;
    bool follows_field = false;
    while (!header.empty()) {
        const auto length = std::min(header.find('\n'), header.size() - 1) + 1;
        const auto line = header.substr(0, length);
        header.remove_prefix(length);
        if (is_blank(line.front())) {
            if (follows_field) fields.back().value = {fields.back().value.data(), line.data() + line.size()};
            continue;
        }
        const auto colon = line.find(':');
        follows_field = colon != std::string_view::npos;
        odd_line = odd_line || !follows_field;
        if (!follows_field) continue;
        std::string name(line.substr(0, colon));
        std::ranges::transform(name, name.begin(), base::to_lower);
        while (!name.empty() && is_blank(name.back())) name.pop_back();
        fields.push_back({std::move(name), line.substr(colon + 1)});
    }
    for (auto& field : fields) field.value = without_line_end(field.value);
    return fields;
}

/// Outlook and others put up with `base64;`, `"base64"` and `base64 (so)`.
std::optional<TransferEncoding> encoding_of(const std::string& value) {
    struct Name {
        std::string_view name;
        TransferEncoding encoding;
    };
    static constexpr std::array<Name, 5> kNames{{{"base64", TransferEncoding::base64},
                                                 {"quoted-printable", TransferEncoding::quoted_printable},
                                                 {"7bit", TransferEncoding::seven_bit},
                                                 {"8bit", TransferEncoding::eight_bit},
                                                 {"binary", TransferEncoding::binary}}};
    for (const auto& [name, encoding] : kNames)
        if (value == name) return encoding;
    return std::nullopt;
}

int rank(TransferEncoding encoding) {
    return encoding == TransferEncoding::base64 ? 2 : encoding == TransferEncoding::quoted_printable ? 1 : 0;
}

constexpr std::size_t kMostNames = 100;
constexpr std::size_t kMostBoundaries = 4;  // each is looked for in every line that begins with `--`

void add_all(std::vector<std::string> from, std::vector<std::string>& to, std::size_t most) {
    for (auto& text : from)
        if (to.size() < most && std::ranges::find(to, text) == to.end()) to.push_back(std::move(text));
}

class HeadReader {
public:
    explicit HeadReader(std::string_view type) { read_.head.type = type; }

    void take(const Field& field) {
        if (field.name == "content-type")
            take_type(read_loosely(field.value));
        else if (field.name == "content-disposition")
            take_disposition(read_loosely(field.value));
        else if (field.name == "content-transfer-encoding")
            take_encoding(read_loosely(field.value).value);
    }
    ReadHead end() {
        read_.contradictory = read_.contradictory || read_.boundaries.size() > 1;
        return std::move(read_);
    }

private:
    void take_type(const LooseField& field) {
        auto& head = read_.head;
        if (std::exchange(typed_, true) && field.value != head.type) read_.contradictory = true;
        if (!field.value.empty() && (!std::exchange(type_given_, true) || field.value.starts_with("multipart/"))) head.type = field.value;
        add_all(field.texts("name"), head.names, kMostNames);
        for (auto& boundary : field.readings("boundary")) {
            while (!boundary.empty() && is_blank(boundary.back())) boundary.pop_back();
            if (!boundary.empty()) add_all({boundary}, read_.boundaries, kMostBoundaries);
        }
        if (auto charsets = field.readings("charset"); head.charset.empty() && !charsets.empty())
            head.charset = std::move(charsets.front());
    }
    void take_disposition(const LooseField& field) {
        read_.head.attached = read_.head.attached || field.value == "attachment";
        add_all(field.texts("filename"), read_.head.names, kMostNames);
    }
    void take_encoding(const std::string& value) {
        const auto encoding = encoding_of(value);
        if (!encoding) {
            read_.odd_encoding = true;
            return;
        }
        if (std::exchange(encoded_, true) && *encoding != read_.head.encoding) read_.contradictory = true;
        if (rank(*encoding) >= rank(read_.head.encoding)) read_.head.encoding = *encoding;
    }

    ReadHead read_;
    bool typed_ = false;
    bool type_given_ = false;
    bool encoded_ = false;
};

}  // namespace

ReadHead read_part_head(std::string_view header, std::string_view type) {
    HeadReader reader(type);
    bool odd_line = false;
    for (const auto& field : read_fields(header, odd_line)) reader.take(field);
    auto read = reader.end();
    read.odd_line = odd_line;
    return read;
}

}  // namespace thurn::mail
