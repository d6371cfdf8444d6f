#pragma once

#include "mail/mime.h"
#include "mail/transfer_decoder.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace thurn::mail {

/// What the header of one part says of it.
struct PartHead {
    std::string type = "text/plain";  // in lower case, as declared; the first where several are
    std::vector<std::string> names;   // every file name that some reader gives it, in UTF-8
    std::string charset;
    bool attached = false;  // Content-Disposition: attachment
    MimePart::Kind kind = MimePart::Kind::leaf;
    TransferEncoding encoding = TransferEncoding::seven_bit;
    std::size_t depth = 0;  // within how many others it is
};

/// Who hears of the parts of a message, in the order they stand.
class PartSink {
public:
    virtual ~PartSink() = default;
    /// Of every part. What a multipart or a message holds follows as parts of their own.
    virtual void begin(const PartHead& head) = 0;
    /// Of a leaf: its content, decoded, in pieces.
    virtual void octets(std::string_view decoded) = 0;
    /// Of a leaf.
    virtual void end() = 0;
};

/// What programs read in different ways; honest mail hardly ever holds it.
enum class PartFault : std::uint8_t {
    no_boundary,         // a multipart without one: the first line that may be a delimiter is taken for it
    several_boundaries,  // or types, encodings: all are heeded
    line_in_header,      // that is no field
    long_header,         // of a part: beyond the limit it is not read
    loose_delimiter,     // a boundary with something behind it
    part_behind_end,     // of a multipart
    unended,             // a multipart without an end
    encoded_container,   // a message in base64
    unknown_encoding,    // taken as it stands
    too_deep,            // what is deeper than the limit is not taken apart
    too_many,            // parts, or lines that may be delimiters in parts nested deeply; the rest is not taken apart
};
inline constexpr std::size_t kPartFaults = 11;
/// `no-boundary`
[[nodiscard]] std::string_view name_of(PartFault fault);

struct PartLimits {
    std::size_t depth = 50;
    std::size_t parts = 10'000;
    std::size_t header = std::size_t{256} << 10;  // octets of one part's
    std::uint64_t comparisons = 50'000'000;       // of lines that begin with `--`, each with every boundary; half a second
};

/// Takes a message apart while it comes, as mail programs do that show it (RFC 2045, RFC 2046): whatever is broken is read somehow, and where
/// programs differ the way that finds more. For who wants to know what a message may hold; who changes one uses parse_mime().
///
/// Shape    feed() any split of the message, finish() at its end. The sink hears the same whatever the split, but for how the octets of a leaf are
///          cut. LF ends a line as CRLF does.
/// Limits   PartLimits. Linear, times the depth for lines that begin with `--`, and those are compared no more often than PartLimits says: 50 MB of
///          nothing else, within 50 multiparts of four boundaries, would take seconds. Keeps one header and less than 5000 octets for each level.
class PartReader {
public:
    explicit PartReader(PartSink& sink, const PartLimits& limits = {});
    ~PartReader();
    PartReader(const PartReader&) = delete;
    PartReader& operator=(const PartReader&) = delete;

    void feed(std::string_view octets);
    void finish();

    [[nodiscard]] std::size_t parts() const { return tally_->parts; }      // also those that hold others
    [[nodiscard]] std::size_t deepest() const { return tally_->deepest; }  // 0: the message is one part
    [[nodiscard]] bool has(PartFault fault) const { return (tally_->faults >> static_cast<unsigned>(fault) & 1) != 0; }

private:
    struct Tally {
        std::size_t parts = 0;
        std::size_t deepest = 0;
        unsigned faults = 0;
        std::uint64_t comparisons = 0;
    };
    /// A multipart that may have more parts.
    struct Level {
        std::vector<std::string> boundaries;  // none: the first line that may be one tells it
        std::size_t depth;                    // of the multipart
        bool digest;
        bool ended = false;
    };
    struct Delimiter {
        std::size_t level;
        bool ends;
    };
    enum class State : std::uint8_t { header, leaf, between };

    /// Of a message that stands encoded in another one: shares its count.
    PartReader(PartSink& sink, const PartLimits& limits, Tally& tally, std::size_t depth);
    void blame(PartFault fault) { tally_->faults |= 1U << static_cast<unsigned>(fault); }

    void pass(std::string_view& octets);
    void collect_line(std::string_view& octets);
    void take_line(std::string_view line);
    void take_rest_of_line(std::string_view octets);
    void take_header_line(std::string_view line);
    void guess_boundary(std::string_view line);
    [[nodiscard]] const Delimiter* find_delimiter(std::string_view line);
    void meet(Delimiter delimiter);
    void begin_entity();
    void end_header();
    void end_entity();
    void begin_multipart(const PartHead& head, std::vector<std::string> boundaries);
    void begin_message(PartHead head);
    void begin_leaf(const PartHead& head);
    void emit(std::string_view octets);
    void decode(std::string_view octets);
    void hand_on(std::string_view decoded);

    PartSink& sink_;
    PartLimits limits_;
    Tally own_tally_;
    Tally* tally_ = &own_tally_;
    State state_ = State::header;
    std::vector<Level> levels_;
    std::size_t depth_ = 0;   // of the entity
    bool in_digest_ = false;  // the entity is a message unless it says otherwise (RFC 2046 §5.1.5)
    bool in_leaf_ = false;    // the sink waits for its end
    std::string line_;        // the beginning of a line
    bool passing_ = false;    // the rest of the line is no delimiter
    bool skipping_ = false;   // it is the rest of a delimiter
    std::string header_;
    std::string line_end_;  // of a leaf: the delimiter's, should one follow
    TransferDecoder decoder_{TransferEncoding::seven_bit};
    std::string decoded_;
    std::unique_ptr<PartReader> inner_;  // of an encoded message
    Delimiter found_{};
};

}  // namespace thurn::mail
