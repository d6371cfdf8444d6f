#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace thurn::scan {

/// What a file is by its first octets, whatever its name says. `none`: nothing that is known here, text mostly.
enum class FileKind : std::uint8_t {
    none,
    windows_program,  // from here on: what runs when it is opened
    elf_program,
    mac_program,
    java_class,
    dalvik,
    script,  // `#!`
    shortcut,
    zip,  // from here on: what holds files that can be looked at
    seven_zip,
    rar,
    tar,
    gzip,
    bzip2,
    xz,
    zstd,
    lzip,
    compress,
    cabinet,
    lha,
    cpio,
    ar,
    iso,
    ole,  // from here on: others
    rtf,
    pdf,
    onenote,
    help,
    image,
};
inline constexpr std::size_t kFileKinds = 29;
/// `windows-program`; empty for none.
[[nodiscard]] std::string_view name_of(FileKind kind);
/// `none`: there is no such.
[[nodiscard]] FileKind find_file_kind(std::string_view name);
[[nodiscard]] constexpr bool is_program(FileKind kind) { return kind >= FileKind::windows_program && kind <= FileKind::shortcut; }
[[nodiscard]] constexpr bool is_archive(FileKind kind) { return kind >= FileKind::zip && kind <= FileKind::iso; }

/// Looks at a file while it comes: what it is, and what is in it that matters to a mail server.
///
/// Limits   Linear; keeps 1 KiB.
class FileInspector {
public:
    void feed(std::string_view octets);

    /// As known by now: nothing more comes of it after the first 32774 octets.
    [[nodiscard]] FileKind kind() const { return kind_; }
    [[nodiscard]] std::uint64_t size() const { return size_; }
    /// An Office document with macros: Office Open XML with a `vbaProject.bin`, OLE with a `_VBA_PROJECT`; or RTF with an object in it.
    [[nodiscard]] bool has_macros() const { return macros_; }
    /// An Office document under a password, or a ZIP file whose first member is.
    [[nodiscard]] bool is_encrypted() const { return encrypted_; }

private:
    void judge_head();
    void look_for_iso(std::string_view octets);
    void look_for_markers(std::string_view octets);
    void search(std::string_view octets);

    std::uint64_t size_ = 0;
    std::string head_;
    std::string iso_mark_;
    std::string kept_;  // the end of what was searched
    FileKind kind_ = FileKind::none;
    bool macros_ = false;
    bool encrypted_ = false;
};

/// What stands behind the last dot, in lower case; without what Windows takes off the end of a name. Empty: there is none.
[[nodiscard]] std::string extension_of(std::string_view name);
[[nodiscard]] std::span<const std::string_view> program_extensions();
[[nodiscard]] std::span<const std::string_view> macro_extensions();
/// A name by which Windows, macOS or a browser runs a file: docs/policy.md lists them.
[[nodiscard]] bool is_program_extension(std::string_view extension);
/// Office documents that are there to have macros.
[[nodiscard]] bool is_macro_extension(std::string_view extension);
/// Of what may hold files, where the first octets do not tell.
[[nodiscard]] bool is_archive_extension(std::string_view extension);

}  // namespace thurn::scan
