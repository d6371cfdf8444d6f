#pragma once

#include "dns/dns.h"

#include <string>
#include <utility>
#include <vector>

namespace thurn::mailauth {

/// What a check asked, and what came of it in a few words: for the trace and for `thurn explain`.
struct Lookup {
    dns::Question question;
    std::string answer;  // one line, at most 200 octets of what strangers published
};

/// `"v=spf1 -all"`, `192.0.2.1, 192.0.2.2`, `no such name`, `failed: timed out`.
[[nodiscard]] std::string summarize(const dns::Answer& answer);

/// The lookups of one check, in the order of their answers.
/// Limits  The first 200; DNS is asked far less by all checks together.
class LookupLog {
public:
    void note(const dns::Question& question, const dns::Answer& answer);
    [[nodiscard]] std::vector<Lookup> take() { return std::move(lookups_); }

private:
    std::vector<Lookup> lookups_;
};

/// A core whose lookups are kept.
template <class Core>
class Logged : public Core {
public:
    using Core::Core;
    void answer(const dns::Question& question, const dns::Answer& answer) {
        log_.note(question, answer);
        Core::answer(question, answer);
    }
    [[nodiscard]] std::vector<Lookup> take_lookups() { return log_.take(); }

private:
    LookupLog log_;
};

}  // namespace thurn::mailauth
