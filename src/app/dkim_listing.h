#pragma once

#include "app/command.h"
#include "mailauth/dkim_key_list.h"
#include "storage/dkim_keyring.h"

#include <string>
#include <string_view>

namespace thurn::app {

/// What `thurn dkim` shows of keys; never more than their public half.

/// Why a list says so: `prepublished since 2026-11-22T15:00:00Z until 2026-11-24T15:00:00Z`.
[[nodiscard]] std::string describe_phase(const mailauth::ListedKey& key, base::Time now);
/// To the second, in UTC.
[[nodiscard]] std::string render_moment(base::Time time);
/// The record of a key as a line of a zone file, with its state as comment.
void print_zone_line(const mailauth::ListedKey& listed, const mailauth::PrivateKey& key, base::Time now);

/// With the keys that the configuration names. `domain` empty: all.
int list_keys(const CommandContext& context, const config::Config& config, storage::DkimKeyring& keyring, const std::string& domain);
int print_records(const CommandContext& context, const config::Config& config, storage::DkimKeyring& keyring, const std::string& domain);
/// Asks DNS whether the keys of the domain are published. `resolver` as ToolResolver takes it.
int check_keys(const CommandContext& context, const config::Config& config, storage::DkimKeyring& keyring, const std::string& domain,
               const std::string& resolver);

}  // namespace thurn::app
