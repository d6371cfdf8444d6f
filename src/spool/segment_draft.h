#pragma once

#include "spool/filesystem.h"
#include "spool/record.h"
#include "spool/spool.h"
#include "spool/worker.h"

#include <functional>

namespace thurn::spool {

/// Name of the file of a large content; and while it is being written.
[[nodiscard]] std::string content_path(base::MessageId id);
[[nodiscard]] std::string content_draft_path(base::MessageId id);
/// The id of a content file; nothing for any other name, drafts among them.
[[nodiscard]] std::optional<base::MessageId> parse_content_name(std::string_view name);

/// XXH3-64 of octets that come piece by piece; the same as content_checksum() of them all.
class RunningChecksum {
public:
    RunningChecksum();
    ~RunningChecksum();
    RunningChecksum(const RunningChecksum&) = delete;
    RunningChecksum& operator=(const RunningChecksum&) = delete;
    void add(std::string_view octets);
    [[nodiscard]] std::uint64_t value() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

/// Content on its way in: in memory at first, in a file of its own once it is large.
class SegmentDraft final : public Draft {
public:
    struct Limits {
        std::size_t in_memory = 0;  // content up to here goes into the log
    };
    /// `has_room`: whether a file may still grow. Precondition: `filesystem`, `worker` and `has_room` outlive the draft.
    SegmentDraft(base::MessageId id, Filesystem& filesystem, Worker& worker, std::function<bool()> has_room, Limits limits)
        : id_(id), filesystem_(filesystem), worker_(worker), has_room_(std::move(has_room)), limits_(limits) {}
    ~SegmentDraft() override;

    [[nodiscard]] base::Result<void> append(std::string_view octets) override;
    [[nodiscard]] base::Result<void> put_on_top(std::string_view octets) override;
    [[nodiscard]] bool needs_disk(std::size_t more) const override;
    [[nodiscard]] base::Octets size() const override { return {size_}; }
    [[nodiscard]] std::optional<std::string_view> in_memory() const override;
    [[nodiscard]] base::Result<std::size_t> read(std::uint64_t offset, std::span<char> into) const override;
    [[nodiscard]] base::Result<std::shared_ptr<const Content>> start_over() override;

    [[nodiscard]] base::MessageId id() const { return id_; }
    [[nodiscard]] bool is_large() const { return file_ != nullptr; }
    /// Precondition: not is_large(). The content; the draft is empty afterwards.
    [[nodiscard]] std::string take_octets();

    struct Finished {
        std::unique_ptr<File> file;
        std::uint64_t checksum = 0;
        Place place = Place::file;
        std::uint32_t top = 0;  // octets of its end that stand first
    };
    /// Precondition: is_large(). Makes the file durable under its final name. Blocks.
    [[nodiscard]] base::Result<Finished> finish_file();

private:
    [[nodiscard]] base::Result<void> begin_file();
    [[nodiscard]] base::Result<void> write_buffer();

    base::MessageId id_;
    Filesystem& filesystem_;
    Worker& worker_;
    std::function<bool()> has_room_;
    Limits limits_;
    std::string buffer_;
    std::uint64_t size_ = 0;
    std::uint32_t top_ = 0;
    std::unique_ptr<File> file_;
    std::uint64_t written_ = 0;
    std::unique_ptr<RunningChecksum> checksum_;
    enum class Name { none, draft, final } name_ = Name::none;
};

}  // namespace thurn::spool
