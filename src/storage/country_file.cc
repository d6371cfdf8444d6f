// libmaxminddb behind one source file.
#include "storage/country_file.h"

#include "base/ascii.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <maxminddb.h>

namespace thurn::storage {

namespace {

class CountryFile final : public policy::Countries {
public:
    CountryFile() = default;
    CountryFile(const CountryFile&) = delete;
    CountryFile& operator=(const CountryFile&) = delete;
    ~CountryFile() override {
        if (open_) MMDB_close(&database_);
    }
    int open(const std::filesystem::path& file) {
        const int status = MMDB_open(file.c_str(), MMDB_MODE_MMAP, &database_);
        open_ = status == MMDB_SUCCESS;
        return status;
    }

    std::string country_of(std::string_view address) const override {
        int not_an_address = 0, trouble = 0;
        auto found = MMDB_lookup_string(&database_, std::string(address).c_str(), &not_an_address, &trouble);
        if (not_an_address != 0 || trouble != MMDB_SUCCESS || !found.found_entry) return {};
        MMDB_entry_data_s data{};
        if (MMDB_get_value(&found.entry, &data, "country", "iso_code", nullptr) != MMDB_SUCCESS) return {};
        if (!data.has_data || data.type != MMDB_DATA_TYPE_UTF8_STRING || data.data_size != 2) return {};
        std::string code(data.utf8_string, data.data_size);
        std::ranges::transform(code, code.begin(), base::to_upper);  // rules compare it as it stands in ISO 3166
        return code;
    }

private:
    MMDB_s database_{};
    bool open_ = false;
};

}  // namespace

base::Result<std::unique_ptr<policy::Countries>> open_country_file(const std::filesystem::path& file) {
    auto countries = std::make_unique<CountryFile>();
    const int status = countries->open(file);
    if (status == MMDB_SUCCESS) return countries;
    if (status == MMDB_FILE_OPEN_ERROR)
        return base::fail(errno == EACCES ? base::ErrorKind::refused : base::ErrorKind::not_found,
                          file.string() + ": " + std::strerror(errno));
    return base::fail(base::ErrorKind::corrupt, file.string() + ": " + MMDB_strerror(status));
}

}  // namespace thurn::storage
