#include "policy/part_facts.h"

#include <algorithm>

#include <fmt/format.h>

namespace thurn::policy {

namespace {

using scan::ArchiveMember;
using scan::Attachment;
using scan::MessageArchives;
using scan::MessageParts;

void add(std::string text, Texts& to) {
    if (!text.empty()) to.push_back(std::move(text));
}

/// Each once, in alphabetical order.
Texts each_once(Texts texts) {
    std::ranges::sort(texts);
    const auto rest = std::ranges::unique(texts);
    texts.erase(rest.begin(), rest.end());
    return texts;
}

/// `x.pdf (windows-program)`
std::string because(std::string_view label, std::string_view why) { return fmt::format("{} ({})", label, why); }

/// What `judge` says of the first it says something of.
template <class All, class Judge>
std::string first(const All& all, Judge judge) {
    for (const auto& one : all)
        if (auto said = judge(one); !said.empty()) return said;
    return {};
}

template <class Each>
Texts texts_of(const MessageParts& found, Each each) {
    Texts texts;
    for (const auto& attachment : found.attachments) each(attachment, texts);
    return texts;
}

std::string executable(const Attachment& file) {
    const auto why = scan::runs_as(file.names, file.kind);
    return why.empty() ? why : because(file.label(), why);
}

std::string with_macros(const Attachment& file) {
    const auto why = scan::macros_as(file.names, file.macros);
    return why.empty() ? why : because(file.label(), why);
}

double largest(const MessageParts& found) {
    std::uint64_t size = 0;
    for (const auto& file : found.attachments) size = std::max(size, file.size);
    return static_cast<double>(size);
}

using GetPart = FactValue (*)(const MessageParts&);
struct PartGetter {
    std::string_view name;
    GetPart get;
};

constexpr PartGetter kPartGetters[] = {
    {"attachment.count", [](const MessageParts& found) -> FactValue { return static_cast<double>(found.attachments.size()); }},
    {"attachment.encrypted",
     [](const MessageParts& found) -> FactValue {
         return first(found.attachments, [](const Attachment& file) { return file.encrypted ? file.label() : std::string(); });
     }},
    {"attachment.executable", [](const MessageParts& found) -> FactValue { return first(found.attachments, executable); }},
    {"attachment.extensions",
     [](const MessageParts& found) -> FactValue {
         return each_once(texts_of(found, [](const Attachment& file, Texts& to) {
             for (const auto& name : file.names) add(scan::extension_of(name), to);
         }));
     }},
    {"attachment.kinds",
     [](const MessageParts& found) -> FactValue {
         return each_once(texts_of(found, [](const Attachment& file, Texts& to) { add(std::string(name_of(file.kind)), to); }));
     }},
    {"attachment.macros", [](const MessageParts& found) -> FactValue { return first(found.attachments, with_macros); }},
    {"attachment.names",
     [](const MessageParts& found) -> FactValue {
         return texts_of(found, [](const Attachment& file, Texts& to) { to.insert(to.end(), file.names.begin(), file.names.end()); });
     }},
    {"attachment.size", [](const MessageParts& found) -> FactValue { return largest(found); }},
    {"attachment.types",
     [](const MessageParts& found) -> FactValue {
         return each_once(texts_of(found, [](const Attachment& file, Texts& to) { add(file.type, to); }));
     }},
    {"body", [](const MessageParts& found) -> FactValue { return found.texts; }},
    {"part_count", [](const MessageParts& found) -> FactValue { return static_cast<double>(found.parts); }},
    {"part_depth", [](const MessageParts& found) -> FactValue { return static_cast<double>(found.depth); }},
    {"part_faults", [](const MessageParts& found) -> FactValue { return found.faults; }},
};

std::string archive_name(const MessageArchives& found, std::size_t archive) {
    return archive < found.names.size() ? found.names[archive] : "archive";
}

constexpr std::size_t kLongestName = 200;  // of an archive, before each of the thousands of names within it

std::string path_of(const MessageArchives& found, const ArchiveMember& member) {
    return archive_name(found, member.archive).substr(0, kLongestName) + "/" + member.path;
}

/// Judged by its own name, not by that of the archive it lies in.
std::string archived_program(const MessageArchives& found, const ArchiveMember& member) {
    const auto why = scan::runs_as({member.path}, member.kind);
    return why.empty() ? why : because(path_of(found, member), why);
}

std::string archived_macros(const MessageArchives& found, const ArchiveMember& member) {
    const auto why = scan::macros_as({member.path}, member.macros);
    return why.empty() ? why : because(path_of(found, member), why);
}

std::string note(const MessageArchives& found, const std::vector<scan::ArchiveListing::Note>& notes) {
    return notes.empty() ? std::string() : because(archive_name(found, notes.front().archive), notes.front().what);
}

template <class Each>
Texts members(const MessageArchives& found, Each each) {
    Texts texts;
    for (const auto& member : found.listing.members) each(member, texts);
    return texts;
}

double unpacked(const MessageArchives& found) {
    std::uint64_t size = 0;
    for (const auto& member : found.listing.members) size += member.size;
    return static_cast<double>(size);
}

double deepest(const MessageArchives& found) {
    std::size_t depth = 0;
    for (const auto& member : found.listing.members) depth = std::max(depth, member.depth);
    return static_cast<double>(depth);
}

using GetArchive = FactValue (*)(const MessageArchives&);
struct ArchiveGetter {
    std::string_view name;
    GetArchive get;
};

constexpr ArchiveGetter kArchiveGetters[] = {
    {"archive.broken", [](const MessageArchives& found) -> FactValue { return note(found, found.listing.broken); }},
    {"archive.count", [](const MessageArchives& found) -> FactValue { return static_cast<double>(found.listing.members.size()); }},
    {"archive.depth", [](const MessageArchives& found) -> FactValue { return deepest(found); }},
    {"archive.encrypted",
     [](const MessageArchives& found) -> FactValue {
         return first(found.listing.members,
                      [&](const ArchiveMember& member) { return member.encrypted ? path_of(found, member) : std::string(); });
     }},
    {"archive.excess", [](const MessageArchives& found) -> FactValue { return note(found, found.listing.excess); }},
    {"archive.executable",
     [](const MessageArchives& found) -> FactValue {
         return first(found.listing.members, [&](const ArchiveMember& member) { return archived_program(found, member); });
     }},
    {"archive.extensions",
     [](const MessageArchives& found) -> FactValue {
         return each_once(members(found, [](const ArchiveMember& member, Texts& to) { add(scan::extension_of(member.path), to); }));
     }},
    {"archive.kinds",
     [](const MessageArchives& found) -> FactValue {
         return each_once(members(found, [](const ArchiveMember& member, Texts& to) { add(std::string(name_of(member.kind)), to); }));
     }},
    {"archive.macros",
     [](const MessageArchives& found) -> FactValue {
         return first(found.listing.members, [&](const ArchiveMember& member) { return archived_macros(found, member); });
     }},
    {"archive.names",
     [](const MessageArchives& found) -> FactValue {
         return members(found, [&](const ArchiveMember& member, Texts& to) { to.push_back(path_of(found, member)); });
     }},
    {"archive.size", [](const MessageArchives& found) -> FactValue { return unpacked(found); }},
};

template <class Getters, class Found>
FactValue get(const Getters& getters, std::string_view name, const Found& found) {
    for (const auto& getter : getters)
        if (getter.name == name) return getter.get(found);
    return Unavailable{"nobody knows how to find it out"};
}

}  // namespace

FactValue part_fact(std::string_view name, const MessageParts& found) { return get(kPartGetters, name, found); }
FactValue archive_fact(std::string_view name, const MessageArchives& found) { return get(kArchiveGetters, name, found); }

}  // namespace thurn::policy
