#pragma once

#include "app/command.h"
#include "mailauth/dkim_key_list.h"
#include "mailauth/dkim_publication.h"
#include "storage/dkim_keyring.h"

#include <string>
#include <string_view>
#include <vector>

namespace thurn::app {

/// What `thurn dkim` shows of keys; never more than their public half.

/// Why a list says so: `prepublished since 2026-11-22T15:00:00Z until 2026-11-24T15:00:00Z`.
[[nodiscard]] std::string describe_phase(const mailauth::ListedKey& key, base::Time now);
/// To the second, in UTC.
[[nodiscard]] std::string render_moment(base::Time time);
/// The record of a key as a line of a zone file, with its state as comment.
void print_zone_line(const mailauth::ListedKey& listed, const mailauth::PrivateKey& key, base::Time now);

/// A key of the keyring, or one that the configuration names: it signs as long as it is named, and was not made at a time we know.
[[nodiscard]] bool is_configured(const mailauth::ListedKey& key);
/// All that mail is signed with: the keyring, and behind it what the configuration names.
[[nodiscard]] base::Result<storage::DkimKeyring::Contents> load_all_keys(const config::Config& config, storage::DkimKeyring& keyring);

/// What DNS said of a key.
struct KeyFinding {
    storage::DkimKeyring::Entry entry;
    mailauth::KeyState state = mailauth::KeyState::active;
    mailauth::PublicationReport report{};
    [[nodiscard]] bool good() const {
        return entry.key && (report.what == mailauth::Publication::published || state == mailauth::KeyState::removable);
    }
    [[nodiscard]] const char* mark() const { return good() ? "ok" : report.what == mailauth::Publication::unknown ? "?" : "WRONG"; }
};
/// `resolver` as ToolResolver takes it.
/// Errors   As ToolResolver.
[[nodiscard]] base::Result<std::vector<KeyFinding>> find_published(const std::vector<storage::DkimKeyring::Entry>& entries,
                                                                   const std::string& resolver, base::Time now);

/// With the keys that the configuration names. `domain` empty: all.
int list_keys(const CommandContext& context, const config::Config& config, storage::DkimKeyring& keyring, const std::string& domain);
int print_records(const CommandContext& context, const config::Config& config, storage::DkimKeyring& keyring, const std::string& domain);
/// Asks DNS whether the keys of the domain are published. `resolver` as ToolResolver takes it.
int check_keys(const CommandContext& context, const config::Config& config, storage::DkimKeyring& keyring, const std::string& domain,
               const std::string& resolver);

}  // namespace thurn::app
