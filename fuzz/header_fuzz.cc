#include "mail/header.h"
#include "require.h"

#include <string>

using namespace thurn;
using fuzz::require;

namespace {

/// Fields lie in order, each behind the last with nothing but a line end between.
void check_layout(std::string_view message, const mail::Header& header) {
    const char* at = message.data();
    for (const auto& [name, value] : header.fields) {
        require(name.data() == at, "a field begins where the last one ended");
        require(!name.empty() && name.find_first_of(std::string(" \t\r\n:\0", 6)) == std::string_view::npos, "a name of printable octets");
        require(value.data() > name.data() + name.size() && value.data()[-1] == ':', "a value begins behind its colon");
        at = value.data() + value.size();
        const std::string_view behind(at, message.data() + message.size());
        const std::size_t line_end = behind.starts_with("\r\n") ? 2 : behind.starts_with('\n') ? 1 : 0;
        require(line_end > 0 || behind.empty(), "a field ends with its line");
        at += line_end;
        require(header.find(name) != nullptr && header.count(name) > 0, "a field can be found");
    }
    const std::string_view end(at, message.data() + header.size);
    require(end.empty() || end == "\r\n" || end == "\n", "behind the fields comes the empty line at most");
}

void check_unfold(std::string_view value) {
    const std::string text = mail::unfold(value);
    require(text.find_first_of("\r\n") == std::string::npos, "unfolded text is one line");
    require(text.size() <= value.size(), "unfolding makes nothing longer");
    require(mail::unfold(text) == text, "unfolding twice is unfolding once");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto message = fuzz::as_text(data, size);
    const auto header = mail::parse_header(message);
    require(header.size <= message.size(), "the header is within the message");
    check_layout(message, header);
    for (const auto& field : header.fields) check_unfold(field.value);
    check_unfold(message);
    const auto again = mail::parse_header(message.substr(0, header.size));
    require(again.fields.size() == header.fields.size() && again.size == header.size, "the body changes nothing");
    return 0;
}
