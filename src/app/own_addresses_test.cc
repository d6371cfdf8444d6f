#include "app/own_addresses.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace thurn::app {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> addresses(const std::vector<config::ListenerConfig>& listeners) {
    std::vector<std::string> texts;
    for (const auto& address : own_addresses(listeners)) texts.push_back(route::render_address(address));
    return texts;
}

TEST(OwnAddresses, AreThoseMailIsTakenAt) {
    EXPECT_THAT(addresses({{.bind = {"192.0.2.7:25", "192.0.2.7:2525"}}, {.bind = {"[2001:db8::7]:25"}}}),
                ElementsAre("192.0.2.7", "2001:db8::7"));
}

TEST(OwnAddresses, SubmissionDoesNotCount) {
    EXPECT_THAT(addresses({{.bind = {"192.0.2.7:587"}, .role = policy::Role::submission}}), IsEmpty());
}

TEST(OwnAddresses, AWildcardStandsForTheInterfaces) {
    const auto found = addresses({{.bind = {"0.0.0.0:25"}}});
    EXPECT_THAT(found, Contains("127.0.0.1"));
    EXPECT_THAT(found, testing::Not(Contains("0.0.0.0")));
}

TEST(OwnAddresses, WhatIsNoAddressIsLeftOut) { EXPECT_THAT(addresses({{.bind = {"nonsense", ""}}}), IsEmpty()); }

}  // namespace
}  // namespace thurn::app
