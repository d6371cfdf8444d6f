#include "storage/srs_keys.h"

namespace thurn::storage {

using base::Result;
using mailauth::SrsSecret;

Result<std::vector<SrsSecret>> SrsKeys::read() const {
    const auto text = folder_.read(kFile);
    if (!text && text.error().kind == base::ErrorKind::not_found) return std::vector<SrsSecret>{};
    if (!text) return std::unexpected(text.error());
    auto secrets = mailauth::parse_srs_secrets(*text);
    if (!secrets) return base::fail(secrets.error().kind, (folder_.path() / kFile).string() + ", " + secrets.error().detail);
    return secrets;
}

Result<std::vector<std::string>> SrsKeys::load_or_make(base::Random& random, base::Time now, std::chrono::days lifetime) {
    auto stamp = folder_.stamp(kFile);  // before reading: what is written meanwhile is a change
    auto secrets = read();
    if (secrets && secrets->empty()) {
        secrets = rotate(random, now, lifetime);
        stamp = folder_.stamp(kFile);
    }
    if (!secrets) return base::pass_on(secrets);
    std::vector<std::string> keys;
    for (auto& secret : mailauth::useful_secrets(*secrets, now, lifetime)) keys.push_back(std::move(secret.secret));
    loaded_ = stamp;
    return keys;
}

Result<std::vector<SrsSecret>> SrsKeys::rotate(base::Random& random, base::Time now, std::chrono::days lifetime) {
    const auto claim = folder_.claim();
    if (!claim) return std::unexpected(claim.error());
    auto secrets = read();
    if (!secrets) return secrets;
    secrets->insert(secrets->begin(), mailauth::make_srs_secret(random, now));
    auto useful = mailauth::useful_secrets(*secrets, now, lifetime);
    if (auto written = folder_.write(kFile, mailauth::render_srs_secrets(useful)); !written) return base::pass_on(written);
    return useful;
}

}  // namespace thurn::storage
