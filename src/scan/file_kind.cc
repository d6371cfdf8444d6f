#include "scan/file_kind.h"

#include "base/ascii.h"

#include <algorithm>
#include <array>
#include <span>

#include <string.h>  // memmem

namespace thurn::scan {

namespace {

using namespace std::string_view_literals;

constexpr std::array<std::string_view, kFileKinds> kNames{"",
                                                          "windows-program",
                                                          "elf-program",
                                                          "mac-program",
                                                          "java-class",
                                                          "dalvik",
                                                          "script",
                                                          "shortcut",
                                                          "zip",
                                                          "7z",
                                                          "rar",
                                                          "tar",
                                                          "gzip",
                                                          "bzip2",
                                                          "xz",
                                                          "zstd",
                                                          "lzip",
                                                          "compress",
                                                          "cabinet",
                                                          "lha",
                                                          "cpio",
                                                          "ar",
                                                          "iso",
                                                          "ole",
                                                          "rtf",
                                                          "pdf",
                                                          "onenote",
                                                          "help",
                                                          "image"};

struct Magic {
    FileKind kind;
    std::size_t at;
    std::string_view octets;
};

// The longer before the shorter.
constexpr Magic kMagics[] = {
    {FileKind::elf_program, 0,
     "\x7F"
     "ELF"sv},
    {FileKind::mac_program, 0, "\xFE\xED\xFA\xCE"sv},
    {FileKind::mac_program, 0, "\xFE\xED\xFA\xCF"sv},
    {FileKind::mac_program, 0, "\xCE\xFA\xED\xFE"sv},
    {FileKind::mac_program, 0, "\xCF\xFA\xED\xFE"sv},
    {FileKind::java_class, 0, "\xCA\xFE\xBA\xBE"sv},  // or a Mach-O file for several processors
    {FileKind::dalvik, 0, "dex\n"sv},
    {FileKind::script, 0, "#!"sv},
    {FileKind::script, 0, "\xEF\xBB\xBF#!"sv},
    {FileKind::shortcut, 0, "\x4C\0\0\0\x01\x14\x02\0"sv},
    {FileKind::zip, 0, "PK\x03\x04"sv},
    {FileKind::zip, 0, "PK\x05\x06"sv},
    {FileKind::zip, 0, "PK\x07\x08"sv},
    {FileKind::zip, 0, "PK00PK\x03\x04"sv},
    {FileKind::seven_zip, 0, "7z\xBC\xAF\x27\x1C"sv},
    {FileKind::rar, 0, "Rar!\x1A\x07"sv},
    {FileKind::tar, 257, "ustar"sv},
    {FileKind::gzip, 0, "\x1F\x8B"sv},
    {FileKind::bzip2, 0, "BZh"sv},
    {FileKind::xz, 0,
     "\xFD"
     "7zXZ\0"sv},
    {FileKind::zstd, 0, "\x28\xB5\x2F\xFD"sv},
    {FileKind::lzip, 0, "LZIP"sv},
    {FileKind::compress, 0, "\x1F\x9D"sv},
    {FileKind::cabinet, 0, "MSCF\0\0\0\0"sv},
    {FileKind::lha, 2, "-lh"sv},
    {FileKind::lha, 2, "-lz"sv},
    {FileKind::cpio, 0, "070701"sv},
    {FileKind::cpio, 0, "070702"sv},
    {FileKind::cpio, 0, "070707"sv},
    {FileKind::ar, 0, "!<arch>\n"sv},
    {FileKind::ole, 0, "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1"sv},
    {FileKind::rtf, 0, "{\\rt"sv},
    {FileKind::onenote, 0, "\xE4\x52\x5C\x7B\x8C\xD8\xA7\x4D\xAE\xB1\x53\x78\xD0\x29\x96\xD3"sv},
    {FileKind::help, 0, "ITSF"sv},
    {FileKind::help, 0, "\x3F\x5F\x03\x00"sv},
    {FileKind::image, 0, "\x89PNG"sv},
    {FileKind::image, 0, "\xFF\xD8\xFF"sv},
    {FileKind::image, 0, "GIF8"sv},
    {FileKind::image, 8, "WEBP"sv},
};

constexpr std::size_t kHead = 1024;
constexpr std::uint64_t kIsoAt = 32769;
constexpr std::string_view kIsoMark = "CD001";

struct Marker {
    FileKind in;
    bool encrypts;
    std::string_view octets;
};

// Names in directories of OLE files are UTF-16.
constexpr Marker kMarkers[] = {
    {FileKind::zip, false, "vbaProject.bin"sv},
    {FileKind::ole, false, "_\0V\0B\0A\0_\0P\0R\0O\0J\0E\0C\0T\0"sv},
    {FileKind::ole, true, "E\0n\0c\0r\0y\0p\0t\0e\0d\0P\0a\0c\0k\0a\0g\0e\0"sv},
    {FileKind::rtf, false, "\\objdata"sv},
    {FileKind::rtf, false, "\\objupdate"sv},
};
constexpr std::size_t kLongestMarker = 32;

/// Text may begin with MZ, but has no NUL among its first octets.
bool is_windows_program(std::string_view head) { return head.starts_with("MZ") && head.size() >= 32 && head.substr(0, 64).contains('\0'); }

FileKind kind_of(std::string_view head) {
    if (is_windows_program(head)) return FileKind::windows_program;
    for (const auto& [kind, at, octets] : kMagics)
        if (head.size() >= at + octets.size() && head.substr(at, octets.size()) == octets) return kind;
    if (head.contains("%PDF-")) return FileKind::pdf;  // programs put up with rubbish before it
    return FileKind::none;
}

// By what Outlook, Gmail and Exchange refuse, without containers, which tell by what they hold.
constexpr auto kPrograms = std::to_array<std::string_view>({
    "ade",     "adp",        "apk",     "app",  "appinstaller", "application", "appref-ms",
    "appx",    "appxbundle", "bas",     "bat",  "chm",          "cmd",         "cnt",
    "com",     "command",    "cpl",     "crx",  "deb",          "diagcab",     "diagcfg",
    "diagpkg", "dll",        "drv",     "exe",  "ex_",          "gadget",      "grp",
    "hlp",     "hpj",        "hta",     "htc",  "inf",          "ins",         "isp",
    "jar",     "jnlp",       "js",      "jse",  "ksh",          "lib",         "library-ms",
    "lnk",     "mad",        "maf",     "mag",  "mam",          "mar",         "mas",
    "mau",     "mav",        "maw",     "mcf",  "mda",          "mdb",         "mde",
    "mdt",     "mdw",        "mdz",     "msc",  "msh",          "msh1",        "msh1xml",
    "msh2",    "msh2xml",    "mshxml",  "msi",  "msix",         "msixbundle",  "msp",
    "mst",     "msu",        "nsh",     "ocx",  "ops",          "osd",         "pcd",
    "pif",     "pl",         "plg",     "prf",  "prg",          "ps1",         "ps1xml",
    "ps2",     "ps2xml",     "psc1",    "psc2", "psd1",         "psdm1",       "psm1",
    "py",      "pyc",        "pyo",     "pyw",  "pyz",          "pyzw",        "reg",
    "rpm",     "run",        "scf",     "scr",  "sct",          "search-ms",   "settingcontent-ms",
    "sh",      "shb",        "shs",     "sys",  "theme",        "tmp",         "udl",
    "url",     "vb",         "vbe",     "vbp",  "vbs",          "vsmacros",    "vsw",
    "vxd",     "webpnp",     "website", "wsb",  "wsc",          "wsf",         "wsh",
    "xbap",    "xll",        "xnk",
});

constexpr auto kMacros =
    std::to_array<std::string_view>({"docm", "dotm", "potm", "ppam", "ppsm", "pptm", "sldm", "xlam", "xlm", "xlsm", "xltm"});

constexpr auto kArchives = std::to_array<std::string_view>(
    {"7z", "cab", "cpio", "img", "iso", "jar", "lha", "lzh", "lzma", "rar", "tar", "taz", "tgz", "tlz", "zip", "zipx"});

bool is_among(std::span<const std::string_view> names, std::string_view name) { return std::ranges::find(names, name) != names.end(); }

}  // namespace

std::string_view name_of(FileKind kind) { return kNames[static_cast<std::size_t>(kind)]; }

FileKind find_file_kind(std::string_view name) {
    const auto found = std::ranges::find(kNames, name);
    return found == kNames.end() ? FileKind::none : static_cast<FileKind>(found - kNames.begin());
}

void FileInspector::feed(std::string_view octets) {
    if (octets.empty()) return;
    if (size_ <= kIsoAt + kIsoMark.size()) look_for_iso(octets);
    size_ += octets.size();
    if (head_.size() < kHead) {
        head_ += octets.substr(0, kHead - head_.size());
        judge_head();
    }
    look_for_markers(octets);
}

void FileInspector::judge_head() {
    if (const auto kind = kind_of(head_); kind != FileKind::none) kind_ = kind;
    if (kind_ == FileKind::zip && head_.size() > 6 && head_[2] == 3) encrypted_ = (head_[6] & 1) != 0;
}

/// Its mark stands far from its beginning, which may be anything.
void FileInspector::look_for_iso(std::string_view octets) {
    const auto end = size_ + octets.size();
    for (auto at = std::max(size_, kIsoAt); at < std::min<std::uint64_t>(end, kIsoAt + kIsoMark.size()); ++at)
        iso_mark_ += octets[at - size_];
    if (iso_mark_ == kIsoMark && kind_ == FileKind::none) kind_ = FileKind::iso;
}

/// No marker stands where the kind is not known yet: that takes eight octets.
void FileInspector::look_for_markers(std::string_view octets) {
    const bool worth_it = kind_ == FileKind::zip || kind_ == FileKind::ole || kind_ == FileKind::rtf;
    if (!worth_it && head_.size() == kHead) return;
    if (worth_it) {
        search(kept_ + std::string(octets.substr(0, kLongestMarker)));
        search(octets);
    }
    kept_ += octets.size() > kLongestMarker ? octets.substr(octets.size() - kLongestMarker) : octets;
    if (kept_.size() > kLongestMarker) kept_.erase(0, kept_.size() - kLongestMarker);
}

void FileInspector::search(std::string_view octets) {
    for (const auto& [in, encrypts, marker] : kMarkers) {
        bool& found = encrypts ? encrypted_ : macros_;
        if (in == kind_ && !found && ::memmem(octets.data(), octets.size(), marker.data(), marker.size())) found = true;
    }
}

std::string extension_of(std::string_view name) {
    if (const auto slash = name.find_last_of("/\\"); slash != std::string_view::npos) name.remove_prefix(slash + 1);
    while (!name.empty() && base::is_ascii(name.back()) && !base::is_letter(name.back()) && !base::is_digit(name.back()) &&
           name.back() != '_')
        name.remove_suffix(1);
    const auto dot = name.rfind('.');
    if (dot == std::string_view::npos) return {};
    std::string extension(name.substr(dot + 1));
    std::ranges::transform(extension, extension.begin(), base::to_lower);
    // `x.exe:stream` is x.exe to Windows.
    extension.resize(std::min(extension.find(':'), extension.size()));
    while (extension.ends_with(' ')) extension.pop_back();
    return extension;
}

std::span<const std::string_view> program_extensions() { return kPrograms; }
std::span<const std::string_view> macro_extensions() { return kMacros; }
bool is_program_extension(std::string_view extension) { return is_among(kPrograms, extension); }
bool is_macro_extension(std::string_view extension) { return is_among(kMacros, extension); }
bool is_archive_extension(std::string_view extension) { return is_among(kArchives, extension); }

}  // namespace thurn::scan
