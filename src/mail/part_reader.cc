// Lines matter where a delimiter may begin, and in headers. In between nothing is looked at line by line: the content of a leaf goes on to its
// decoder in pieces as large as they come, up to the next line that begins with `--`.
//
// The multiparts that are open lie on a stack. One that has ended stays there until an outer one goes on, since some programs go on showing
// parts behind its end. A delimiter that stands there exactly is looked for at all levels first, then one that only begins so, which RFC 2046
// §5.1.1 allows ("it is sufficient that the boundary appear in its entirety following the CRLF"): of these the longest.
#include "mail/part_reader.h"

#include "mail/part_head.h"

#include <algorithm>
#include <array>
#include <utility>

namespace thurn::mail {
namespace {

using Kind = MimePart::Kind;

constexpr std::size_t kMostOfLine = 4096;  // more of a line is not waited for: it is no exact delimiter then

std::string_view without_line_end(std::string_view line) {
    if (line.ends_with('\n')) line.remove_suffix(1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
}

std::string_view without_blanks_behind(std::string_view line) {
    while (line.ends_with(' ') || line.ends_with('\t')) line.remove_suffix(1);
    return line;
}

bool holds_message(std::string_view type) { return type == "message/rfc822" || type == "message/global" || type == "message/news"; }

bool may_be_boundary(std::string_view text) { return text.size() >= 2 && text.find_first_of(" \t") == std::string_view::npos; }

constexpr std::array<std::string_view, kPartFaults> kFaultNames{
    "no-boundary", "several-boundaries", "line-in-header",   "long-header", "loose-delimiter", "part-behind-end",
    "unended",     "encoded-container",  "unknown-encoding", "too-deep",    "too-many"};

}  // namespace

std::string_view name_of(PartFault fault) { return kFaultNames[static_cast<std::size_t>(fault)]; }

PartReader::PartReader(PartSink& sink, const PartLimits& limits) : sink_(sink), limits_(limits) {}

PartReader::PartReader(PartSink& sink, const PartLimits& limits, Tally& tally, std::size_t depth)
    : sink_(sink), limits_(limits), tally_(&tally), depth_(depth) {}

PartReader::~PartReader() = default;

void PartReader::feed(std::string_view octets) {
    while (!octets.empty()) {
        if (!passing_ && line_.empty() && state_ != State::header && octets.front() != '-') passing_ = true;
        if (passing_)
            pass(octets);
        else
            collect_line(octets);
    }
}

/// What is no line of its own: up to where a delimiter may begin.
void PartReader::pass(std::string_view& octets) {
    std::size_t length = octets.size();
    if (state_ == State::header || skipping_) {
        const auto end = octets.find('\n');
        if (end != std::string_view::npos) length = end + 1;
        passing_ = end == std::string_view::npos;
    } else if (const auto next = octets.find("\n--"); next != std::string_view::npos) {
        length = next + 1;
        passing_ = false;
    } else if (octets.ends_with('\n') || octets.ends_with("\n-")) {
        length -= octets.ends_with('-') ? 1 : 0;
        passing_ = false;
    }
    take_rest_of_line(octets.substr(0, length));
    octets.remove_prefix(length);
    skipping_ = skipping_ && passing_;
}

void PartReader::collect_line(std::string_view& octets) {
    const auto end = octets.find('\n');
    const auto whole = end == std::string_view::npos ? octets.size() : end + 1;
    const auto length = std::min(whole, kMostOfLine - line_.size());
    const auto piece = octets.substr(0, length);
    octets.remove_prefix(length);
    const bool complete = piece.ends_with('\n');
    if (line_.empty() && (complete || length == kMostOfLine)) {
        passing_ = !complete;
        take_line(piece);
        return;
    }
    line_ += piece;
    if (!complete && line_.size() < kMostOfLine) return;
    passing_ = !complete;
    const auto line = std::exchange(line_, {});
    take_line(line);
}

void PartReader::take_line(std::string_view line) {
    if (const auto* delimiter = find_delimiter(line)) {
        skipping_ = passing_;
        meet(*delimiter);
    } else if (state_ == State::header) {
        take_header_line(line);
    } else if (state_ == State::leaf) {
        emit(line);
    } else {
        guess_boundary(line);
    }
}

void PartReader::take_rest_of_line(std::string_view octets) {
    if (skipping_) return;
    if (state_ == State::leaf) emit(octets);
    if (state_ != State::header) return;
    const auto room = limits_.header - std::min(limits_.header, header_.size());
    if (octets.size() > room) blame(PartFault::long_header);
    header_ += octets.substr(0, room);
}

void PartReader::take_header_line(std::string_view line) {
    if (without_line_end(line).empty())
        end_header();
    else
        take_rest_of_line(line);
}

/// Programs that get no boundary take the first line that looks like a delimiter for one.
void PartReader::guess_boundary(std::string_view line) {
    if (levels_.empty() || !levels_.back().boundaries.empty() || !line.starts_with("--")) return;
    const auto text = without_blanks_behind(without_line_end(line)).substr(2);
    if (!may_be_boundary(text)) return;
    levels_.back().boundaries.emplace_back(text);
    skipping_ = passing_;
    meet({.level = levels_.size() - 1, .ends = false});
}

const PartReader::Delimiter* PartReader::find_delimiter(std::string_view line) {
    if (levels_.empty() || !line.starts_with("--")) return nullptr;
    if (tally_->comparisons > limits_.comparisons) {
        blame(PartFault::too_many);
        return nullptr;
    }
    const auto text = without_blanks_behind(without_line_end(line.substr(2)));
    std::size_t longest = 0;
    for (std::size_t level = levels_.size(); level-- > 0;)
        for (const auto& boundary : levels_[level].boundaries) {
            ++tally_->comparisons;
            if (!text.starts_with(boundary)) continue;
            const auto rest = text.substr(boundary.size());
            found_ = {.level = level, .ends = rest == "--"};
            if (!passing_ && (rest.empty() || found_.ends)) return &found_;
            longest = std::max(longest, boundary.size());
        }
    if (longest == 0) return nullptr;
    for (std::size_t level = levels_.size(); level-- > 0;)
        for (const auto& boundary : levels_[level].boundaries)
            if (boundary.size() == longest && text.starts_with(boundary)) {
                blame(PartFault::loose_delimiter);
                found_ = {.level = level, .ends = text.substr(longest).starts_with("--")};
                return &found_;
            }
    return nullptr;
}

void PartReader::meet(Delimiter delimiter) {
    end_entity();
    if (delimiter.level + 1 < levels_.size()) {
        for (auto open = delimiter.level + 1; open < levels_.size(); ++open)
            if (!levels_[open].ended) blame(PartFault::unended);
        levels_.resize(delimiter.level + 1);
    }
    auto& level = levels_.back();
    state_ = State::between;
    if (delimiter.ends) {
        level.ended = true;
        return;
    }
    if (level.ended) blame(PartFault::part_behind_end);
    depth_ = level.depth + 1;
    in_digest_ = level.digest;
    begin_entity();
}

void PartReader::begin_entity() {
    header_.clear();
    if (tally_->parts < limits_.parts) {
        state_ = State::header;
        return;
    }
    blame(PartFault::too_many);
    state_ = State::between;
}

void PartReader::end_header() {
    auto [head, boundaries, contradictory, odd_line, odd_encoding] = read_part_head(header_, in_digest_ ? "message/rfc822" : "text/plain");
    header_.clear();
    in_digest_ = false;
    if (contradictory) blame(PartFault::several_boundaries);
    if (odd_line) blame(PartFault::line_in_header);
    if (odd_encoding) blame(PartFault::unknown_encoding);
    ++tally_->parts;
    tally_->deepest = std::max(tally_->deepest, depth_);
    head.depth = depth_;
    const bool multipart = head.type.starts_with("multipart/");
    const bool deeper = depth_ < limits_.depth;
    if ((multipart || holds_message(head.type)) && !deeper) blame(PartFault::too_deep);
    if (multipart && deeper)
        begin_multipart(head, std::move(boundaries));
    else if (holds_message(head.type) && deeper)
        begin_message(std::move(head));
    else
        begin_leaf(head);
}

/// It cannot be encoded (RFC 2045 §6.4), and no program believes one that says it is.
void PartReader::begin_multipart(const PartHead& head, std::vector<std::string> boundaries) {
    auto said = head;
    said.kind = Kind::multipart;
    sink_.begin(said);
    if (boundaries.empty()) blame(PartFault::no_boundary);
    levels_.push_back({.boundaries = std::move(boundaries), .depth = depth_, .digest = head.type == "multipart/digest"});
    state_ = State::between;
}

void PartReader::begin_message(PartHead head) {
    head.kind = Kind::message;
    sink_.begin(head);
    if (TransferDecoder(head.encoding).is_identity()) {
        ++depth_;
        begin_entity();
        return;
    }
    blame(PartFault::encoded_container);
    inner_.reset(new PartReader(sink_, limits_, *tally_, depth_ + 1));  // its constructor is ours alone
    inner_->begin_entity();
    decoder_ = TransferDecoder(head.encoding);
    state_ = State::leaf;
}

void PartReader::begin_leaf(const PartHead& head) {
    sink_.begin(head);
    in_leaf_ = true;
    decoder_ = TransferDecoder(head.encoding);
    state_ = State::leaf;
}

/// Without the line end that belongs to a delimiter.
void PartReader::end_entity() {
    if (state_ == State::header) end_header();  // it has no body
    if (state_ == State::header) end_header();  // the message that it says it holds is an empty one
    line_end_.clear();
    decoded_.clear();
    decoder_.finish(decoded_);
    hand_on(decoded_);
    decoder_ = TransferDecoder(TransferEncoding::seven_bit);
    if (inner_) inner_->finish();
    inner_.reset();
    if (std::exchange(in_leaf_, false)) sink_.end();
}

void PartReader::finish() {
    if (!line_.empty()) {
        const auto line = std::exchange(line_, {});
        take_line(line);
    }
    if (state_ == State::leaf) decode(line_end_);
    end_entity();
    if (std::ranges::any_of(levels_, [](const Level& level) { return !level.ended; })) blame(PartFault::unended);
    levels_.clear();
    state_ = State::between;
}

/// The end of the last line is kept back: a delimiter may follow.
void PartReader::emit(std::string_view octets) {
    if (line_end_ == "\r" && octets.starts_with('\n')) {
        line_end_ = "\r\n";
        octets.remove_prefix(1);
    }
    if (octets.empty()) return;
    decode(line_end_);
    const std::size_t kept = octets.ends_with("\r\n") ? 2 : octets.ends_with('\n') || octets.ends_with('\r') ? 1 : 0;
    line_end_ = octets.substr(octets.size() - kept);
    decode(octets.substr(0, octets.size() - kept));
}

void PartReader::decode(std::string_view octets) {
    if (decoder_.is_identity()) {
        hand_on(octets);
        return;
    }
    decoded_.clear();
    decoder_.feed(octets, decoded_);
    hand_on(decoded_);
}

void PartReader::hand_on(std::string_view decoded) {
    if (decoded.empty()) return;
    if (inner_)
        inner_->feed(decoded);
    else if (in_leaf_)
        sink_.octets(decoded);
}

}  // namespace thurn::mail
