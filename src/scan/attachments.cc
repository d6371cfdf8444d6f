#include "scan/attachments.h"

#include "mail/charset.h"

#include <algorithm>
#include <utility>

namespace thurn::scan {

namespace {

bool is_text(const mail::PartHead& head) { return head.type.starts_with("text/") || head.type.find('/') == std::string::npos; }

/// Programs show a text under no name. One that is no text is a file, whatever is declared; that somebody quotes a script is no file yet.
bool is_file(const mail::PartHead& head, FileKind kind) {
    if (!head.names.empty() || head.attached) return true;
    if (is_text(head) || head.type.starts_with("message/")) return kind != FileKind::none && kind != FileKind::script;
    return true;
}

}  // namespace

std::string Attachment::label() const { return names.empty() ? "unnamed " + type : names.front(); }

bool Attachment::is_archive() const {
    return scan::is_archive(kind) || std::ranges::any_of(names, [](const auto& name) { return is_archive_extension(extension_of(name)); });
}

std::string runs_as(const std::vector<std::string>& names, FileKind kind) {
    if (is_program(kind)) return std::string(name_of(kind));
    for (const auto& name : names)
        if (auto extension = extension_of(name); is_program_extension(extension)) return "." + extension;
    return {};
}

std::string macros_as(const std::vector<std::string>& names, bool found) {
    if (found) return "macros";
    for (const auto& name : names)
        if (auto extension = extension_of(name); is_macro_extension(extension)) return "." + extension;
    return {};
}

MessageParts PartSearch::finish() {
    reader_.finish();
    found_.parts = reader_.parts();
    found_.depth = reader_.deepest();
    for (std::size_t fault = 0; fault < mail::kPartFaults; ++fault)
        if (reader_.has(static_cast<mail::PartFault>(fault))) found_.faults.emplace_back(name_of(static_cast<mail::PartFault>(fault)));
    return std::move(found_);
}

void PartSearch::begin(const mail::PartHead& head) {
    head_ = head;
    inspector_ = {};
    text_.clear();
}

void PartSearch::octets(std::string_view decoded) {
    inspector_.feed(decoded);
    if (!is_text(head_) || head_.attached) return;
    const auto kept = decoded.substr(0, text_room_);
    text_room_ -= kept.size();
    text_ += kept;
}

void PartSearch::end() {
    const auto leaf = leaves_++;
    if (!text_.empty()) found_.texts.push_back(mail::to_utf8(head_.charset, text_));
    if (!is_file(head_, inspector_.kind())) return;
    found_.attachments.push_back({.names = std::move(head_.names),
                                  .type = std::move(head_.type),
                                  .kind = inspector_.kind(),
                                  .size = inspector_.size(),
                                  .leaf = leaf,
                                  .macros = inspector_.has_macros(),
                                  .encrypted = inspector_.is_encrypted()});
}

void LeafExtractor::begin(const mail::PartHead& head) {
    if (head.kind != mail::MimePart::Kind::leaf) return;
    wanted_ = next_ < leaves_.size() && leaves_[next_] == leaf_++;
    if (!wanted_) return;
    ++next_;
    taker_.begin();
}

void LeafExtractor::octets(std::string_view decoded) {
    if (wanted_) taker_.octets(decoded);
}

void LeafExtractor::end() {
    if (wanted_) taker_.end();
}

}  // namespace thurn::scan
