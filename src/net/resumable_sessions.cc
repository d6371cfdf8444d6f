#include "net/resumable_sessions.h"

#include <utility>

namespace thurn::net {

namespace {
constexpr std::size_t kMost = 500;
}

SessionPtr ResumableSessions::Entries::take(const std::string& server) {
    const auto found = by_server.find(server);
    if (found == by_server.end()) return nullptr;
    auto session = std::move(found->second->session);
    by_age.erase(found->second);
    by_server.erase(found);
    return session;
}

void ResumableSessions::keep(const std::string& server, SessionPtr session) {
    entries_.with([&](Entries& entries) {
        static_cast<void>(entries.take(server));
        if (entries.by_age.size() == kMost) static_cast<void>(entries.take(std::string(entries.by_age.front().server)));
        entries.by_age.push_back({server, std::move(session)});
        entries.by_server.emplace(server, std::prev(entries.by_age.end()));
    });
}

SessionPtr ResumableSessions::take(const std::string& server) {
    return entries_.with([&server](Entries& entries) { return entries.take(server); });
}

}  // namespace thurn::net
