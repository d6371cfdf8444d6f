#include "archive/sandbox.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <functional>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace thurn::archive {
namespace {

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif
#endif

/// How a process ended that did this in the sandbox.
int in_sandbox(const std::function<int()>& act) {
    const auto child = ::fork();
    if (child == 0) ::_exit(enter_sandbox({.memory = 64 << 20, .processor = std::chrono::seconds(2)}) ? act() : 99);
    int status = 0;
    ::waitpid(child, &status, 0);
    return status;
}

bool exited_with(int status, int code) { return WIFEXITED(status) && WEXITSTATUS(status) == code; }
bool killed_by(int status, int signal) { return WIFSIGNALED(status) && WTERMSIG(status) == signal; }

TEST(Sandbox, LetsNothingBeOpenedStartedOrAsked) {
    if (kSanitized) GTEST_SKIP() << "sanitizers need more than the sandbox allows";
    EXPECT_TRUE(exited_with(in_sandbox([] { return 7; }), 7)) << "it can end";
    EXPECT_TRUE(exited_with(in_sandbox([] { return ::open("/etc/passwd", O_RDONLY) < 0 && errno == EACCES ? 7 : 8; }), 7));
    EXPECT_TRUE(killed_by(in_sandbox([] { return ::socket(AF_INET, SOCK_STREAM, 0); }), SIGSYS));
    EXPECT_TRUE(killed_by(in_sandbox([] { return static_cast<int>(::fork()); }), SIGSYS));
    EXPECT_TRUE(killed_by(in_sandbox([] { return ::execl("/bin/true", "true", nullptr); }), SIGSYS));
    EXPECT_TRUE(killed_by(in_sandbox([] { return ::kill(::getppid(), 0); }), SIGSYS));
    EXPECT_TRUE(killed_by(in_sandbox([] { return ::unlink("/tmp/thurn-is-not-there"); }), SIGSYS));
}

TEST(Sandbox, GivesNoMoreMemoryAndTimeThanSaid) {
    if (kSanitized) GTEST_SKIP() << "sanitizers need more than the sandbox allows";
    const auto take_too_much = [] {
        void* const volatile block = std::malloc(100 << 20);  // else an optimizer takes it for granted
        return block == nullptr ? 7 : 8;
    };
    EXPECT_TRUE(exited_with(in_sandbox(take_too_much), 7));
    const auto status = in_sandbox([] {
        for (volatile unsigned i = 0;; i = i + 1) {}
        return 0;
    });
    EXPECT_TRUE(killed_by(status, SIGXCPU) || killed_by(status, SIGKILL));
}

}  // namespace
}  // namespace thurn::archive
