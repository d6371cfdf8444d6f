// A file is written and synced in tmp/ before its name appears in new/, so what lies in new/ or cur/ is always whole: that is what lets a
// repeated delivery take a file of its own name for a delivery done. The name appears by a rename that refuses to replace, and the
// recipient counts as delivered once the folder is synced too. Crash by crash: before the rename, a leftover in tmp/, overwritten by the
// repeat; before the folder's sync, the file is in new/ or it is not, and the repeat finds out; after it, the repeat finds the file and
// syncs once more.
#include "delivery/maildir.h"

#include "delivery/fitting.h"
#include "delivery/line_ends.h"
#include "delivery/mailbox_path.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <utility>

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

namespace thurn::delivery {
namespace {

constexpr const char* kJunkFolder = ".Junk";
constexpr std::size_t kPiece = std::size_t{256} << 10;  // how much of a large message is held at once

std::unexpected<DiskTrouble> trouble(int number, const char* what) { return std::unexpected(DiskTrouble{number, what}); }

/// A file under tmp/, gone again unless it was moved to new/.
class DraftFile {
public:
    [[nodiscard]] static OnDisk<DraftFile> make(const Descriptor& tmp, const std::string& name) {
        constexpr int kFlags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
        Descriptor file(::openat(tmp.number(), name.c_str(), kFlags, 0600));
        if (!file.open() && errno == EEXIST) {  // left by an attempt that crashed
            ::unlinkat(tmp.number(), name.c_str(), 0);
            file = Descriptor(::openat(tmp.number(), name.c_str(), kFlags, 0600));
        }
        if (!file.open()) return trouble(errno, "make a file in tmp");
        return DraftFile(tmp, name, std::move(file));
    }
    DraftFile(DraftFile&& other) noexcept
        : tmp_(other.tmp_),
          name_(other.name_),
          file_(std::move(other.file_)),
          size_(other.size_),
          moved_(std::exchange(other.moved_, true)) {}
    DraftFile& operator=(DraftFile&&) = delete;
    ~DraftFile() {
        if (!moved_) ::unlinkat(tmp_.number(), name_.c_str(), 0);
    }

