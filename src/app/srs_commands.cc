#include "app/command.h"
#include "app/dkim_listing.h"
#include "app/privileges.h"
#include "app/system.h"
#include "storage/srs_keys.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <fmt/format.h>

namespace thurn::app {

namespace json = boost::json;

namespace {

using mailauth::SrsSecret;

/// How a secret is used, without the secret.
struct Use {
    bool writes = false;
    std::string made, read_until;  // empty: not known, as somebody put it there by hand
};

std::vector<Use> uses_of(const std::vector<SrsSecret>& secrets, std::chrono::days lifetime) {
    std::vector<Use> uses;
    std::optional<base::Time> replaced;
    for (const auto& secret : secrets) {
        Use use{.writes = uses.empty(), .made = {}, .read_until = {}};
        if (secret.made) use.made = render_moment(*secret.made);
        if (secret.made && replaced) use.read_until = render_moment(*replaced + lifetime + std::chrono::days(1));
        replaced = secret.made;
        uses.push_back(std::move(use));
    }
    return uses;
}

int list_secrets(const CommandContext& context, const std::vector<SrsSecret>& secrets, std::chrono::days lifetime) {
    const auto or_null = [](const std::string& text) { return text.empty() ? json::value(nullptr) : json::value(text); };
    const auto or_dash = [](const std::string& text) { return text.empty() ? "-" : text; };
    json::array array;
    std::vector<std::vector<std::string>> rows;
    for (const auto& use : uses_of(secrets, lifetime)) {
        array.push_back(json::object{{"made", or_null(use.made)}, {"writes", use.writes}, {"read_until", or_null(use.read_until)}});
        rows.push_back({or_dash(use.made), use.writes ? "writes" : "is read", or_dash(use.read_until)});
    }
    if (context.json)
        print_json(array);
    else if (rows.empty())
        print_line("There is no secret yet; the server makes the first when it needs it.");
    else
        print_table({"MADE", "USE", "UNTIL"}, rows);
    return exit_ok;
}

}  // namespace

int srs_command(const CommandContext& context, const SrsCommand& command) {
    const auto loaded = load_configuration(context);
    if (!loaded) return complain(loaded.error());
    if (auto done = act_as_owner(loaded->config); !done) return complain(done.error());
    storage::SrsKeys keys(loaded->config.data_dir / "keys");
    if (command.verb == "list") {
        const auto secrets = keys.read();
        return secrets ? list_secrets(context, *secrets, loaded->config.srs_lifetime) : complain(secrets.error());
    }
    if (auto made = prepare_folder(loaded->config.data_dir, nullptr); !made) return complain(made.error());
    SystemRandom random;
    const auto secrets = keys.rotate(random, SystemClock().now(), loaded->config.srs_lifetime);
    if (!secrets) return complain(secrets.error());
    print_line(
        fmt::format("made a new secret; {} in use", secrets->size() == 1 ? "it is the one" : fmt::format("{} are", secrets->size())));
    std::fflush(stdout);
    announce_keys(loaded->config);
    return exit_ok;
}

}  // namespace thurn::app
