#include "report/dmarc_aggregate.h"

#include "report/xml.h"

#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>

// The same few elements are written and read, so what is where stands once for both directions: render_… in the order of the schema, and
// a table of paths for the way back. RFC 7489's format differs in what it lacks and in a few words, not in the paths.

namespace thurn::report {
namespace {

using base::ErrorKind;
using base::fail;

constexpr std::size_t kItemsPerRecord = 10;

// --- writing ---------------------------------------------------------------------------------------------------------------------

class XmlText {
public:
    explicit XmlText(std::size_t depth) : depth_(depth) {}

    void leaf(std::string_view name, std::string_view text) { line(fmt::format("<{0}>{1}</{0}>", name, escape_xml(text))); }
    void leaf_if_said(std::string_view name, std::string_view text) {
        if (!text.empty()) leaf(name, text);
    }
    /// The element with what `inside` writes.
    template <class Inside>
    void element(std::string_view name, Inside&& inside) {
        line(fmt::format("<{}>", name));
        ++depth_;
        inside();
        --depth_;
        line(fmt::format("</{}>", name));
    }
    void add(std::string_view lines) { text_ += lines; }
    [[nodiscard]] std::string take() { return std::move(text_); }

private:
    void line(std::string_view text) { text_.append(2 * depth_, ' ').append(text) += '\n'; }
    std::string text_;
    std::size_t depth_;
};

void render_metadata(const DmarcReportMetadata& metadata, XmlText& xml) {
    xml.element("report_metadata", [&] {
        xml.leaf("org_name", metadata.org_name);
        xml.leaf("email", metadata.email);
        xml.leaf_if_said("extra_contact_info", metadata.extra_contact_info);
        xml.leaf("report_id", metadata.report_id);
        xml.element("date_range", [&] {
            xml.leaf("begin", fmt::to_string(metadata.date_range.begin));
            xml.leaf("end", fmt::to_string(metadata.date_range.end));
        });
        for (const auto& error : metadata.errors) xml.leaf("error", error);
        xml.leaf_if_said("generator", metadata.generator);
    });
}

void render_row(const DmarcReportRecord& record, XmlText& xml) {
    xml.element("row", [&] {
        xml.leaf("source_ip", record.source_ip);
        xml.leaf("count", fmt::to_string(record.count));
        xml.element("policy_evaluated", [&] {
            xml.leaf("disposition", record.disposition);
            xml.leaf("dkim", record.dkim);
            xml.leaf("spf", record.spf);
            for (const auto& reason : record.reasons)
                xml.element("reason", [&] {
                    xml.leaf("type", reason.type);
                    xml.leaf_if_said("comment", reason.comment);
                });
        });
    });
}

void render_results(const DmarcReportRecord& record, XmlText& xml) {
    xml.element("auth_results", [&] {
        for (const auto& dkim : record.dkim_results)
            xml.element("dkim", [&] {
                xml.leaf("domain", dkim.domain);
                xml.leaf_if_said("selector", dkim.selector);
                xml.leaf("result", dkim.result);
                xml.leaf_if_said("human_result", dkim.human_result);
            });
        for (const auto& spf : record.spf_results)
            xml.element("spf", [&] {
                xml.leaf("domain", spf.domain);
                xml.leaf_if_said("scope", spf.scope);
                xml.leaf("result", spf.result);
                xml.leaf_if_said("human_result", spf.human_result);
            });
    });
}

// --- reading ---------------------------------------------------------------------------------------------------------------------

template <class Owner>
struct Place {
    std::string_view path;
    std::string Owner::* member;
};

constexpr std::array kMetadataPlaces{
    Place<DmarcReportMetadata>{"feedback/report_metadata/org_name", &DmarcReportMetadata::org_name},
    Place<DmarcReportMetadata>{"feedback/report_metadata/email", &DmarcReportMetadata::email},
    Place<DmarcReportMetadata>{"feedback/report_metadata/extra_contact_info", &DmarcReportMetadata::extra_contact_info},
    Place<DmarcReportMetadata>{"feedback/report_metadata/report_id", &DmarcReportMetadata::report_id},
    Place<DmarcReportMetadata>{"feedback/report_metadata/generator", &DmarcReportMetadata::generator},
};
constexpr std::array kPolicyPlaces{
    Place<DmarcPolicyPublished>{"feedback/policy_published/domain", &DmarcPolicyPublished::domain},
    Place<DmarcPolicyPublished>{"feedback/policy_published/discovery_method", &DmarcPolicyPublished::discovery_method},
    Place<DmarcPolicyPublished>{"feedback/policy_published/p", &DmarcPolicyPublished::p},
    Place<DmarcPolicyPublished>{"feedback/policy_published/sp", &DmarcPolicyPublished::sp},
    Place<DmarcPolicyPublished>{"feedback/policy_published/np", &DmarcPolicyPublished::np},
    Place<DmarcPolicyPublished>{"feedback/policy_published/fo", &DmarcPolicyPublished::fo},
    Place<DmarcPolicyPublished>{"feedback/policy_published/adkim", &DmarcPolicyPublished::adkim},
    Place<DmarcPolicyPublished>{"feedback/policy_published/aspf", &DmarcPolicyPublished::aspf},
    Place<DmarcPolicyPublished>{"feedback/policy_published/testing", &DmarcPolicyPublished::testing},
};
// `identities` is what some write who followed an early draft.
constexpr std::array kRecordPlaces{
    Place<DmarcReportRecord>{"feedback/record/row/source_ip", &DmarcReportRecord::source_ip},
    Place<DmarcReportRecord>{"feedback/record/row/policy_evaluated/disposition", &DmarcReportRecord::disposition},
    Place<DmarcReportRecord>{"feedback/record/row/policy_evaluated/dkim", &DmarcReportRecord::dkim},
    Place<DmarcReportRecord>{"feedback/record/row/policy_evaluated/spf", &DmarcReportRecord::spf},
    Place<DmarcReportRecord>{"feedback/record/identifiers/header_from", &DmarcReportRecord::header_from},
    Place<DmarcReportRecord>{"feedback/record/identifiers/envelope_from", &DmarcReportRecord::envelope_from},
    Place<DmarcReportRecord>{"feedback/record/identifiers/envelope_to", &DmarcReportRecord::envelope_to},
    Place<DmarcReportRecord>{"feedback/record/identities/header_from", &DmarcReportRecord::header_from},
    Place<DmarcReportRecord>{"feedback/record/identities/envelope_from", &DmarcReportRecord::envelope_from},
    Place<DmarcReportRecord>{"feedback/record/identities/envelope_to", &DmarcReportRecord::envelope_to},
};
constexpr std::array kReasonPlaces{
    Place<DmarcOverrideReason>{"feedback/record/row/policy_evaluated/reason/type", &DmarcOverrideReason::type},
    Place<DmarcOverrideReason>{"feedback/record/row/policy_evaluated/reason/comment", &DmarcOverrideReason::comment},
};
constexpr std::array kDkimPlaces{
    Place<DmarcDkimResult>{"feedback/record/auth_results/dkim/domain", &DmarcDkimResult::domain},
    Place<DmarcDkimResult>{"feedback/record/auth_results/dkim/selector", &DmarcDkimResult::selector},
    Place<DmarcDkimResult>{"feedback/record/auth_results/dkim/result", &DmarcDkimResult::result},
    Place<DmarcDkimResult>{"feedback/record/auth_results/dkim/human_result", &DmarcDkimResult::human_result},
};
constexpr std::array kSpfPlaces{
    Place<DmarcSpfResult>{"feedback/record/auth_results/spf/domain", &DmarcSpfResult::domain},
    Place<DmarcSpfResult>{"feedback/record/auth_results/spf/scope", &DmarcSpfResult::scope},
    Place<DmarcSpfResult>{"feedback/record/auth_results/spf/result", &DmarcSpfResult::result},
    Place<DmarcSpfResult>{"feedback/record/auth_results/spf/human_result", &DmarcSpfResult::human_result},
};

/// A number that is none counts as 0.
template <class Number>
Number number_of(std::string_view text) {
    Number number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc() && end == text.data() + text.size() ? number : 0;
}

class AggregateListener : public XmlListener {
public:
    explicit AggregateListener(const DmarcAggregateLimits& limits)
        : records_left_(limits.records), items_left_(limits.records * kItemsPerRecord) {}

