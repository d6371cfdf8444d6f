#pragma once

#include "config/config.h"

#include <string>
#include <string_view>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

// What the tests of the configuration share: a text that is read, and what is said of it.
namespace thurn::config {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;

inline const Surroundings kSurroundings{.system_hostname = "mx.example.com"};

inline base::Result<Loaded> parse(std::string_view text) { return parse_config(text, "t.toml", kSurroundings); }
inline Config good(std::string_view text) {
    auto loaded = parse(text);
    EXPECT_TRUE(loaded) << loaded.error().detail;
    return loaded ? std::move(loaded->config) : Config{};
}
inline std::string complaint(std::string_view text) {
    const auto loaded = parse(text);
    return loaded ? "it was taken" : loaded.error().detail;
}

}  // namespace thurn::config
