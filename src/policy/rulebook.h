#pragma once

#include "policy/dnsbl.h"
#include "policy/greylist.h"
#include "policy/rate.h"
#include "policy/rule.h"

#include <chrono>

namespace thurn::policy {

/// The configuration's rules, with what they may look up. A snapshot, shared by all conversations that began under it.
struct Rulebook {
    RuleSet rules;
    DnsblSet lists;
    RateSet rates;
    GreylistRules greylist{};             // for rules that ask for greylist_wait
    std::chrono::seconds time_limit{10};  // for what one stage looks up; then it is unavailable
};

}  // namespace thurn::policy
