#include "report/xml.h"

#include "base/utf8.h"

#include <climits>
#include <memory>
#include <vector>

#include <expat.h>
#include <fmt/format.h>

namespace thurn::report {
namespace {

using base::ErrorKind;
using base::fail;

constexpr std::size_t kMaxName = 64;
constexpr std::string_view kSpaces = " \t\r\n";

std::string_view trimmed(std::string_view text) {
    text.remove_prefix(std::min(text.find_first_not_of(kSpaces), text.size()));
    return text.substr(0, text.find_last_not_of(kSpaces) + 1);
}

/// Cutting must not leave half a character behind.
void cut_at_character(std::string& text, std::size_t most) {
    if (text.size() <= most) return;
    while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xc0) == 0x80) --most;
    text.resize(most);
}

struct FreeParser {
    void operator()(XML_Parser parser) const { XML_ParserFree(parser); }
};

class Reading {
public:
    Reading(const XmlLimits& limits, XmlListener& listener) : limits_(limits), listener_(listener), parser_(XML_ParserCreate(nullptr)) {
        if (!parser_) throw std::bad_alloc();
        XML_SetUserData(parser_.get(), this);
        XML_SetElementHandler(
            parser_.get(), [](void* self, const XML_Char* name, const XML_Char**) { static_cast<Reading*>(self)->begin(name); },
            [](void* self, const XML_Char*) { static_cast<Reading*>(self)->end(); });
        XML_SetCharacterDataHandler(parser_.get(), [](void* self, const XML_Char* text, int size) {
            static_cast<Reading*>(self)->add({text, static_cast<std::size_t>(size)});
        });
        XML_SetStartDoctypeDeclHandler(parser_.get(), [](void* self, const XML_Char*, const XML_Char*, const XML_Char*, int) {
            static_cast<Reading*>(self)->refuse({ErrorKind::syntax, "a document type declaration, which has no place here"});
        });
    }

    base::Result<void> read(std::string_view octets) {
        if (octets.size() > INT_MAX) return fail(ErrorKind::too_long, "XML larger than 2 GiB");
        const auto status = XML_Parse(parser_.get(), octets.data(), static_cast<int>(octets.size()), XML_TRUE);
        if (trouble_.kind != ErrorKind::stopping) return std::unexpected(trouble_);
        if (status == XML_STATUS_OK) return {};
        return fail(ErrorKind::syntax,
                    fmt::format("line {}: {}", XML_GetCurrentLineNumber(parser_.get()), XML_ErrorString(XML_GetErrorCode(parser_.get()))));
    }

private:
    // expat may call once more after it was stopped.
    [[nodiscard]] bool refused() const { return trouble_.kind != ErrorKind::stopping; }

    void refuse(base::Error trouble) {
        trouble_ = std::move(trouble);
        XML_StopParser(parser_.get(), XML_FALSE);
    }
    void begin(std::string_view name) {
        if (refused()) return;
        if (lengths_.size() >= limits_.depth) return refuse({ErrorKind::too_long, "elements within elements, too deep"});
        lengths_.push_back(path_.size());
        if (!path_.empty()) path_ += '/';
        name.remove_prefix(name.rfind(':') + 1);  // of no colon, npos + 1 is 0
        path_ += name.size() <= kMaxName ? name : "?";
        text_.clear();
        if (!listener_.element_begins(path_)) refuse({ErrorKind::too_long, "more in it than the limit"});
    }
    void end() {
        if (refused()) return;
        cut_at_character(text_, limits_.text);
        listener_.element_ends(path_, trimmed(text_));
        text_.clear();
        path_.resize(lengths_.back());
        lengths_.pop_back();
    }
    void add(std::string_view text) {
        if (text_.size() <= limits_.text) text_ += text.substr(0, limits_.text + 4 - text_.size());  // 4: to see where the cut is
    }

    const XmlLimits& limits_;
    XmlListener& listener_;
    std::unique_ptr<XML_ParserStruct, FreeParser> parser_;
    std::string path_;
    std::vector<std::size_t> lengths_;  // of the path, without each open element
    std::string text_;
    base::Error trouble_{ErrorKind::stopping, {}};  // `stopping`: none so far
};

/// XML 1.0 §2.2.
bool is_xml_character(unsigned char c) { return c >= 0x20 || c == '\t' || c == '\n' || c == '\r'; }

/// U+FFFE and U+FFFF are UTF-8, but no XML.
bool is_noncharacter(std::string_view rest) { return rest.starts_with("\xEF\xBF\xBE") || rest.starts_with("\xEF\xBF\xBF"); }

void escape_one(char c, std::string& into) {
    switch (c) {
        case '<':
            into += "&lt;";
            break;
        case '>':
            into += "&gt;";
            break;
        case '&':
            into += "&amp;";
            break;
        case '\r':
            into += "&#13;";  // a bare one would be read as LF
            break;
        default:
            into += is_xml_character(static_cast<unsigned char>(c)) ? c : '?';
    }
}

}  // namespace

base::Result<void> read_xml(std::string_view octets, const XmlLimits& limits, XmlListener& listener) {
    octets.remove_prefix(std::min(octets.find_first_not_of(kSpaces), octets.size()));  // some write a line end before the declaration
    return Reading(limits, listener).read(octets);
}

std::string escape_xml(std::string_view text) {
    const bool utf8 = base::is_utf8(text);
    std::string escaped;
    escaped.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (is_noncharacter(text.substr(i))) {
            escaped += '?';
            i += 2;
        } else if (!utf8 && static_cast<unsigned char>(text[i]) >= 0x80) {
            escaped += '?';
        } else {
            escape_one(text[i], escaped);
        }
    }
    return escaped;
}

}  // namespace thurn::report
