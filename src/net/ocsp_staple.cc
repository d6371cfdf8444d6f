#include "net/ocsp_staple.h"

#include <fmt/format.h>
#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/ocsp.h>

namespace thurn::net {

namespace {

using ResponsePtr = std::unique_ptr<OCSP_RESPONSE, FreeWith<OCSP_RESPONSE_free>>;
using BasicPtr = std::unique_ptr<OCSP_BASICRESP, FreeWith<OCSP_BASICRESP_free>>;

/// The issuer made it for its own certificates: the serial number tells them apart.
OCSP_SINGLERESP* find_answer(OCSP_BASICRESP* basic, X509* certificate) {
    const ASN1_INTEGER* const wanted = X509_get0_serialNumber(certificate);
    for (int k = 0; k < OCSP_resp_count(basic); ++k) {
        OCSP_SINGLERESP* const answer = OCSP_resp_get0(basic, k);
        ASN1_INTEGER* serial = nullptr;
        OCSP_id_get0_info(nullptr, nullptr, nullptr, &serial, const_cast<OCSP_CERTID*>(OCSP_SINGLERESP_get0_id(answer)));
        if (serial && ASN1_INTEGER_cmp(serial, wanted) == 0) return answer;
    }
    return nullptr;
}

std::time_t next_update_of(OCSP_SINGLERESP* answer) {
    ASN1_GENERALIZEDTIME* next = nullptr;
    OCSP_single_get0_status(answer, nullptr, nullptr, nullptr, &next);
    std::tm parts{};
    if (!next || ASN1_TIME_to_tm(next, &parts) != 1) return 0;
    return ::timegm(&parts);
}

}  // namespace

base::Result<OcspStaple> load_ocsp_staple(const std::filesystem::path& path, X509* certificate) {
    auto octets = load_small_file(path);
    if (!octets) return base::pass_on(octets);
    const auto wrong = [&path](std::string_view why) {
        return base::fail(base::ErrorKind::invalid, fmt::format("{}: {}", path.string(), why));
    };
    ERR_clear_error();
    const auto* at = reinterpret_cast<const unsigned char*>(octets->data());
    const ResponsePtr response(d2i_OCSP_RESPONSE(nullptr, &at, static_cast<long>(octets->size())));
    ERR_clear_error();
    if (!response) return wrong("not an OCSP response in DER");
    if (OCSP_response_status(response.get()) != OCSP_RESPONSE_STATUS_SUCCESSFUL)
        return wrong(fmt::format("the OCSP response says {}", OCSP_response_status_str(OCSP_response_status(response.get()))));
    const BasicPtr basic(OCSP_response_get1_basic(response.get()));
    OCSP_SINGLERESP* const answer = basic ? find_answer(basic.get(), certificate) : nullptr;
    ERR_clear_error();
    if (!answer) return wrong("the OCSP response is not about this certificate");
    return OcspStaple{*std::move(octets), next_update_of(answer)};
}

}  // namespace thurn::net
