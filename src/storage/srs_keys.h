#pragma once

#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"
#include "mailauth/srs_key_list.h"
#include "storage/secret_folder.h"

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

namespace thurn::storage {

/// The secrets that senders of forwarded mail are rewritten with: `srs.keys` in data_dir/keys (mailauth/srs_key_list.h).
///
///     SrsKeys keys(data_dir / "keys");
///     auto srs = Srs::make({.domain = ours, .keys = *keys.load_or_make(random, now, lifetime)});
///
/// Errors   As SecretFolder; `corrupt`: a line is no secret.
/// Threads  One at a time.
class SrsKeys {
public:
    explicit SrsKeys(std::filesystem::path folder) : folder_(std::move(folder)) {}

    /// For Srs::Options::keys, never empty: those in use. Makes the first when there is none.
    /// Errors   `refused`: another process is making one just now.
    [[nodiscard]] base::Result<std::vector<std::string>> load_or_make(base::Random& random, base::Time now, std::chrono::days lifetime);
    /// Whether the file is other than at the last load_or_make().
    [[nodiscard]] bool changed() const { return folder_.stamp(kFile) != loaded_; }

    /// All in the file; empty when there is none.
    [[nodiscard]] base::Result<std::vector<mailauth::SrsSecret>> read() const;
    /// Puts a new secret in front and drops those whose time is over; gives what is in the file then.
    [[nodiscard]] base::Result<std::vector<mailauth::SrsSecret>> rotate(base::Random& random, base::Time now, std::chrono::days lifetime);

private:
    static constexpr const char* kFile = "srs.keys";
    SecretFolder folder_;
    SecretFolder::Stamp loaded_;
};

}  // namespace thurn::storage
