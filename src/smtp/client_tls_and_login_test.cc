#include "support/client_dialogue.h"

namespace thurn::smtp {
namespace {

TEST(ClientTlsAndLogin, StartsTlsAndForgetsWhatWasSaidInClear) {
    ClientDialogue dialogue({.hello_name = "me.example", .starttls = StartTls::may});
    dialogue.exchange("220 there\r\n");
    EXPECT_EQ(dialogue.exchange("250-there\r\n250-PIPELINING\r\n250 STARTTLS\r\n"), "STARTTLS\r\n");
    EXPECT_EQ(dialogue.exchange("220 2.0.0 go\r\n"), "");
    dialogue.take<ClientTlsWanted>();
    dialogue.session.tls_started();
    EXPECT_EQ(dialogue.pump(), "EHLO me.example\r\n");
    dialogue.exchange("250 there\r\n");
    EXPECT_FALSE(dialogue.take<Ready>().extensions.pipelining);
}

TEST(ClientTlsAndLogin, FailsOnPlaintextBehindTheAnswerToStartTls) {
    for (const bool at_once : {true, false}) {
        ClientDialogue dialogue({.hello_name = "me.example", .starttls = StartTls::may});
        dialogue.exchange("220 there\r\n");
        dialogue.exchange("250-there\r\n250 STARTTLS\r\n");
        const std::string_view injected = "250 injected\r\n";
        dialogue.exchange(std::string("220 go\r\n") + std::string(at_once ? injected : ""));
        if (!at_once) {
            dialogue.take<ClientTlsWanted>();
            dialogue.exchange(injected);
        }
        EXPECT_EQ(dialogue.take<ClientFailed>().error.kind, base::ErrorKind::invalid);
        EXPECT_TRUE(dialogue.session.closed());
    }
}

TEST(ClientTlsAndLogin, GoesOnInClearWhenStartTlsIsRefusedAndOnlyWished) {
    ClientDialogue dialogue({.hello_name = "me.example", .starttls = StartTls::may});
    dialogue.exchange("220 there\r\n");
    dialogue.exchange("250-there\r\n250 STARTTLS\r\n");
    dialogue.exchange("454 4.7.0 no\r\n");
    dialogue.take<Ready>();
}

TEST(ClientTlsAndLogin, FailsWithoutTlsThatIsDemanded) {
    ClientDialogue refused({.hello_name = "me.example", .starttls = StartTls::must});
    refused.exchange("220 there\r\n");
    refused.exchange("250-there\r\n250 STARTTLS\r\n");
    refused.exchange("454 4.7.0 no\r\n");
    EXPECT_EQ(refused.take<ClientFailed>().reply->code, 454);
    ClientDialogue missing({.hello_name = "me.example", .starttls = StartTls::must});
    missing.exchange("220 there\r\n");
    missing.exchange("250 there\r\n");
    EXPECT_EQ(missing.take<ClientFailed>().error.kind, base::ErrorKind::refused);
}

ClientOptions with_login() {
    return {.hello_name = "me.example", .starttls = StartTls::never, .tls_active = true, .credentials = ClientCredentials{"joe", "secret"}};
}

TEST(ClientTlsAndLogin, LogsInWithPlain) {
    ClientDialogue dialogue(with_login());
    dialogue.exchange("220 there\r\n");
    EXPECT_EQ(dialogue.exchange("250-there\r\n250 AUTH LOGIN PLAIN\r\n"), "AUTH PLAIN AGpvZQBzZWNyZXQ=\r\n");
    dialogue.exchange("235 2.7.0 ok\r\n");
    dialogue.take<Ready>();
}

TEST(ClientTlsAndLogin, LogsInWithLogin) {
    ClientDialogue dialogue(with_login());
    dialogue.exchange("220 there\r\n");
    EXPECT_EQ(dialogue.exchange("250-there\r\n250 AUTH=login\r\n"), "AUTH LOGIN\r\n");
    EXPECT_EQ(dialogue.exchange("334 VXNlcm5hbWU6\r\n"), "am9l\r\n");
    EXPECT_EQ(dialogue.exchange("334 UGFzc3dvcmQ6\r\n"), "c2VjcmV0\r\n");
    dialogue.exchange("235 2.7.0 ok\r\n");
    dialogue.take<Ready>();
}

TEST(ClientTlsAndLogin, CancelsAChallengeItCannotAnswer) {
    ClientDialogue dialogue(with_login());
    dialogue.exchange("220 there\r\n");
    dialogue.exchange("250-there\r\n250 AUTH PLAIN\r\n");
    EXPECT_EQ(dialogue.exchange("334 %%%\r\n"), "*\r\n");
    dialogue.exchange("501 cancelled\r\n");
    EXPECT_EQ(dialogue.take<ClientFailed>().reply->code, 501);
}

TEST(ClientTlsAndLogin, FailsWhenTheLoginIsRefusedNotOfferedOrInClear) {
    ClientDialogue wrong(with_login());
    wrong.exchange("220 there\r\n");
    wrong.exchange("250-there\r\n250 AUTH PLAIN\r\n");
    wrong.exchange("535 5.7.8 wrong\r\n");
    EXPECT_EQ(wrong.take<ClientFailed>().reply->code, 535);
    ClientDialogue missing(with_login());
    missing.exchange("220 there\r\n");
    missing.exchange("250-there\r\n250 AUTH SCRAM-SHA-1\r\n");
    EXPECT_EQ(missing.take<ClientFailed>().error.kind, base::ErrorKind::refused);
    auto options = with_login();
    options.tls_active = false;
    ClientDialogue clear(options);
    clear.exchange("220 there\r\n");
    EXPECT_EQ(clear.exchange("250-there\r\n250 AUTH PLAIN\r\n"), "");
    EXPECT_EQ(clear.take<ClientFailed>().error.kind, base::ErrorKind::refused);
}

}  // namespace
}  // namespace thurn::smtp
