#include "mailauth/arc_seal.h"

#include <cassert>

namespace thurn::mailauth {
namespace {

constexpr BodyHash kBody{.canonicalization = Canonicalization::relaxed};

std::string algorithm_of(const PrivateKey& key) { return std::string(name_of(key.type())) + "-sha256"; }

std::string_view without_line_end(std::string_view field) { return field.substr(0, field.size() - 2); }

}  // namespace

std::vector<std::string> default_arc_fields() {
    auto fields = default_signed_fields();
    fields.emplace_back("dkim-signature");
    return fields;
}

ArcSealer::ArcSealer(const MessageHeader& header, const PrivateKey& key, BodyHasher& hasher, ArcSealOptions options)
    : header_(header), key_(key), hasher_(hasher), options_(std::move(options)) {
    hasher.want(kBody);
}

base::Result<std::string> ArcSealer::seal(const ArcVerdict& chain, std::string_view results) const {
    assert(hasher_.finished());
    if (auto well = check_signable(header_); !well) return base::pass_on(well);
    const auto names = parse_signer(options_.domain, options_.selector);
    if (!names) return std::unexpected(names.error());
    if (chain.ended) return base::fail(base::ErrorKind::invalid, "the chain has ended with a seal that says so");
    if (chain.instance >= kMaxArcSets) return base::fail(base::ErrorKind::invalid, "the chain has 50 sets, and may have no more");
    const unsigned instance = chain.instance + 1;
    const std::string results_field = "ARC-Authentication-Results: i=" + std::to_string(instance) + "; " + std::string(results) + "\r\n";
    const std::string signature = render_message_signature(instance, names->domain, names->selector);
    return render_seal(instance, names->domain, names->selector, chain.result, results_field, signature) + signature + results_field;
}

std::string ArcSealer::render_message_signature(unsigned instance, const std::string& domain, const std::string& selector) const {
    const Signature signature{.header = Canonicalization::relaxed, .fields = choose_fields(header_, options_.fields, options_.oversigned)};
    TagWriter field("ARC-Message-Signature");
    field.put("i", std::to_string(instance));
    field.put("a", algorithm_of(key_));
    field.put("c", "relaxed/relaxed");
    field.put("d", domain);
    field.put("s", selector);
    field.put("t", std::to_string(options_.now.count()));
    field.put_list("h", signature.fields);
    field.put_base64("bh", hasher_.digest(kBody));
    const std::string digest = new_header_digest(header_, field.unsigned_field(), signature);
    return field.finish(key_.sign(digest));
}

std::string ArcSealer::render_seal(unsigned instance, const std::string& domain, const std::string& selector, ArcResult chain,
                                   std::string_view results, std::string_view message_signature) const {
    TagWriter field("ARC-Seal");
    field.put("i", std::to_string(instance));
    field.put("a", algorithm_of(key_));
    field.put("t", std::to_string(options_.now.count()));
    field.put("cv", name_of(chain));
    field.put("d", domain);
    field.put("s", selector);
    std::vector<std::string_view> raw;
    const auto sets = collect_arc_sets(header_);
    // RFC 8617 §5.1.2: the seal of a chain that failed covers its own set only.
    if (chain != ArcResult::fail && sets)
        for (const auto& set : *sets)
            for (const std::size_t each : {set.results, set.message_signature, set.seal}) raw.push_back(header_.raw(each));
    const std::string seal = field.unsigned_field();
    raw.insert(raw.end(), {without_line_end(results), without_line_end(message_signature), seal});
    return field.finish(key_.sign(arc_seal_digest(raw)));
}

}  // namespace thurn::mailauth
