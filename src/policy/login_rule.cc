#include "policy/login_rule.h"

#include "mail/date.h"

#include <fmt/format.h>

namespace thurn::policy {

namespace {

using Kind = Decision::Kind;
using Answer = LoginGuard::Verdict::Answer;

constexpr const char* kBans = "bans";
constexpr const char* kProtection = "login_protection";
constexpr const char* kClientLocked = "too many failed logins from your address, try again later";

std::string until(const LoginGuard::Verdict& verdict) {
    return verdict.until ? fmt::format(", until {}", mail::render_timestamp(*verdict.until)) : "";
}

}  // namespace

std::optional<Decision> refuse_admission(LoginGuard::Admission admission, Role role) {
    using enum LoginGuard::Admission;
    if (admission == banned)
        return Decision{.kind = Kind::reject,
                        .rule = kBans,
                        .reason = "the address is banned",
                        .code = 554,
                        .status = {5, 7, 1},
                        .text = "your address is banned from this server; its administrator can tell why"};
    if (admission == locked_out && role == Role::submission)
        return Decision{.kind = Kind::defer,
                        .rule = kProtection,
                        .reason = "too many failed logins from the address",
                        .code = 421,
                        .status = {4, 7, 0},
                        .text = kClientLocked};
    return std::nullopt;
}

std::optional<Decision> refuse_login(const LoginGuard::Verdict& verdict) {
    switch (verdict.answer) {
        case Answer::check:
            return std::nullopt;
        case Answer::client_locked:
            return Decision{.kind = Kind::defer,
                            .rule = kProtection,
                            .reason = "too many failed logins from the address" + until(verdict),
                            .code = 421,
                            .status = {4, 7, 0},
                            .text = kClientLocked};
        case Answer::account_locked:
            return Decision{.kind = Kind::defer,
                            .rule = kProtection,
                            .reason = "too many failed logins with the name" + until(verdict),
                            .code = 454,
                            .status = {4, 7, 0},
                            .text = "too many failed logins with this name, try again later"};
        case Answer::banned:
            break;
    }
    return Decision{.kind = Kind::reject,
                    .rule = kBans,
                    .reason = "the login is banned" + until(verdict),
                    .code = 525,
                    .status = {5, 7, 13},
                    .text = "you are banned from logging in here; the server's administrator can tell why"};
}

}  // namespace thurn::policy