    bool element_begins(std::string_view path) override {
        if (!path.contains('/')) is_feedback_ = path == "feedback";
        if (path == "feedback/record") return begin(report_.records, records_left_);
        if (path == "feedback/report_metadata/error") return begin(report_.metadata.errors, items_left_);
        // Every path below has a record above it.
        if (path == "feedback/record/row/policy_evaluated/reason") return begin(record().reasons, items_left_);
        if (path == "feedback/record/auth_results/dkim") return begin(record().dkim_results, items_left_);
        if (path == "feedback/record/auth_results/spf") return begin(record().spf_results, items_left_);
        return true;
    }

    void element_ends(std::string_view path, std::string_view text) override {
        if (path == "feedback/version") report_.version = text;
        if (path == "feedback/report_metadata/error") report_.metadata.errors.back() = text;
        if (path == "feedback/report_metadata/date_range/begin") report_.metadata.date_range.begin = number_of<std::int64_t>(text);
        if (path == "feedback/report_metadata/date_range/end") report_.metadata.date_range.end = number_of<std::int64_t>(text);
        if (path == "feedback/record/row/count") record().count = number_of<std::uint64_t>(text);
        put(kMetadataPlaces, path, text, report_.metadata);
        put(kPolicyPlaces, path, text, report_.policy);
        put_last(kReasonPlaces, path, text, &DmarcReportRecord::reasons);
        put_last(kDkimPlaces, path, text, &DmarcReportRecord::dkim_results);
        put_last(kSpfPlaces, path, text, &DmarcReportRecord::spf_results);
        if (path.starts_with("feedback/record/")) put(kRecordPlaces, path, text, record());
    }

