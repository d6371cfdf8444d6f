#include "mail/part_reader.h"
#include "require.h"

#include <algorithm>
#include <string>

using namespace thurn;
using fuzz::require;

namespace {

/// What is told, in one text.
class Story : public mail::PartSink {
public:
    void begin(const mail::PartHead& head) override {
        require(!in_leaf_, "a leaf ends before the next part begins");
        in_leaf_ = head.kind == mail::MimePart::Kind::leaf;
        require(head.depth <= 50, "no deeper than the limit");
        text += "<" + head.type;
        for (const auto& name : head.names) text += "|" + name;
    }
    void octets(std::string_view decoded) override {
        require(in_leaf_ && !decoded.empty(), "octets are a leaf's");
        text += decoded;
        octets_ += decoded.size();
    }
    void end() override {
        require(in_leaf_, "only a leaf ends");
        in_leaf_ = false;
        text += ">";
    }
    [[nodiscard]] bool in_leaf() const { return in_leaf_; }
    [[nodiscard]] std::size_t size() const { return octets_; }
    std::string text;

private:
    bool in_leaf_ = false;
    std::size_t octets_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 1) return 0;
    const auto message = fuzz::as_text(data, size).substr(1);
    Story whole, pieces;
    mail::PartReader at_once(whole), one_by_one(pieces);
    at_once.feed(message);
    at_once.finish();
    const std::size_t width = data[0] + 1;
    for (std::size_t at = 0; at < message.size(); at += width) one_by_one.feed(message.substr(at, width));
    one_by_one.finish();
    require(whole.text == pieces.text, "any split tells the same");
    require(at_once.parts() == one_by_one.parts() && at_once.parts() >= 1, "and counts the same");
    require(!whole.in_leaf(), "every leaf ends");
    require(whole.size() <= message.size(), "no content grows");
    return 0;
}
