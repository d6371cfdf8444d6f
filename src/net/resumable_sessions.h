#pragma once

#include "base/guarded.h"
#include "net/pem.h"

#include <list>
#include <map>
#include <string>
#include <string_view>

#include <openssl/ssl.h>

namespace thurn::net {

using SessionPtr = std::unique_ptr<SSL_SESSION, FreeWith<SSL_SESSION_free>>;

/// A client's TLS sessions, to be resumed: the last one of each server.
///
/// Limits   500 servers; the one heard of longest ago goes.
/// Threads  Any.
class ResumableSessions {
public:
    void keep(const std::string& server, SessionPtr session);
    /// nullptr: none. What is taken is gone: a ticket is used once, or those who watch could tell connections to belong together
    /// (RFC 8446 §C.4).
    [[nodiscard]] SessionPtr take(const std::string& server);

private:
    struct Entry {
        std::string server;
        SessionPtr session;
    };
    struct Entries {
        std::list<Entry> by_age;  // oldest first
        std::map<std::string, std::list<Entry>::iterator, std::less<>> by_server;
        SessionPtr take(const std::string& server);
    };
    base::Guarded<Entries> entries_;
};

}  // namespace thurn::net
