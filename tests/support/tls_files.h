#pragma once

#include "net/tls.h"

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>

namespace thurn::test {

/// A self-signed certificate and its key, in a folder that goes with the object.
class TlsFiles {
public:
    explicit TlsFiles(const std::string& hostname) : files_{folder_ / "certificate.pem", folder_ / "key.pem"} {
        if (const auto made = net::make_self_signed(files_, hostname); !made) throw std::runtime_error(made.error().detail);
    }
    ~TlsFiles() {
        std::error_code ignored;
        std::filesystem::remove_all(folder_, ignored);
    }
    TlsFiles(const TlsFiles&) = delete;
    TlsFiles& operator=(const TlsFiles&) = delete;

    [[nodiscard]] const net::CertificateFiles& files() const { return files_; }
    [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }

    [[nodiscard]] std::shared_ptr<const net::TlsContext> server() const { return net::TlsContext::for_server({files_}).value(); }
    /// Trusts this certificate and no other.
    [[nodiscard]] std::shared_ptr<const net::TlsContext> trusting_client() const {
        return net::TlsContext::for_client(net::TlsContext::Verify::yes, files_.certificate).value();
    }
    [[nodiscard]] static std::shared_ptr<const net::TlsContext> careless_client() {
        return net::TlsContext::for_client(net::TlsContext::Verify::no, {}).value();
    }

private:
    static std::filesystem::path make_folder() {
        std::string pattern = (std::filesystem::temp_directory_path() / "thurn-tls-XXXXXX").string();
        if (!::mkdtemp(pattern.data())) throw std::runtime_error("no temporary folder");
        return pattern;
    }

    std::filesystem::path folder_ = make_folder();
    net::CertificateFiles files_;
};

}  // namespace thurn::test
