#pragma once

#include "dns/ip_address.h"

#include <memory>
#include <string>
#include <vector>

namespace thurn::mailauth {

/// RFC 8601 §2.7.3.
enum class IprevResult { pass, fail, temperror, permerror };
[[nodiscard]] std::string_view iprev_result_name(IprevResult result);

/// Shape   `name` is the first of the names that lead back to the address; empty unless `pass`.
struct IprevVerdict {
    IprevResult result = IprevResult::permerror;
    std::string name{};
    std::string detail{};  // for people
};

/// Forward-confirmed reverse DNS, without I/O: the name an address claims, if it leads back to the address.
///
/// Loop     questions(), answer each, until done().
/// Limits   Ten names are looked at.
class IprevCheck {
public:
    explicit IprevCheck(const dns::IpAddress& client);
    [[nodiscard]] std::vector<dns::Question> questions() const;
    void answer(const dns::Question& question, const dns::Answer& answer);
    [[nodiscard]] bool done() const;
    [[nodiscard]] IprevVerdict take();  // Precondition: done()
    ~IprevCheck();
    IprevCheck(IprevCheck&&) noexcept;
    IprevCheck& operator=(IprevCheck&&) noexcept;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace thurn::mailauth
