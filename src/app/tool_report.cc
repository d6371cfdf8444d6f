#include "app/command.h"
#include "app/report_json.h"
#include "app/tool_message.h"
#include "mail/mime.h"

#include <array>

#include <boost/json.hpp>

namespace thurn::app {

namespace json = boost::json;

namespace {

std::string_view encoding_name(mail::TransferEncoding encoding) {
    constexpr std::array<std::string_view, 6> kNames{"7bit", "8bit", "binary", "quoted-printable", "base64", "unknown"};
    return kNames[static_cast<std::size_t>(encoding)];
}

std::string_view kind_name(mail::MimePart::Kind kind) {
    constexpr std::array<std::string_view, 3> kNames{"leaf", "multipart", "message"};
    return kNames[static_cast<std::size_t>(kind)];
}

json::object describe(const mail::MimePart& part) {
    json::object object{{"type", json_text(part.media.type + "/" + part.media.subtype)},
                        {"kind", kind_name(part.kind)},
                        {"encoding", encoding_name(part.encoding)},
                        {"begin", part.begin},
                        {"body", part.body}};
    if (part.kind == mail::MimePart::Kind::leaf) object["end"] = part.end;
    if (!part.media.boundary.empty()) object["boundary"] = json_text(part.media.boundary);
    return object;
}

/// The part at `next` with all that is in it; `next` is put behind them. The depth of parts is bounded where they are found.
json::object describe_tree(const std::vector<mail::MimePart>& parts, std::size_t& next) {
    const auto& part = parts[next++];
    auto object = describe(part);
    if (part.kind == mail::MimePart::Kind::leaf) return object;
    json::array& inner = object["parts"].emplace_array();
    while (next < parts.size() && parts[next].depth > part.depth) inner.emplace_back(describe_tree(parts, next));
    return object;
}

}  // namespace

int tool_mime() {
    const auto message = read_message();
    const auto parts = mail::parse_mime(message.octets);
    if (!parts) {
        print_json(json::object{{"error", parts.error().detail}});
        return exit_ok;
    }
    std::size_t next = 0;
    print_json(describe_tree(*parts, next));
    return exit_ok;
}

int tool_report() {
    const auto found = report::find_report(read_message().octets);
    if (found)
        print_json(describe_report(*found));
    else
        print_json(json::object{{"type", nullptr}, {"reason", json_text(found.error().detail)}});
    return exit_ok;
}

}  // namespace thurn::app
