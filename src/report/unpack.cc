#include "report/unpack.h"

#include <algorithm>
#include <array>
#include <memory>
#include <new>

#include <zip.h>
#include <zlib.h>

namespace thurn::report {
namespace {

using base::ErrorKind;
using base::fail;

constexpr std::string_view kGzipMagic = "\x1f\x8b";
constexpr std::string_view kZipMagic = "PK\x03\x04";
constexpr std::string_view kZipEntryMagic = "PK\x01\x02";
constexpr int kGzipWindow = 15 + 16;  // zlib: the largest window, with a gzip header
constexpr std::size_t kStep = 64U << 10;

std::unexpected<base::Error> too_large(const UnpackLimits& limits) {
    return fail(ErrorKind::too_long, "unpacked it would be larger than " + base::render_octets(limits.size));
}

// --- gzip ------------------------------------------------------------------------------------------------------------------------

Bytef* as_zlib(std::string_view octets) { return const_cast<Bytef*>(reinterpret_cast<const Bytef*>(octets.data())); }

class Inflater {
public:
    Inflater() {
        if (inflateInit2(&stream_, kGzipWindow) != Z_OK) throw std::bad_alloc();
    }
    ~Inflater() { inflateEnd(&stream_); }
    Inflater(const Inflater&) = delete;
    Inflater& operator=(const Inflater&) = delete;

    /// Appends one member's content, and takes the member from the front of `octets`.
    base::Result<void> take_member(std::string_view& octets, std::string& into, const UnpackLimits& limits) {
        inflateReset(&stream_);
        stream_.next_in = as_zlib(octets);
        stream_.avail_in = static_cast<uInt>(octets.size());
        for (int status = Z_OK; status != Z_STREAM_END;) {
            stream_.next_out = reinterpret_cast<Bytef*>(step_.data());
            stream_.avail_out = static_cast<uInt>(step_.size());
            status = inflate(&stream_, Z_NO_FLUSH);
            into.append(step_.data(), step_.size() - stream_.avail_out);
            if (into.size() > limits.size.count) return too_large(limits);
            if (status == Z_BUF_ERROR) return fail(ErrorKind::corrupt, "the gzip file is cut short");
            if (status != Z_OK && status != Z_STREAM_END) return fail(ErrorKind::corrupt, "the gzip file is damaged");
        }
        octets.remove_prefix(octets.size() - stream_.avail_in);
        return {};
    }

private:
    z_stream stream_{};
    std::array<char, kStep> step_;
};

/// A gzip file may be several members in a row; what stands behind them that is none is left alone, as gunzip does.
base::Result<std::string> unpack_gzip(std::string_view octets, const UnpackLimits& limits) {
    Inflater inflater;
    std::string content;
    while (octets.starts_with(kGzipMagic))
        if (auto taken = inflater.take_member(octets, content, limits); !taken) return base::pass_on(taken);
    return content;
}

// --- zip -------------------------------------------------------------------------------------------------------------------------

struct CloseArchive {
    void operator()(zip_t* archive) const { zip_discard(archive); }
};
struct CloseFile {
    void operator()(zip_file_t* file) const { zip_fclose(file); }
};
using Archive = std::unique_ptr<zip_t, CloseArchive>;

/// libzip keeps something in memory for every entry of the directory before it lets us ask how many there are.
bool has_too_many_entries(std::string_view octets, std::size_t most) {
    std::size_t count = 0;
    for (auto at = octets.find(kZipEntryMagic); at != std::string_view::npos; at = octets.find(kZipEntryMagic, at + 1))
        if (++count > most) return true;
    return false;
}

base::Result<Archive> open_zip(std::string_view octets) {
    zip_error_t error;
    zip_error_init(&error);
    zip_source_t* source = zip_source_buffer_create(octets.data(), octets.size(), 0, &error);
    zip_t* archive = source != nullptr ? zip_open_from_source(source, ZIP_RDONLY, &error) : nullptr;
    zip_error_fini(&error);
    if (archive != nullptr) return Archive(archive);
    if (source != nullptr) zip_source_free(source);
    return fail(ErrorKind::corrupt, "the zip archive is damaged or cut short");
}

base::Result<std::string> read_entry(zip_t* archive, zip_uint64_t index, const UnpackLimits& limits) {
    const std::unique_ptr<zip_file_t, CloseFile> file(zip_fopen_index(archive, index, 0));
    if (!file) {
        const int code = zip_error_code_zip(zip_get_error(archive));
        if (code == ZIP_ER_NOPASSWD || code == ZIP_ER_WRONGPASSWD) return fail(ErrorKind::invalid, "the zip archive has a password");
        return fail(ErrorKind::corrupt, "the file in the zip archive is packed in a way that cannot be read");
    }
    std::string content;
    std::array<char, kStep> step;
    for (;;) {
        const auto count = zip_fread(file.get(), step.data(), step.size());
        if (count < 0) return fail(ErrorKind::corrupt, "the file in the zip archive is damaged");
        if (count == 0) return content;
        content.append(step.data(), static_cast<std::size_t>(count));
        if (content.size() > limits.size.count) return too_large(limits);
    }
}

base::Result<std::string> unpack_zip(std::string_view octets, const UnpackLimits& limits) {
    if (has_too_many_entries(octets, limits.entries)) return fail(ErrorKind::too_long, "too many files in the zip archive");
    auto archive = open_zip(octets);
    if (!archive) return base::pass_on(archive);
    const auto entries = zip_get_num_entries(archive->get(), 0);
    for (zip_int64_t i = 0; i < entries; ++i) {
        const auto index = static_cast<zip_uint64_t>(i);
        const char* name = zip_get_name(archive->get(), index, ZIP_FL_ENC_RAW);
        if (name != nullptr && !std::string_view(name).ends_with('/')) return read_entry(archive->get(), index, limits);
    }
    return fail(ErrorKind::invalid, "there is no file in the zip archive");
}

}  // namespace

base::Result<std::string> unpack(std::string_view octets, const UnpackLimits& limits) {
    if (octets.size() > UINT32_MAX) return fail(ErrorKind::too_long, "a packed file of over 4 GiB");
    if (octets.starts_with(kGzipMagic)) return unpack_gzip(octets, limits);
    if (octets.starts_with(kZipMagic)) return unpack_zip(octets, limits);
    if (octets.size() > limits.size.count) return too_large(limits);
    return std::string(octets);
}

std::string pack_gzip(std::string_view octets) {
    z_stream stream{};
    if (deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, kGzipWindow, 9, Z_DEFAULT_STRATEGY) != Z_OK) throw std::bad_alloc();
    std::string packed(deflateBound(&stream, octets.size()), '\0');
    stream.next_in = as_zlib(octets);
    stream.avail_in = static_cast<uInt>(octets.size());
    stream.next_out = reinterpret_cast<Bytef*>(packed.data());
    stream.avail_out = static_cast<uInt>(packed.size());
    deflate(&stream, Z_FINISH);  // into a buffer that holds all: cannot fail
    packed.resize(stream.total_out);
    deflateEnd(&stream);
    return packed;
}

}  // namespace thurn::report
