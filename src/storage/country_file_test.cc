#include "storage/country_file.h"

#include "support/country_database.h"

#include <fstream>

#include <gtest/gtest.h>

namespace thurn::storage {
namespace {

class CountryFileTest : public testing::Test {
protected:
    CountryFileTest() {
        auto name = (std::filesystem::temp_directory_path() / "thurn-countries-XXXXXX").string();
        EXPECT_NE(::mkdtemp(name.data()), nullptr);
        folder_ = name;
    }
    ~CountryFileTest() override { std::filesystem::remove_all(folder_); }
    std::filesystem::path write(const std::string& octets) {
        const auto file = folder_ / "countries.mmdb";
        std::ofstream(file, std::ios::binary) << octets;
        return file;
    }
    std::filesystem::path folder_;
};

TEST_F(CountryFileTest, TellsTheCountryOfAnAddress) {
    const auto countries =
        open_country_file(write(support::country_database({{"192.0.2", "DE"}, {"198.51.100", "NG"}, {"203.0.0", "fr"}})));
    ASSERT_TRUE(countries) << countries.error().detail;
    EXPECT_EQ((*countries)->country_of("192.0.2.7"), "DE");
    EXPECT_EQ((*countries)->country_of("198.51.100.255"), "NG");
    EXPECT_EQ((*countries)->country_of("203.0.0.1"), "FR") << "as ISO 3166 writes it";
    EXPECT_EQ((*countries)->country_of("203.0.113.1"), "");
    EXPECT_EQ((*countries)->country_of("2001:db8::1"), "") << "a database of IPv4 knows no other";
    EXPECT_EQ((*countries)->country_of("local"), "");
    EXPECT_EQ((*countries)->country_of(""), "");
}

TEST_F(CountryFileTest, WhatIsNoDatabaseIsRefused) {
    EXPECT_EQ(open_country_file(folder_ / "nothing").error().kind, base::ErrorKind::not_found);
    EXPECT_EQ(open_country_file(write("nonsense")).error().kind, base::ErrorKind::corrupt);
}

}  // namespace
}  // namespace thurn::storage
