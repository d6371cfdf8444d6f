#pragma once

#include "mail/part_reader.h"
#include "scan/file_kind.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace thurn::scan {

/// A part that programs show as a file, or that is one whatever it says it is.
struct Attachment {
    std::vector<std::string> names;  // all that some reader gives it; none: it has none
    std::string type;                // as declared
    FileKind kind = FileKind::none;  // as found
    std::uint64_t size = 0;          // decoded
    std::size_t leaf = 0;            // which of the message's leaves it is
    bool macros = false;
    bool encrypted = false;

    /// For people: its name, or `unnamed image/png`.
    [[nodiscard]] std::string label() const;
    /// Its files may be looked at: by content or by name it holds some.
    [[nodiscard]] bool is_archive() const;
};

/// What runs if a file of these names and this kind is opened: `.exe` or `windows-program`; empty: nothing.
[[nodiscard]] std::string runs_as(const std::vector<std::string>& names, FileKind kind);
/// `.docm` or `macros`; empty: it has none.
[[nodiscard]] std::string macros_as(const std::vector<std::string>& names, bool found);

/// What a message is made of.
struct MessageParts {
    std::vector<Attachment> attachments;
    std::vector<std::string> texts;  // of parts that are shown as text, in UTF-8
    std::size_t parts = 0;
    std::size_t depth = 0;
    std::vector<std::string> faults;  // names of mail::PartFault
};

/// Finds out what a message is made of, while it comes.
///
/// Shape    A text part under no name that is not declared an attachment is text, unless its content is a program's or an archive's.
/// Limits   PartReader's; of texts the first `most_text` octets are kept, all together.
class PartSearch : private mail::PartSink {
public:
    explicit PartSearch(std::size_t most_text) : text_room_(most_text) {}
    void feed(std::string_view octets) { reader_.feed(octets); }
    [[nodiscard]] MessageParts finish();

private:
    void begin(const mail::PartHead& head) override;
    void octets(std::string_view decoded) override;
    void end() override;

    mail::PartReader reader_{*this};
    std::size_t text_room_;
    std::size_t leaves_ = 0;
    mail::PartHead head_;
    FileInspector inspector_;
    std::string text_;
    MessageParts found_;
};

/// Hands out the content of some leaves of a message, while it comes.
class LeafExtractor : private mail::PartSink {
public:
    /// Who takes it.
    class Taker {
    public:
        virtual ~Taker() = default;
        virtual void begin() = 0;
        virtual void octets(std::string_view decoded) = 0;
        virtual void end() = 0;
    };
    /// `leaves`: which, in rising order.
    LeafExtractor(std::vector<std::size_t> leaves, Taker& taker) : leaves_(std::move(leaves)), taker_(taker) {}
    void feed(std::string_view octets) { reader_.feed(octets); }
    void finish() { reader_.finish(); }

private:
    void begin(const mail::PartHead& head) override;
    void octets(std::string_view decoded) override;
    void end() override;

    mail::PartReader reader_{*this};
    std::vector<std::size_t> leaves_;
    Taker& taker_;
    std::size_t leaf_ = 0;  // of those that have begun
    std::size_t next_ = 0;
    bool wanted_ = false;
};

}  // namespace thurn::scan
