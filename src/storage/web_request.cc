// libcurl behind one source file, in its blocking form: questions are few, and asked on the pool's threads.
#include "storage/web_request.h"

#include <memory>
#include <mutex>

#include <curl/curl.h>
#include <fmt/format.h>

namespace thurn::storage {

namespace {

constexpr std::size_t kMostOctets = std::size_t{1} << 20;

struct FreeCurl {
    void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
    void operator()(CURLU* url) const { curl_url_cleanup(url); }
    void operator()(char* text) const { curl_free(text); }
};
using CurlPtr = std::unique_ptr<CURL, FreeCurl>;
using UrlPtr = std::unique_ptr<CURLU, FreeCurl>;
using ListPtr = std::unique_ptr<curl_slist, FreeCurl>;
using TextPtr = std::unique_ptr<char, FreeCurl>;

struct Received {
    std::string body;
    bool too_long = false;
};

std::size_t take(char* octets, std::size_t, std::size_t count, void* into) {
    auto& received = *static_cast<Received*>(into);
    received.too_long = received.body.size() + count > kMostOctets;
    if (received.too_long) return 0;  // ends the transfer
    received.body.append(octets, count);
    return count;
}

std::string part_of(std::string_view url, CURLUPart part) {
    const UrlPtr parsed(curl_url());
    char* text = nullptr;
    if (!parsed || curl_url_set(parsed.get(), CURLUPART_URL, std::string(url).c_str(), 0) != CURLUE_OK) return {};
    if (curl_url_get(parsed.get(), part, &text, 0) != CURLUE_OK) return {};
    const TextPtr owned(text);
    return owned.get();
}

void ask_for(CURL* handle, const WebRequest& request, Received& received) {
    curl_easy_setopt(handle, CURLOPT_URL, request.url.c_str());
    curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(handle, CURLOPT_PROXY, "");
    curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(request.time_limit.count()));
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(handle, CURLOPT_WRITEDATA, &received);
    if (!request.ca_file.empty()) curl_easy_setopt(handle, CURLOPT_CAINFO, request.ca_file.c_str());
    if (!request.form.empty()) {
        curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE, static_cast<long>(request.form.size()));
        curl_easy_setopt(handle, CURLOPT_POSTFIELDS, request.form.data());
    }
    if (!request.user.empty()) {
        curl_easy_setopt(handle, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
        curl_easy_setopt(handle, CURLOPT_USERNAME, request.user.c_str());
        curl_easy_setopt(handle, CURLOPT_PASSWORD, request.password.c_str());
    }
}

}  // namespace

base::Result<WebAnswer> ask_web(const WebRequest& request) {
    static std::once_flag once;  // curl_easy_init() would do it, but not safely from several threads
    std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
    const CurlPtr handle(curl_easy_init());
    if (!handle) return base::fail(base::ErrorKind::full, "no memory to ask a web server");
    Received received;
    ask_for(handle.get(), request, received);
    const ListPtr fields(request.content_type.empty() ? nullptr
                                                      : curl_slist_append(nullptr, ("Content-Type: " + request.content_type).c_str()));
    if (fields) curl_easy_setopt(handle.get(), CURLOPT_HTTPHEADER, fields.get());
    const CURLcode code = curl_easy_perform(handle.get());
    const std::string server = part_of(request.url, CURLUPART_HOST);
    if (received.too_long) return base::fail(base::ErrorKind::too_long, fmt::format("{}: the answer is over 1 MiB", server));
    if (code == CURLE_OPERATION_TIMEDOUT) return base::fail(base::ErrorKind::timed_out, fmt::format("{}: no answer in time", server));
    if (code != CURLE_OK) return base::fail(base::ErrorKind::peer_gone, fmt::format("{}: {}", server, curl_easy_strerror(code)));
    WebAnswer answer{.body = std::move(received.body)};
    curl_easy_getinfo(handle.get(), CURLINFO_RESPONSE_CODE, &answer.status);
    return answer;
}

bool is_confidential(std::string_view url) {
    const auto scheme = part_of(url, CURLUPART_SCHEME);
    const auto host = part_of(url, CURLUPART_HOST);
    if (host.empty()) return false;
    return scheme == "https" || (scheme == "http" && (host == "127.0.0.1" || host == "[::1]" || host == "localhost"));
}

std::string escape_for_form(std::string_view text) {
    std::string escaped;
    for (const char c : text) {
        const bool plain =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || std::string_view("-._~").contains(c);
        if (plain)
            escaped += c;
        else
            escaped += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
    return escaped;
}

}  // namespace thurn::storage
