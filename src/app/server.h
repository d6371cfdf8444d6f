#pragma once

#include "base/result.h"
#include "config/config.h"

#include <filesystem>

namespace thurn::app {

/// What the server needs beside its configuration.
struct ServerOptions {
    std::filesystem::path config_file;  // read again on SIGHUP
    config::Surroundings surroundings;
};

/// Runs the server until SIGTERM or SIGINT, in the foreground; everything is stopped and settled when it returns.
///
/// Signals  SIGTERM, SIGINT: stop in order (DESIGN §4). SIGHUP: read the configuration again; a bad file changes nothing.
/// Errors   What kept it from starting, naming the file, port or key.
[[nodiscard]] base::Result<void> run_server(config::Loaded loaded, const ServerOptions& options);

}  // namespace thurn::app
