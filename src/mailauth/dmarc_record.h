#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace thurn::mailauth {

/// What a domain wants done with mail that fails, from mild to harsh.
enum class DmarcPolicy { none, quarantine, reject };
[[nodiscard]] std::string_view dmarc_policy_name(DmarcPolicy policy);
/// One step milder, as `t=y` asks for.
[[nodiscard]] DmarcPolicy milder(DmarcPolicy policy);

enum class DmarcAlignment { relaxed, strict };

/// A policy record, read with all the tolerance RFC 9989 §4.7 demands: unknown tags, and `pct`, `rf` and `ri` of old, are ignored, as is a
/// part that is no tag or has a wrong value, and a tag that came before.
///
/// Shape    `p`, `sp`, `np` are set if present and valid. `rua` and `ruf` are URIs without the `!size` of old.
struct DmarcRecord {
    enum class PublicSuffix { yes, no, unknown };
    enum class Mode { enforced, test };
    std::optional<DmarcPolicy> p;
    std::optional<DmarcPolicy> sp;
    std::optional<DmarcPolicy> np;
    DmarcAlignment adkim = DmarcAlignment::relaxed;
    DmarcAlignment aspf = DmarcAlignment::relaxed;
    Mode mode = Mode::enforced;
    PublicSuffix psd = PublicSuffix::unknown;
    std::string fo = "0";
    std::vector<std::string> rua;
    std::vector<std::string> ruf;
    bool wrong_policy = false;  // p is missing, or p, sp or np is wrong

    /// The record to go by (RFC 9989 §4.10.1): with a wrong policy and somebody to report to, as if it were `p=none` alone; with nobody,
    /// nothing.
    [[nodiscard]] std::optional<DmarcRecord> usable() const;
};

/// Nothing if the text does not begin with `v=DMARC1`: then it is no DMARC record at all, and not counted as one.
[[nodiscard]] std::optional<DmarcRecord> parse_dmarc_record(std::string_view octets);

}  // namespace thurn::mailauth
