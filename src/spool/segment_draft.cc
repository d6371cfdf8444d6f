#include "spool/segment_draft.h"

#include "spool/content.h"
#include "spool/encoding.h"

#include <algorithm>

#include <xxhash.h>

namespace thurn::spool {

namespace {

constexpr std::string_view kFolder = "big/";
constexpr std::size_t kFirstBuffer = 16U << 10;  // most mail fits, so the buffer is never copied
constexpr std::size_t kFileBuffer = 256U << 10;  // gathered before it is written to the file

}  // namespace

std::string content_path(base::MessageId id) { return std::string(kFolder) + id.text(); }
std::string content_draft_path(base::MessageId id) { return content_path(id) + ".tmp"; }

std::optional<base::MessageId> parse_content_name(std::string_view name) {
    const auto id = base::parse_message_id(name);
    return id && id->text() == name ? std::optional(*id) : std::nullopt;
}

struct RunningChecksum::State {
    XXH3_state_t* xxh = XXH3_createState();
    State() { XXH3_64bits_reset(xxh); }
    ~State() { XXH3_freeState(xxh); }
    State(const State&) = delete;
    State& operator=(const State&) = delete;
};

RunningChecksum::RunningChecksum() : state_(std::make_unique<State>()) {}
RunningChecksum::~RunningChecksum() = default;
void RunningChecksum::add(std::string_view octets) { XXH3_64bits_update(state_->xxh, octets.data(), octets.size()); }
std::uint64_t RunningChecksum::value() const { return XXH3_64bits_digest(state_->xxh); }

SegmentDraft::~SegmentDraft() {
    // On the worker: the last owner may be an event loop, which must not wait for a disk.
    if (name_ != Name::draft) return;
    worker_.post([&filesystem = filesystem_, path = content_draft_path(id_)] { std::ignore = filesystem.remove(path); });
}

bool SegmentDraft::needs_disk(std::size_t more) const {
    return file_ ? buffer_.size() + more >= kFileBuffer : buffer_.size() + more > limits_.in_memory;
}

base::Result<void> SegmentDraft::append(std::string_view octets) {
    if (!file_ && needs_disk(octets.size())) {
        if (auto begun = begin_file(); !begun) return begun;
    }
    if (buffer_.capacity() < kFirstBuffer) buffer_.reserve(kFirstBuffer);
    buffer_.append(octets);
    size_ += octets.size();
    return file_ && buffer_.size() >= kFileBuffer ? write_buffer() : base::Result<void>{};
}

/// A file cannot grow at its beginning, so there it goes to the end.
base::Result<void> SegmentDraft::put_on_top(std::string_view octets) {
    top_ = static_cast<std::uint32_t>(octets.size());
    if (file_) return append(octets);
    buffer_.insert(0, octets);
    size_ += octets.size();
    return {};
}

std::optional<std::string_view> SegmentDraft::in_memory() const {
    if (file_) return std::nullopt;
    return buffer_;
}

base::Result<std::size_t> SegmentDraft::read(std::uint64_t offset, std::span<char> into) const {
    std::size_t count = 0;
    if (offset < written_) {
        const auto there = static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), written_ - offset));
        auto read = file_->read(offset, into.first(there));
        if (!read || *read < there) return read;
        count = there;
    }
    const auto at = static_cast<std::size_t>(offset + count - written_);
    if (at < buffer_.size()) count += buffer_.copy(into.data() + count, into.size() - count, at);
    return count;
}

/// The file loses its name at once, so that the next one may have it; who reads it holds it open.
base::Result<std::shared_ptr<const Content>> SegmentDraft::start_over() {
    std::shared_ptr<const Content> content;
    if (file_) {
        if (auto written = buffer_.empty() ? base::Result<void>{} : write_buffer(); !written) return base::pass_on(written);
        if (auto removed = filesystem_.remove(content_draft_path(id_)); !removed) return base::pass_on(removed);
        content = std::make_shared<const FileContent>(std::move(file_), base::Octets{size_}, 0);
    } else {
        content = std::make_shared<const MemoryContent>(std::move(buffer_));
    }
    buffer_ = {};
    size_ = written_ = 0;
    file_.reset();
    checksum_.reset();
    name_ = Name::none;
    return content;
}

/// Short mail must not hold the room of long mail while it waits.
std::string SegmentDraft::take_octets() {
    if (buffer_.size() < buffer_.capacity() / 2) buffer_.shrink_to_fit();
    return std::move(buffer_);
}

base::Result<void> SegmentDraft::begin_file() {
    if (!has_room_()) return base::fail(base::ErrorKind::full, "the spool has no room for new mail");
    auto file = filesystem_.open(content_draft_path(id_), Access::create);
    if (!file) return base::pass_on(file);
    file_ = *std::move(file);
    name_ = Name::draft;
    checksum_ = std::make_unique<RunningChecksum>();
    return {};
}

base::Result<void> SegmentDraft::write_buffer() {
    if (!has_room_()) return base::fail(base::ErrorKind::full, "the spool has no room for new mail");
    const std::string_view slice = buffer_;
    if (auto written = file_->write(written_, {&slice, 1}); !written) return written;
    checksum_->add(slice);
    written_ += slice.size();
    buffer_.clear();
    return {};
}

base::Result<SegmentDraft::Finished> SegmentDraft::finish_file() {
    if (top_ != 0) Writer(buffer_).u32(top_);
    auto done = buffer_.empty() ? base::Result<void>{} : write_buffer();
    if (done) done = file_->sync();
    if (done) done = filesystem_.rename(content_draft_path(id_), content_path(id_));
    if (!done) return base::pass_on(done);
    name_ = Name::final;
    if (done = filesystem_.sync_folder("big"); !done) return base::pass_on(done);
    return Finished{
        .file = std::move(file_), .checksum = checksum_->value(), .place = top_ == 0 ? Place::file : Place::turned_file, .top = top_};
}

}  // namespace thurn::spool
