#pragma once

#include "base/result.h"

#include <chrono>
#include <filesystem>
#include <string>

namespace thurn::storage {

/// One question to a web server.
/// Shape    `form`: sent as application/x-www-form-urlencoded by POST, unless `content_type` says
///          what else it is; empty: GET. `user` and `password`: Basic, when there is a user.
///          `ca_file`: empty for the system's roots.
struct WebRequest {
    std::string url;
    std::string form = {};
    std::string content_type = {};
    std::string user = {};
    std::string password = {};
    std::filesystem::path ca_file = {};
    std::chrono::milliseconds time_limit{5000};
};
struct WebAnswer {
    long status = 0;
    std::string body;
};

/// Blocks: pool only. Follows no redirection, takes no proxy from the environment.
/// Limits   1 MiB of body.
/// Errors   `timed_out`, `too_long`, `peer_gone` for all else; names the server, never what was sent.
[[nodiscard]] base::Result<WebAnswer> ask_web(const WebRequest& request);

/// Whether a URL is fit for secrets: `https:`, or `http:` to a loopback address.
[[nodiscard]] bool is_confidential(std::string_view url);

/// `%XX` for all but the unreserved (RFC 3986 §2.3).
[[nodiscard]] std::string escape_for_form(std::string_view text);

}  // namespace thurn::storage
