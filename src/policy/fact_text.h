#pragma once

#include "base/result.h"
#include "policy/fact.h"

#include <string>
#include <string_view>
#include <utility>

namespace thurn::policy {

/// A fact as the trace keeps it, to be read again: `spf = "pass"`, `dnsbl.zen = 4`, `dkim = ["example.com"]`, and
/// `client.name = {"unavailable": "no answer"}`.
///
/// Shape    The name, ` = `, and the value in JSON. Lists end after 64 texts or some 7000 octets, texts after 500 octets.
[[nodiscard]] std::string write_fact(std::string_view name, const FactValue& value);
/// Errors   `syntax`: what write_fact() does not write.
[[nodiscard]] base::Result<std::pair<std::string, FactValue>> read_fact(std::string_view text);

}  // namespace thurn::policy