    [[nodiscard]] OnDisk<void> write(std::string_view octets) {
        size_ += octets.size();
        while (!octets.empty()) {
            const ssize_t count = ::write(file_.number(), octets.data(), octets.size());
            if (count < 0 && errno == EINTR) continue;
            if (count < 0) return trouble(errno, "write");
            octets.remove_prefix(static_cast<std::size_t>(count));
        }
        return {};
    }
    [[nodiscard]] OnDisk<void> sync() {
        if (::fdatasync(file_.number()) != 0) return trouble(errno, "sync the file");
        return {};
    }
    /// Errors   EEXIST: a file of that name is there already.
    [[nodiscard]] OnDisk<void> move_to(const Descriptor& folder, const std::string& name) {
        if (::renameat2(tmp_.number(), name_.c_str(), folder.number(), name.c_str(), RENAME_NOREPLACE) == 0) {
            moved_ = true;
            return {};
        }
        if (errno != EINVAL) return trouble(errno, "move the file to new");
        // A file system without RENAME_NOREPLACE: a link does not replace either; the name in tmp/ goes when we do.
        if (::linkat(tmp_.number(), name_.c_str(), folder.number(), name.c_str(), 0) != 0) return trouble(errno, "move the file to new");
        return {};
    }
    [[nodiscard]] std::uint64_t size() const { return size_; }

private:
    DraftFile(const Descriptor& tmp, const std::string& name, Descriptor file) : tmp_(tmp), name_(name), file_(std::move(file)) {}
    const Descriptor& tmp_;
    const std::string& name_;
    Descriptor file_;
    std::uint64_t size_ = 0;
    bool moved_ = false;
};

OnDisk<void> write_in_memory(DraftFile& file, std::string head, std::string_view content) {
    head.reserve(head.size() + std::min(content.size(), kPiece) + 1);
    LineEnds line_ends;
    while (!content.empty()) {
        line_ends.append(content.substr(0, kPiece), head);
        content.remove_prefix(std::min(content.size(), kPiece));
        if (content.empty()) break;
        if (auto written = file.write(head); !written) return written;
        head.clear();
    }
    line_ends.finish(head);
    return file.write(head);
}

OnDisk<void> write_from_disk(DraftFile& file, std::string out, const spool::Content& content) {
    const auto piece = std::make_unique_for_overwrite<char[]>(kPiece);
    LineEnds line_ends;
    const std::uint64_t size = content.size().count;
    for (std::uint64_t offset = 0; offset < size;) {
        const auto count = content.read(offset, {piece.get(), kPiece});
        if (!count || *count == 0) return trouble(EIO, "read the message from the spool");
        line_ends.append({piece.get(), *count}, out);
        if (auto written = file.write(out); !written) return written;
        out.clear();
        offset += *count;
    }
    line_ends.finish(out);
    return file.write(out);
}

OnDisk<void> write_content(DraftFile& file, std::string head, const spool::Content& content) {
    if (const auto octets = content.in_memory()) return write_in_memory(file, std::move(head), *octets);
    return write_from_disk(file, std::move(head), content);
}

/// What an address holds beyond printable octets must not become a second header line.
std::string on_one_line(std::string text) {
    std::ranges::replace_if(text, [](char octet) { return static_cast<unsigned char>(octet) < 0x20 || octet == 0x7f; }, '?');
    return text;
}

std::string render_head(const spool::Envelope& envelope, std::uint32_t index, const mail::Mailbox& account) {
    const std::string owner = mail::render_mailbox(account);
    std::string head =
        fmt::format("Return-Path: <{}>\nDelivered-To: {}\n", on_one_line(mail::render_path(envelope.sender)), on_one_line(owner));
    const auto& recipient = envelope.recipients.at(index);
    const std::string asked = recipient.original.empty() ? mail::render_mailbox(recipient.mailbox) : recipient.original;
    if (asked != owner) head += fmt::format("X-Original-To: {}\n", on_one_line(asked));
    return head;
}

/// Whether the folder has that file, perhaps with flags behind its name (`…:2,S`) or a size.
OnDisk<bool> holds(const MailboxFolders& folders, const char* folder_name, std::string_view name) {
    auto folder = open_folder(folders.box, folder_name);
    if (!folder) return folder.error().number == ENOENT ? OnDisk<bool>(false) : std::unexpected(folder.error());
    const int own = ::dup(folder->number());
    const std::unique_ptr<DIR, int (*)(DIR*)> entries(::fdopendir(own), &::closedir);
    if (!entries) {
        const Descriptor unused(own);
        return trouble(errno, "read a folder");
    }
    for (errno = 0; const dirent* entry = ::readdir(entries.get()); errno = 0) {
        const std::string_view found = entry->d_name;
        if (!found.starts_with(name)) continue;
        if (const char next = found.size() > name.size() ? found[name.size()] : ','; next != ',' && next != ':') continue;
        if (auto synced = sync_folder(*folder, folder_name); !synced) return std::unexpected(std::move(synced).error());
        return true;
    }
    if (errno != 0) return trouble(errno, "read a folder");
    return false;
}

enum class Written { now, before };

OnDisk<Written> write_message(const MailboxFolders& folders, const std::string& name, std::string head, const spool::Content& content) {
    auto file = DraftFile::make(folders.tmp, name);
    if (!file) return std::unexpected(std::move(file).error());
    if (auto written = write_content(*file, std::move(head), content); !written) return std::unexpected(std::move(written).error());
    if (auto synced = file->sync(); !synced) return std::unexpected(std::move(synced).error());
    const std::string final_name = fmt::format("{},S={}", name, file->size());
    auto moved = file->move_to(folders.fresh, final_name);
    const bool repeat = !moved && moved.error().number == EEXIST;
    if (!moved && !repeat) return std::unexpected(std::move(moved).error());
    if (auto synced = sync_folder(folders.fresh, "new"); !synced) {
        // Nobody knows now whether the name will survive: the next attempt writes a new one.
        ::unlinkat(folders.fresh.number(), final_name.c_str(), 0);
        return std::unexpected(std::move(synced).error());
    }
    return repeat ? Written::before : Written::now;
}

RecipientOutcome deferred(std::string status) { return {RecipientOutcome::Kind::deferred, std::move(status), {}}; }

RecipientOutcome outcome_of(const DiskTrouble& error) {
    switch (error.number) {
        case EDQUOT:
            return deferred(fmt::format("452 4.2.2 mailbox is over its quota: cannot {}", error.what));
        case ENOSPC:
            return deferred(fmt::format("452 4.3.1 disk of the mailboxes is full: cannot {}", error.what));
        case ENAMETOOLONG:
            return {RecipientOutcome::Kind::failed, "550 5.3.5 path of the mailbox is too long for the file system", {}};
        case ELOOP:
        case ENOTDIR:
            return deferred(fmt::format("451 4.3.5 mailbox is a link or no folder: cannot {}", error.what));
        default:
            return deferred(fmt::format("451 4.3.0 cannot {}: {}", error.what, std::generic_category().message(error.number)));
    }
}

RecipientOutcome delivered(Written written) {
    return {.kind = RecipientOutcome::Kind::delivered,
            .status = written == Written::now ? "250 2.0.0 delivered to the mailbox"
                                              : "250 2.0.0 in the mailbox already, from an earlier attempt",
            .remote_host = {},
            .handed = RecipientOutcome::Handed::to_mailbox};
}

/// As the names of a Maildir ask (`/` and `:` would break them), and ours (`,` starts the size).
std::string harmless_host(std::string host) {
    std::ranges::replace_if(
        host, [](char octet) { return std::string_view("/:,").contains(octet) || static_cast<unsigned char>(octet) <= 0x20; }, '_');
    return host.empty() ? "localhost" : host;
}

RecipientOutcome outcome_of_conversion(const base::Error& error) {
    if (error.kind == base::ErrorKind::disk || error.kind == base::ErrorKind::corrupt)
        return {RecipientOutcome::Kind::deferred, fmt::format("451 4.3.0 cannot read the message from the spool: {}", error.detail), {}};
    return {RecipientOutcome::Kind::failed,
            fmt::format("554 5.6.3 a mailbox holds lines, and this binary message cannot be converted: {}", error.detail),
            {}};
}

base::Time now() { return std::chrono::time_point_cast<base::Duration>(std::chrono::system_clock::now()); }

}  // namespace

Maildir::Maildir(MaildirOptions options) : options_(std::move(options)), started_(options_.started.value_or(now())) {
    options_.hostname = harmless_host(std::move(options_.hostname));
    const std::string& path = options_.path_template;
    const std::size_t slash = path.rfind('/', path.find('{'));
    root_ = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    if (root_.has_parent_path() && !root_.has_filename() && root_ != root_.root_path()) root_ = root_.parent_path();
    below_root_ = slash == std::string::npos ? path : path.substr(slash + 1);
}

std::filesystem::path Maildir::folder(const mail::Mailbox& account, const spool::Envelope& envelope) const {
    auto folder = root_ / render_mailbox_path(below_root_, account);
    return envelope.junk ? folder / kJunkFolder : folder;
}

MailboxPlace Maildir::place(const spool::Envelope& envelope, const mail::Mailbox& account) const {
    MailboxPlace place{.root = root_, .names = {}};
    const std::string path = render_mailbox_path(below_root_, account);
    for (std::size_t begin = 0; begin <= path.size();) {
        const std::size_t end = std::min(path.find('/', begin), path.size());
        if (end > begin) place.names.push_back(path.substr(begin, end - begin));
        begin = end + 1;
    }
    if (place.names.empty()) place.names.emplace_back(".");
    if (envelope.junk) place.names.emplace_back(kJunkFolder);
    return place;
}

std::string Maildir::file_name(base::MessageId id, std::uint32_t index) const {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(id.time()).time_since_epoch().count();
    return fmt::format("{}.{}_{}.{}", seconds, id.text(), index, options_.hostname);
}

bool Maildir::may_be_a_repeat(const spool::StoredMessage& message, std::uint32_t index) const {
    const auto& state = message.envelope.recipients.at(index).state;
    return state.attempts > 0 || state.standing == spool::Standing::in_doubt || message.id.time() <= started_;
}

RecipientOutcome Maildir::deliver(const spool::StoredMessage& message, std::uint32_t index, const mail::Mailbox& account) const {
    const auto folders = open_mailbox(place(message.envelope, account));
    if (!folders) return outcome_of(folders.error());
    const std::string name = file_name(message.id, index);
    if (may_be_a_repeat(message, index)) {
        for (const char* folder : {"new", "cur"}) {
            const auto found = holds(*folders, folder, name);
            if (!found) return outcome_of(found.error());
            if (*found) return delivered(Written::before);
        }
    }
    auto content = message.content;
    if (message.envelope.body == mail::BodyType::binary) {
        auto converted = convert_content(*content, mail::Passage::eight_bit);
        if (!converted) return outcome_of_conversion(converted.error());
        content = *std::move(converted);
    }
    const auto written = write_message(*folders, name, render_head(message.envelope, index, account), *content);
    return written ? delivered(*written) : outcome_of(written.error());
}

}  // namespace thurn::delivery
