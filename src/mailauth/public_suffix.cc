#include "mailauth/public_suffix.h"

#include "base/utf8.h"

#include <cstdio>

#include <libpsl.h>

namespace thurn::mailauth {
namespace {

constexpr std::size_t kLongestName = 1024;  // U-labels take more octets than the 253 of their A-labels

struct FreeText {
    void operator()(char* text) const { psl_free_string(text); }
};
struct CloseFile {
    void operator()(std::FILE* file) const { std::fclose(file); }
};

}  // namespace

struct PublicSuffixList::Rules {
    const psl_ctx_t* built_in = nullptr;
    std::unique_ptr<psl_ctx_t, decltype(&psl_free)> own{nullptr, &psl_free};
    [[nodiscard]] const psl_ctx_t* get() const { return own ? own.get() : built_in; }
};

PublicSuffixList::PublicSuffixList(std::unique_ptr<Rules> rules) : rules_(std::move(rules)) {}
PublicSuffixList::~PublicSuffixList() = default;
PublicSuffixList::PublicSuffixList(PublicSuffixList&&) noexcept = default;
PublicSuffixList& PublicSuffixList::operator=(PublicSuffixList&&) noexcept = default;

PublicSuffixList PublicSuffixList::built_in() {
    auto rules = std::make_unique<Rules>();
    rules->built_in = psl_builtin();
    return PublicSuffixList(std::move(rules));
}

base::Result<PublicSuffixList> PublicSuffixList::parse(std::string_view list) {
    auto rules = std::make_unique<Rules>();
    if (!list.empty()) {
        std::string text(list);  // libpsl reads streams only; this one is memory
        const std::unique_ptr<std::FILE, CloseFile> stream(::fmemopen(text.data(), text.size(), "r"));
        if (stream) rules->own.reset(psl_load_fp(stream.get()));
    }
    if (!rules->own || psl_suffix_count(rules->own.get()) == 0)
        return base::fail(base::ErrorKind::syntax, "no rule in the public suffix list");
    return PublicSuffixList(std::move(rules));
}

std::optional<std::string> PublicSuffixList::registrable_domain(std::string_view domain) const {
    if (domain.ends_with('.')) domain.remove_suffix(1);
    if (domain.empty() || domain.front() == '.' || domain.size() > kLongestName || domain.contains("..")) return std::nullopt;
    if (domain.contains('\0') || !base::is_utf8(domain)) return std::nullopt;
    char* lowered = nullptr;
    const int code = psl_str_to_utf8lower(std::string(domain).c_str(), "utf-8", nullptr, &lowered);
    const std::unique_ptr<char, FreeText> owner(lowered);
    if (code != PSL_SUCCESS || lowered == nullptr) return std::nullopt;
    const char* const found = psl_registrable_domain(rules_->get(), lowered);
    if (found == nullptr) return std::nullopt;
    return std::string(found);
}

}  // namespace thurn::mailauth
