#include "mailauth/findings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace thurn::mailauth {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

SpfVerdict spf(SpfResult result, std::string domain, std::vector<SpfStep> path) {
    return {.result = result, .domain = std::move(domain), .path = std::move(path), .explanation = {}, .detail = {}};
}

dns::Answer answer_of(dns::Status status, std::vector<dns::Record> records, std::string detail = {}) {
    return {.status = status, .records = std::move(records), .canonical_name = {}, .detail = std::move(detail)};
}

Findings passed() {
    Findings findings;
    findings.asked = {
        .client = dns::Ipv4{{192, 0, 2, 1}}, .helo = "mx.a.example", .reverse_path = "anna@a.example", .receiver = "mx.here.example"};
    findings.origin.iprev = {.result = IprevResult::pass, .name = "mx.a.example"};
    findings.origin.helo = spf(SpfResult::none, "mx.a.example", {});
    findings.origin.mail_from = spf(SpfResult::pass, "a.example", {{"a.example", "include:b.example"}, {"b.example", "ip4:192.0.2.0/24"}});
    findings.origin.lookups = {{{"a.example", dns::Type::txt}, "\"v=spf1 include:b.example\""}};
    findings.signatures.dkim = {{.result = DkimResult::pass,
                                 .domain = "a.example",
                                 .selector = "s",
                                 .algorithm = "rsa-sha256",
                                 .identity = "@a.example",
                                 .b_prefix = "abcdefgh"},
                                {.result = DkimResult::fail,
                                 .reason = "body hash did not verify",
                                 .domain = "l.example",
                                 .selector = "t",
                                 .algorithm = "ed25519-sha256"}};
    findings.signatures.author.domain = "a.example";
    findings.dmarc = {.result = DmarcResult::pass,
                      .author_domain = "a.example",
                      .policy_domain = "a.example",
                      .record = parse_dmarc_record("v=DMARC1; p=reject"),
                      .policy = DmarcPolicy::reject,
                      .spf = {.domain = "a.example"}};
    return findings;
}

TEST(Findings, BecomeAuthenticationResults) {
    EXPECT_EQ(render_authentication_results(results_of(passed(), "mx.here.example")),
              "mx.here.example;\r\n\tiprev=pass (mx.a.example) policy.iprev=192.0.2.1;\r\n\tspf=none smtp.helo=mx.a.example;\r\n"
              "\tspf=pass smtp.mailfrom=anna@a.example;\r\n"
              "\tdkim=pass header.d=a.example header.i=@a.example header.s=s\r\n\theader.a=rsa-sha256 header.b=abcdefgh;\r\n"
              "\tdkim=fail reason=\"body hash did not verify\" header.d=l.example\r\n\theader.s=t header.a=ed25519-sha256;\r\n"
              "\tdmarc=pass (p=reject) header.from=a.example");
}

TEST(Findings, OfANullPathNameTheHelo) {
    auto findings = passed();
    findings.asked.reverse_path.clear();
    findings.origin.helo.reset();
    findings.signatures.dkim.clear();
    const auto text = render_authentication_results(results_of(findings, "mx.here.example"));
    EXPECT_THAT(text, HasSubstr("\tspf=pass smtp.helo=mx.a.example;\r\n\tdkim=none;"));
}

TEST(Findings, AreReadBackAsTheyWereWritten) {
    const auto results = results_of(passed(), "mx.here.example");
    auto read = parse_authentication_results(render_authentication_results(results));
    ASSERT_TRUE(read);
    ASSERT_EQ(read->results.size(), results.results.size());
    for (std::size_t i = 0; i < results.results.size(); ++i) EXPECT_EQ(read->results[i].properties, results.results[i].properties) << i;
}

TEST(Findings, AreToldToPeopleWithWhatWasAsked) {
    std::vector<std::string> lines;
    for (const auto& [what, detail] : tell(passed())) lines.push_back(what + ": " + detail);
    EXPECT_THAT(lines, ElementsAre("iprev: pass for 192.0.2.1 (mx.a.example)", "spf helo: none for mx.a.example",
                                   "spf: pass for anna@a.example: a.example include:b.example > b.example ip4:192.0.2.0/24",
                                   "asked: TXT a.example: \"v=spf1 include:b.example\"", "dkim: pass d=a.example s=s a=rsa-sha256",
                                   "dkim: fail d=l.example s=t a=ed25519-sha256 (body hash did not verify)", "arc: none",
                                   "dmarc: pass for a.example, policy reject of a.example, aligned by SPF with a.example"));
}

TEST(Findings, AskDmarcForWhoVouchesOrMightHave) {
    auto findings = passed();
    findings.signatures.dkim.push_back({.result = DkimResult::temperror, .domain = "t.example"});
    const auto request = dmarc_request(findings.origin, findings.signatures);
    EXPECT_EQ(request.author_domain, "a.example");
    ASSERT_EQ(request.spf.size(), 1U);
    ASSERT_EQ(request.dkim.size(), 2U) << "what failed vouches for nothing";
    EXPECT_EQ(request.dkim[1].standing, AuthenticatedDomain::Standing::temperror);
}

TEST(Summarize, KeepsItShort) {
    EXPECT_EQ(summarize(answer_of(dns::Status::ok, {dns::Text{std::string(1000, 'x')}})).size(), 200U);
    EXPECT_EQ(summarize(answer_of(dns::Status::no_name, {})), "no such name");
    EXPECT_EQ(summarize(answer_of(dns::Status::failed, {}, "timed out")), "failed: timed out");
    EXPECT_EQ(summarize(answer_of(dns::Status::ok, {dns::Mx{10, "mx.a.example"}, dns::Mx{0, ""}})), "10 mx.a.example, 0 .");
}

}  // namespace
}  // namespace thurn::mailauth
