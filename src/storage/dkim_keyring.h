#pragma once

#include "base/result.h"
#include "mailauth/dkim_key_list.h"
#include "mailauth/signing_key.h"
#include "storage/secret_folder.h"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace thurn::storage {

/// The keys that `thurn dkim` manages, in data_dir/keys: a file each, `DOMAIN.SELECTOR.pem`, and `dkim.keys`, the list of them with the
/// times at which they begin and cease to sign (mailauth/dkim_key_list.h).
///
/// Why a list  Keys that take over and keys that give way change in one step, by one rename; people can read it and mend it; and nobody
///             queries it, so a database beside the keys would be more to lose and no help.
/// Invariant   A key signs only when it is in the list: a file that a crash left, or somebody put there, does nothing. Files are written
///             before the list names them and removed after it forgot them.
/// Errors      As SecretFolder. `corrupt`: see KeyList.
/// Threads     One at a time.
class DkimKeyring {
public:
    explicit DkimKeyring(std::filesystem::path folder) : folder_(std::move(folder)) {}

    /// A key of the list. One that cannot be read has no `key`, and the reason in `problem`.
    struct Entry {
        mailauth::ListedKey listed;
        std::shared_ptr<const mailauth::PrivateKey> key;
        std::string problem;
        /// Precondition: there is a key.
        [[nodiscard]] mailauth::SigningKey signing_key() const;
    };
    struct Contents {
        std::vector<Entry> entries;
        std::vector<base::Error> problems;  // of the list's lines and of keys; each names its file
        std::vector<std::string> strays;    // `.pem` files that the list does not name
        /// Those that can be read, past, present and future.
        [[nodiscard]] std::vector<mailauth::SigningKey> signing_keys() const;
    };
    /// All there is; empty when nothing was made yet.
    /// Errors   The list or the folder cannot be read: go on with what was loaded before.
    [[nodiscard]] base::Result<Contents> load();
    /// Whether a file is other than at the last load(). A few stat() calls.
    [[nodiscard]] bool changed() const { return stamps() != loaded_; }

    /// Holds other processes off, from before what is to change is decided until it is done.
    [[nodiscard]] base::Result<std::unique_ptr<spool::FilesystemLock>> claim(
        std::chrono::milliseconds patience = SecretFolder::kPatience) const {
        return folder_.claim(patience);
    }
    struct NewKey {
        mailauth::ListedKey listed;
        std::shared_ptr<const mailauth::PrivateKey> key;
    };
    struct Edit {
        std::vector<NewKey> added{};
        std::vector<mailauth::ListedKey> changed{};  // new times for keys of that name
        std::vector<mailauth::ListedKey> removed{};
    };
    /// All of it or nothing; but of what was removed, files may be left, as strays. Precondition: claim() holds.
    /// Errors   `exists`: a key of that name, or a file with another. `not_found`: no key to change or remove. `corrupt`: the list has lines
    ///          that would be lost.
    [[nodiscard]] base::Result<void> apply(const Edit& edit);

    [[nodiscard]] const std::filesystem::path& folder() const { return folder_.path(); }
    [[nodiscard]] std::filesystem::path file_of(const mailauth::ListedKey& key) const;

private:
    [[nodiscard]] base::Result<mailauth::KeyList> read_list() const;
    [[nodiscard]] Entry read_entry(mailauth::ListedKey listed) const;
    [[nodiscard]] base::Result<void> write_key(const NewKey& key) const;
    [[nodiscard]] std::vector<SecretFolder::Stamp> stamps() const;

    SecretFolder folder_;
    std::vector<std::string> watched_;  // besides the list
    std::vector<SecretFolder::Stamp> loaded_ = stamps();
};

}  // namespace thurn::storage