    [[nodiscard]] bool is_feedback() const { return is_feedback_; }
    [[nodiscard]] DmarcAggregate take() { return std::move(report_); }

private:
    DmarcReportRecord& record() { return report_.records.back(); }

    template <class Item>
    static bool begin(std::vector<Item>& items, std::size_t& left) {
        if (left == 0) return false;
        --left;
        items.emplace_back();
        return true;
    }
    template <class Places, class Owner>
    static bool put(const Places& places, std::string_view path, std::string_view text, Owner& owner) {
        const auto place = std::ranges::find_if(places, [&](const auto& each) { return each.path == path; });
        if (place == places.end()) return false;
        owner.*(place->member) = text;
        return true;
    }
    template <class Places, class Item>
    void put_last(const Places& places, std::string_view path, std::string_view text, std::vector<Item> DmarcReportRecord::* items) {
        if (std::ranges::any_of(places, [&](const auto& each) { return each.path == path; }))
            put(places, path, text, (record().*items).back());
    }

    DmarcAggregate report_;
    std::size_t records_left_;
    std::size_t items_left_;
    bool is_feedback_ = false;
};

}  // namespace

std::string render_dmarc_policy(const DmarcPolicyPublished& policy) {
    XmlText xml(1);
    xml.element("policy_published", [&] {
        xml.leaf("domain", policy.domain);
        xml.leaf_if_said("discovery_method", policy.discovery_method);
        xml.leaf_if_said("p", policy.p);
        xml.leaf_if_said("sp", policy.sp);
        xml.leaf_if_said("np", policy.np);
        xml.leaf_if_said("fo", policy.fo);
        xml.leaf_if_said("adkim", policy.adkim);
        xml.leaf_if_said("aspf", policy.aspf);
        xml.leaf_if_said("testing", policy.testing);
    });
    return xml.take();
}

std::string render_dmarc_record(const DmarcReportRecord& record) {
    XmlText xml(1);
    xml.element("record", [&] {
        render_row(record, xml);
        xml.element("identifiers", [&] {
            xml.leaf("header_from", record.header_from);
            xml.leaf_if_said("envelope_from", record.envelope_from);
            xml.leaf_if_said("envelope_to", record.envelope_to);
        });
        render_results(record, xml);
    });
    return xml.take();
}

std::string render_dmarc_aggregate(const DmarcAggregate& report) {
    XmlText xml(1);
    xml.leaf_if_said("version", report.version);
    render_metadata(report.metadata, xml);
    xml.add(render_dmarc_policy(report.policy));
    for (const auto& record : report.records) xml.add(render_dmarc_record(record));
    return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<feedback xmlns=\"urn:ietf:params:xml:ns:dmarc-2.0\">\n" + xml.take() +
           "</feedback>\n";
}

base::Result<DmarcAggregate> parse_dmarc_aggregate(std::string_view octets, const DmarcAggregateLimits& limits) {
    if (octets.size() > limits.size.count)
        return fail(ErrorKind::too_long, "the report is larger than " + base::render_octets(limits.size));
    AggregateListener listener(limits);
    if (auto read = read_xml(octets, {.depth = limits.depth, .text = limits.text}, listener); !read) return base::pass_on(read);
    if (!listener.is_feedback()) return fail(ErrorKind::syntax, "XML, but no DMARC report: its root is not <feedback>");
    auto report = listener.take();
    if (report.policy.domain.empty()) return fail(ErrorKind::invalid, "a DMARC report without a policy domain");
    return report;
}

}  // namespace thurn::report
