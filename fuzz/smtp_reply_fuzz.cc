#include "require.h"
#include "smtp/reply.h"

#include <string>
#include <vector>

using namespace thurn;
using fuzz::require;

namespace {

bool is_clean(std::string_view text) {
    for (const char octet : text)
        if (static_cast<unsigned char>(octet) < 0x20 || octet == 0x7f) return false;
    return true;
}

void check_rendered(const smtp::Reply& reply) {
    const auto wire = smtp::render_reply(reply);
    smtp::ReplyReader reader;
    reader.receive(wire);
    const auto again = reader.next();
    require(again && *again && (*again)->code == reply.code && !reader.has_leftover(), "what is rendered is one reply with its code");
    for (std::string_view rest = wire; !rest.empty();) {
        const auto end = rest.find("\r\n");
        require(end != std::string_view::npos && end + 2 <= 512, "each line ends, within 512 octets");
        require(is_clean(rest.substr(0, end)), "no control octets");
        rest.remove_prefix(end + 2);
    }
}

struct Read {
    std::vector<smtp::Reply> replies;
    bool dead = false;
    friend bool operator==(const Read&, const Read&) = default;
};

Read read(std::string_view wire, std::size_t step) {
    smtp::ReplyReader reader;
    Read result;
    for (std::size_t at = 0; at < wire.size(); at += step) {
        reader.receive(wire.substr(at, step));
        while (!result.dead) {
            auto reply = reader.next();
            result.dead = !reply;
            if (!reply || !*reply) break;
            result.replies.push_back(**std::move(reply));
        }
    }
    return result;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto wire = fuzz::as_text(data, size);
    const auto whole = read(wire, wire.size() + 1);
    require(whole == read(wire, 1) && whole == read(wire, 7), "the split does not matter");
    for (const auto& reply : whole.replies) {
        require(reply.code >= 200 && reply.code <= 599 && !reply.lines.empty() && reply.lines.size() <= 100, "within the limits");
        for (const auto& line : reply.lines) require(is_clean(line), "lines are clean");
        require(is_clean(smtp::describe_reply(reply)), "descriptions are clean");
        if (reply.lines.size() < 20) check_rendered(reply);
    }
    check_rendered(smtp::make_reply(550, {5, 7, 1}, std::string(wire.substr(0, 4000))));
    return 0;
}
