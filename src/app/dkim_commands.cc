// Keys lie in data_dir/keys as DOMAIN.SELECTOR.pem; a selector of ours has no dot, so the name says which is which.
#include "app/command.h"
#include "app/privileges.h"
#include "mail/mailbox.h"
#include "mailauth/dkim_key.h"
#include "net/pem.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

namespace thurn::app {
namespace {

using mailauth::KeyType;
using mailauth::PrivateKey;

constexpr std::string_view kSuffix = ".pem";

struct KeyFile {
    std::filesystem::path path;
    std::string selector;
};

base::Result<std::string> parse_name(const std::string& text, std::string_view what) {
    const auto domain = mail::parse_domain(text, mail::Charset::utf8);
    if (!domain || domain->is_literal()) return base::fail(base::ErrorKind::invalid, fmt::format("{} is no {}", text, what));
    return domain->text();
}

base::Result<std::string> parse_selector(const std::string& text) {
    auto selector = parse_name(text, "selector: one word of letters, digits and hyphens");
    if (selector && selector->contains('.'))
        return base::fail(base::ErrorKind::invalid, fmt::format("{} is no selector of one word: leave the dots out", text));
    return selector;
}

/// A file that nobody else may read and that was not there before, on stable storage.
base::Result<void> write_secret(const std::filesystem::path& path, std::string_view text) {
    const auto trouble = [&path] {
        const auto kind = errno == EEXIST ? base::ErrorKind::exists : base::ErrorKind::disk;
        return base::fail(kind, fmt::format("{}: {}", path.string(), std::strerror(errno)));
    };
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0) return trouble();
    const bool written = ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(file) == 0;
    if (!written) {
        auto failed = trouble();
        ::close(file);
        ::unlink(path.c_str());
        return failed;
    }
    ::close(file);
    return {};
}

/// Which keys to make: kind and selector.
std::vector<std::pair<KeyType, std::string>> plan(DkimAlgorithm algorithm, const std::string& selector) {
    switch (algorithm) {
        case DkimAlgorithm::rsa:
            return {{KeyType::rsa, selector}};
        case DkimAlgorithm::ed25519:
            return {{KeyType::ed25519, selector}};
        case DkimAlgorithm::both:
            break;
    }
    // Two selectors: a receiver that knows RSA only would stumble over two records of one name (RFC 8463 §3).
    return {{KeyType::rsa, selector}, {KeyType::ed25519, selector + "-ed25519"}};
}

void print_record(const std::string& domain, const std::string& selector, const PrivateKey& key) {
    print_line(mailauth::render_dkim_zone_line(selector + "._domainkey." + domain, mailauth::render_dkim_key_record(key)));
}

std::vector<KeyFile> find_keys(const std::filesystem::path& folder, const std::string& domain) {
    std::vector<KeyFile> found;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
        std::string name = entry.path().filename().string();
        if (!name.ends_with(kSuffix)) continue;
        name.resize(name.size() - kSuffix.size());
        const std::size_t dot = name.rfind('.');
        if (dot != std::string::npos && name.substr(0, dot) == domain) found.push_back({entry.path(), name.substr(dot + 1)});
    }
    std::ranges::sort(found, {}, &KeyFile::selector);
    return found;
}

int generate(const std::filesystem::path& folder, const std::string& domain, const DkimCommand& command) {
    const auto selector = parse_selector(command.selector);
    if (!selector) return complain(selector.error());
    if (auto made = prepare_folder(folder, nullptr); !made) return complain(made.error());
    const auto wanted = plan(command.algorithm, *selector);
    const auto path_of = [&](const std::string& name) { return folder / fmt::format("{}.{}{}", domain, name, kSuffix); };
    for (const auto& [type, name] : wanted)
        if (std::filesystem::exists(path_of(name)))
            return complain({base::ErrorKind::exists,
                             fmt::format("there is a key {} already; choose another --selector for a new one", path_of(name).string())});
    for (const auto& [type, name] : wanted) {
        const auto key = PrivateKey::generate(type);
        if (auto written = write_secret(path_of(name), key.pem()); !written) return complain(written.error());
        fmt::print(stderr, "made {}\n", path_of(name).string());
        print_record(domain, name, key);
    }
    return exit_ok;
}

int print_records(const std::filesystem::path& folder, const std::string& domain) {
    const auto keys = find_keys(folder, domain);
    if (keys.empty())
        return complain({base::ErrorKind::not_found,
                         fmt::format("there is no key for {0} in {1}; make one with: thurn dkim generate {0}", domain, folder.string())});
    for (const auto& [path, selector] : keys) {
        const auto text = net::load_small_file(path);
        if (!text) return complain(text.error());
        const auto key = PrivateKey::read(*text);
        if (!key) return complain({key.error().kind, fmt::format("{}: {}", path.string(), key.error().detail)});
        print_record(domain, selector, *key);
    }
    return exit_ok;
}

}  // namespace

int dkim_command(const CommandContext& context, const DkimCommand& command) {
    const auto loaded = load_configuration(context);
    if (!loaded) return complain(loaded.error());
    const auto domain = parse_name(command.domain, "domain");
    if (!domain) return complain(domain.error());
    if (auto done = act_as_owner(loaded->config); !done) return complain(done.error());
    const auto folder = loaded->config.data_dir / "keys";
    return command.verb == "generate" ? generate(folder, *domain, command) : print_records(folder, *domain);
}

}  // namespace thurn::app
