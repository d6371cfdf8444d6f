#include "mailauth/dkim_publication.h"

#include "base/base64.h"
#include "mailauth/dkim_key.h"

#include <gtest/gtest.h>

namespace thurn::mailauth {
namespace {

using dns::Answer;
using dns::Status;

const PrivateKey& rsa_key() {
    static const auto key = PrivateKey::generate(KeyType::rsa);
    return key;
}

Answer nothing(Status status) {
    Answer answer;
    answer.status = status;
    return answer;
}

Answer texts(const std::vector<std::string>& texts) {
    Answer answer = nothing(Status::ok);
    for (const auto& text : texts) answer.records.emplace_back(dns::Text{text});
    return answer;
}

Publication compared(const PrivateKey& key, const Answer& answer) { return compare_publication(key, answer).what; }

TEST(DkimPublication, IsThereWhenTheRecordHasOurKey) {
    const auto ed = PrivateKey::generate(KeyType::ed25519);
    EXPECT_EQ(compared(rsa_key(), texts({render_dkim_key_record(rsa_key())})), Publication::published);
    EXPECT_EQ(compared(ed, texts({render_dkim_key_record(ed)})), Publication::published);
    EXPECT_EQ(compared(rsa_key(), texts({"p=" + base::encode_base64(rsa_key().public_key()) + "; t=y"})), Publication::published);
    EXPECT_NE(compare_publication(rsa_key(), texts({render_dkim_key_record(rsa_key()) + "; t=y"})).detail, "");
}

TEST(DkimPublication, KnowsTheShortFormOfAnRsaKey) {
    const std::string shorter = rsa_key().public_key().substr(24);  // without the AlgorithmIdentifier
    ASSERT_TRUE(PublicKey::read(KeyType::rsa, shorter));
    EXPECT_EQ(compared(rsa_key(), texts({"v=DKIM1; p=" + base::encode_base64(shorter)})), Publication::published);
    EXPECT_EQ(compared(rsa_key(), texts({"v=DKIM1; p=" + base::encode_base64(shorter.substr(8))})), Publication::different);
}

TEST(DkimPublication, TellsWhatElseIsThere) {
    const auto other = render_dkim_key_record(PrivateKey::generate(KeyType::rsa));
    const auto ours = render_dkim_key_record(rsa_key());
    EXPECT_EQ(compared(rsa_key(), texts({other})), Publication::different);
    EXPECT_EQ(compared(rsa_key(), texts({render_dkim_key_record(PrivateKey::generate(KeyType::ed25519))})), Publication::different);
    EXPECT_EQ(compared(rsa_key(), texts({"v=DKIM1; p="})), Publication::revoked);
    EXPECT_EQ(compared(rsa_key(), texts({"v=spf1 -all"})), Publication::malformed);
    EXPECT_EQ(compared(rsa_key(), texts({ours + "; s=tlsrpt"})), Publication::malformed);
    EXPECT_EQ(compared(rsa_key(), texts({ours, other})), Publication::several);
    EXPECT_EQ(compared(rsa_key(), nothing(Status::no_name)), Publication::missing);
    EXPECT_EQ(compared(rsa_key(), nothing(Status::no_data)), Publication::missing);
    EXPECT_EQ(compared(rsa_key(), nothing(Status::failed)), Publication::unknown);
    EXPECT_EQ(compared(rsa_key(), nothing(Status::bogus)), Publication::unknown);
}

}  // namespace
}  // namespace thurn::mailauth
