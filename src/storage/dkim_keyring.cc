#include "storage/dkim_keyring.h"

#include <algorithm>

namespace thurn::storage {

using base::ErrorKind;
using base::Result;
using mailauth::ListedKey;
using mailauth::PrivateKey;

namespace {

constexpr const char* kList = "dkim.keys";
constexpr std::string_view kSuffix = ".pem";

std::string name_of(const ListedKey& key) { return key.domain + "." + key.selector + std::string(kSuffix); }

auto find_key(std::vector<ListedKey>& keys, const ListedKey& like) {
    return std::ranges::find_if(keys, [&](const ListedKey& key) { return key.domain == like.domain && key.selector == like.selector; });
}

std::unexpected<base::Error> no_such_key(const ListedKey& key) {
    return base::fail(ErrorKind::not_found, "there is no key " + key.selector + " of " + key.domain);
}

/// The list as the edit leaves it.
Result<std::vector<ListedKey>> edited(std::vector<ListedKey> keys, const DkimKeyring::Edit& edit) {
    for (const auto& changed : edit.changed) {
        const auto found = find_key(keys, changed);
        if (found == keys.end()) return no_such_key(changed);
        *found = changed;
    }
    for (const auto& removed : edit.removed) {
        const auto found = find_key(keys, removed);
        if (found == keys.end()) return no_such_key(removed);
        keys.erase(found);
    }
    for (const auto& [added, key] : edit.added) {
        if (find_key(keys, added) != keys.end())
            return base::fail(ErrorKind::exists, "there is a key " + added.selector + " of " + added.domain + " already");
        keys.push_back(added);
    }
    return keys;
}

}  // namespace

mailauth::SigningKey DkimKeyring::Entry::signing_key() const {
    return {.domain = listed.domain, .selector = listed.selector, .key = key, .from = listed.from, .until = listed.until};
}

std::vector<mailauth::SigningKey> DkimKeyring::Contents::signing_keys() const {
    std::vector<mailauth::SigningKey> keys;
    for (const auto& entry : entries)
        if (entry.key) keys.push_back(entry.signing_key());
    return keys;
}

std::filesystem::path DkimKeyring::file_of(const ListedKey& key) const { return folder_.path() / name_of(key); }

Result<mailauth::KeyList> DkimKeyring::read_list() const {
    const auto text = folder_.read(kList);
    if (!text && text.error().kind == ErrorKind::not_found) return mailauth::KeyList{};
    if (!text) return std::unexpected(text.error());
    auto list = mailauth::parse_key_list(*text);
    for (auto& problem : list.problems) problem.detail = (folder_.path() / kList).string() + ", " + problem.detail;
    return list;
}

DkimKeyring::Entry DkimKeyring::read_entry(ListedKey listed) const {
    const auto text = folder_.read(name_of(listed));
    if (!text) return {.listed = std::move(listed), .key = nullptr, .problem = text.error().detail};
    auto key = PrivateKey::read(*text);
    if (!key) {
        auto problem = file_of(listed).string() + ": " + key.error().detail;
        return {.listed = std::move(listed), .key = nullptr, .problem = std::move(problem)};
    }
    return {.listed = std::move(listed), .key = std::make_shared<const PrivateKey>(*std::move(key)), .problem = {}};
}

Result<DkimKeyring::Contents> DkimKeyring::load() {
    const auto list_stamp = folder_.stamp(kList);  // before reading: what is written meanwhile is a change
    auto list = read_list();
    if (!list) return base::pass_on(list);
    const auto files = folder_.list();
    if (!files) return std::unexpected(files.error());

    watched_.clear();
    for (const auto& key : list->keys) watched_.push_back(name_of(key));
    auto stamped = stamps();
    stamped.front() = list_stamp;

    Contents contents{.entries = {}, .problems = std::move(list->problems), .strays = {}};
    for (auto& key : list->keys) {
        contents.entries.push_back(read_entry(std::move(key)));
        const auto& problem = contents.entries.back().problem;
        if (!problem.empty()) contents.problems.push_back({ErrorKind::corrupt, problem});
    }
    std::ranges::copy_if(*files, std::back_inserter(contents.strays), [this](const std::string& name) {
        return name.ends_with(kSuffix) && std::ranges::find(watched_, name) == watched_.end();
    });
    std::ranges::sort(contents.strays);
    loaded_ = std::move(stamped);
    return contents;
}

std::vector<SecretFolder::Stamp> DkimKeyring::stamps() const {
    std::vector<SecretFolder::Stamp> stamps{folder_.stamp(kList)};
    for (const auto& name : watched_) stamps.push_back(folder_.stamp(name));
    return stamps;
}

/// A file that is there already stays, if it is this key's: somebody put it there to be taken up.
Result<void> DkimKeyring::write_key(const NewKey& key) const {
    const auto name = name_of(key.listed);
    const auto there = folder_.read(name);
    if (!there && there.error().kind != ErrorKind::not_found) return std::unexpected(there.error());
    if (there) {
        const auto same = PrivateKey::read(*there);
        if (!same || same->type() != key.key->type() || same->public_key() != key.key->public_key())
            return base::fail(ErrorKind::exists, file_of(key.listed).string() + ": is there already, with another key");
    }
    return folder_.write(name, key.key->pem());
}

Result<void> DkimKeyring::apply(const Edit& edit) {
    auto list = read_list();
    if (!list) return base::pass_on(list);
    if (!list->problems.empty()) return std::unexpected(list->problems.front());
    const auto keys = edited(std::move(list->keys), edit);
    if (!keys) return std::unexpected(keys.error());
    for (const auto& key : edit.added)
        if (auto written = write_key(key); !written) return written;
    if (auto written = folder_.write(kList, mailauth::render_key_list(*keys)); !written) return written;
    for (const auto& key : edit.removed)
        if (auto gone = folder_.remove(name_of(key)); !gone && gone.error().kind != ErrorKind::not_found) return gone;
    return {};
}

}  // namespace thurn::storage
