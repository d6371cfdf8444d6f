// Only what libarchive reads by itself is turned on: its filters for lrzip, lzop and their like would start programs.
#include "archive/lister.h"

#include <array>
#include <memory>
#include <utility>

#include <archive.h>
#include <archive_entry.h>

namespace thurn::archive {

namespace {

using scan::ArchiveExcess;

constexpr std::size_t kPiece = std::size_t{64} << 10;
constexpr std::size_t kHead = 1024;  // by then it is known whether it is an archive, or its name says so

struct Free {
    void operator()(::archive* reader) const { ::archive_read_free(reader); }
};

std::unique_ptr<::archive, Free> new_reader() {
    std::unique_ptr<::archive, Free> reader(::archive_read_new());
    for (const auto support : {::archive_read_support_filter_bzip2, ::archive_read_support_filter_compress,
                               ::archive_read_support_filter_gzip, ::archive_read_support_filter_lz4, ::archive_read_support_filter_lzip,
                               ::archive_read_support_filter_lzma, ::archive_read_support_filter_xz, ::archive_read_support_filter_zstd,
                               ::archive_read_support_format_7zip, ::archive_read_support_format_ar, ::archive_read_support_format_cab,
                               ::archive_read_support_format_cpio, ::archive_read_support_format_iso9660, ::archive_read_support_format_lha,
                               ::archive_read_support_format_rar, ::archive_read_support_format_rar5, ::archive_read_support_format_tar,
                               ::archive_read_support_format_zip, ::archive_read_support_format_raw})
        support(reader.get());
    return reader;
}

/// `invoice.exe.gz` holds `invoice.exe`.
std::string without_extension(std::string_view name) {
    if (const auto slash = name.rfind('/'); slash != std::string_view::npos) name.remove_prefix(slash + 1);
    if (name.ends_with(".tgz") || name.ends_with(".taz")) return std::string(name.substr(0, name.size() - 4)) + ".tar";
    return std::string(name.substr(0, name.rfind('.')));
}

std::string name_of(::archive_entry* entry) {
    if (const char* name = ::archive_entry_pathname_utf8(entry)) return name;
    if (const char* name = ::archive_entry_pathname(entry)) return name;
    return "?";
}

}  // namespace

/// One archive while it is read.
class Lister::Opened {
public:
    explicit Opened(std::string_view contents) : reader_(new_reader()) {
        state_ = ::archive_read_open_memory(reader_.get(), contents.data(), contents.size());
    }
    [[nodiscard]] bool next() {
        if (state_ < ARCHIVE_WARN) return false;
        state_ = ::archive_read_next_header(reader_.get(), &entry_);
        return state_ != ARCHIVE_EOF && state_ >= ARCHIVE_WARN;
    }
    /// Empty: at the end, or when nothing can be read.
    [[nodiscard]] std::string_view read() {
        const auto count = ::archive_read_data(reader_.get(), piece_.data(), piece_.size());
        failed_ = count < 0;
        return count > 0 ? std::string_view(piece_.data(), static_cast<std::size_t>(count)) : std::string_view();
    }
    /// It is one file under a compression alone, or none that is known at all.
    [[nodiscard]] bool is_raw() const { return ::archive_format(reader_.get()) == ARCHIVE_FORMAT_RAW; }
    [[nodiscard]] bool is_packed() const { return ::archive_filter_count(reader_.get()) > 1; }
    [[nodiscard]] bool names_encrypted() const { return ::archive_read_has_encrypted_entries(reader_.get()) == 1; }
    [[nodiscard]] bool at_end() const { return state_ == ARCHIVE_EOF; }
    [[nodiscard]] bool failed() const { return failed_; }
    [[nodiscard]] const char* why() const {
        const char* said = ::archive_error_string(reader_.get());
        return said ? said : "it cannot be read";
    }
    [[nodiscard]] ::archive_entry* entry() const { return entry_; }

private:
    std::unique_ptr<::archive, Free> reader_;
    ::archive_entry* entry_ = nullptr;
    int state_ = ARCHIVE_OK;
    bool failed_ = false;
    std::array<char, kPiece> piece_;
};

void Lister::list(std::size_t archive, const std::string& name, std::string_view contents) {
    if (stopped_) return;
    archive_ = archive;
    packed_ = contents.size();
    unpacked_here_ = 0;
    stopped_ = look_into({.name = name, .path = {}}, contents) == Go::not_at_all;
}

Lister::Go Lister::look_into(const Place& place, std::string_view contents) {
    const auto opened = std::make_unique<Opened>(contents);
    while (opened->next()) {
        if (opened->is_raw() && !opened->is_packed()) {
            say_broken("nothing that is known");
            return Go::on;
        }
        if (const auto go = take_member(place, *opened); go != Go::on) return go;
    }
    if (opened->at_end()) return Go::on;
    if (opened->names_encrypted())
        write_(scan::render_member(
            {.archive = archive_, .path = place.path + "(names under a password)", .depth = place.depth, .encrypted = true}));
    else
        say_broken(opened->why());
    return Go::on;
}

Lister::Go Lister::take_member(const Place& place, Opened& opened) {
    if (++entries_ > limits_.entries) return exceed(ArchiveExcess::entries, Go::not_at_all);
    if (::archive_entry_filetype(opened.entry()) == AE_IFDIR) return Go::on;
    scan::ArchiveMember member;
    member.archive = archive_;
    member.depth = place.depth;
    member.path = place.path + (opened.is_raw() ? without_extension(place.name) : name_of(opened.entry()));
    member.encrypted = ::archive_entry_is_encrypted(opened.entry()) != 0;
    return unpack(opened, place, member);
}

/// An archive within is kept until it is whole.
Lister::Go Lister::unpack(Opened& opened, const Place& place, scan::ArchiveMember& member) {
    scan::FileInspector inspector;
    std::string contents;
    const bool named = scan::is_archive_extension(scan::extension_of(member.path));
    auto go = Go::on;
    for (auto piece = opened.read(); !piece.empty() && go == Go::on; piece = opened.read()) {
        inspector.feed(piece);
        go = count(piece.size());
        if (named || is_archive(inspector.kind()) || inspector.size() < kHead)
            contents += piece;
        else
            std::string().swap(contents);
    }
    member.size = inspector.size();
    member.kind = inspector.kind();
    member.macros = inspector.has_macros();
    member.encrypted = member.encrypted || inspector.is_encrypted();
    write_(render_member(member));
    if (opened.failed() && !member.encrypted) say_broken(opened.why());
    if (go != Go::on || contents.empty() || !(named || is_archive(member.kind))) return go;
    if (place.depth >= limits_.depth) return exceed(ArchiveExcess::depth, Go::on);
    return look_into({.name = member.path, .path = member.path + "/", .depth = place.depth + 1}, contents);
}

Lister::Go Lister::count(std::size_t octets) {
    unpacked_ += octets;
    unpacked_here_ += octets;
    if (unpacked_ > limits_.unpacked) return exceed(ArchiveExcess::unpacked, Go::not_at_all);
    if (unpacked_here_ > scan::kRatioCountsFrom && unpacked_here_ / limits_.ratio > packed_)
        return exceed(ArchiveExcess::ratio, Go::not_here);
    return Go::on;
}

Lister::Go Lister::exceed(ArchiveExcess excess, Go go) {
    write_(scan::render_excess(archive_, excess));
    return go;
}

void Lister::say_broken(const char* why) { write_(scan::render_broken({archive_, why})); }

}  // namespace thurn::archive
