// Counts what is on the heap, so that limits on memory are tested and not believed.
#include "support/server_driver.h"

#include <cstdlib>
#include <new>

#include <malloc.h>

namespace {
std::size_t heap_octets = 0;
}
#if __has_feature(thread_sanitizer)  // it has operators of its own
constexpr bool kHeapIsCounted = false;
#else
constexpr bool kHeapIsCounted = true;
void* operator new(std::size_t size) {
    void* block = std::malloc(size);
    if (!block) throw std::bad_alloc();
    heap_octets += malloc_usable_size(block);
    return block;
}
void operator delete(void* block) noexcept {
    heap_octets -= block ? malloc_usable_size(block) : 0;
    std::free(block);
}
void operator delete(void* block, std::size_t) noexcept { operator delete(block); }
#endif

namespace thurn::smtp {
namespace {

TEST(ServerMemory, HoldsUnderAKibibyteWhenIdle) {
    if (!kHeapIsCounted) GTEST_SKIP();
    const auto before = heap_octets;
    ServerDriver driver(options_with(TlsState::offered, AuthRule::offered));
    const auto driver_itself = heap_octets;
    driver.begin_content();
    driver.say(std::string(100000, 'x') + "\r\n.\r\nNOOP\r\n");
    std::string().swap(driver.content);
    static_cast<void>(driver.session.take_output());
    EXPECT_LT(driver_itself - before, 1024U);
    EXPECT_LT(heap_octets - before, 1280U);  // the driver keeps a list of its own
}

TEST(ServerMemory, NeverKeepsALineThatHasNoEnd) {
    if (!kHeapIsCounted) GTEST_SKIP();
    for (const std::string_view way :
         {"", "HELO a\r\n", "HELO a\r\nMAIL FROM:<a@b.example>\r\n", "EHLO a\r\nAUTH LOGIN\r\n", "EHLO a\r\nAUTH PLAIN "}) {
        auto options = options_with(TlsState::active, AuthRule::offered);
        ServerDriver driver(options);
        driver.say(way);
        const std::string piece(65536, 'A');
        const auto before = heap_octets;
        for (int count = 0; count < 16 * 15; ++count) {  // 15 MiB
            driver.say(piece);
            ASSERT_LT(heap_octets, before + options.auth_line + piece.size() / 4) << way;
        }
        EXPECT_FALSE(driver.session.closed());
        EXPECT_THAT(driver.say("\r\n"), StartsWith("500 ")) << way;
        EXPECT_THAT(driver.say("NOOP\r\n"), StartsWith("250 ")) << way;
    }
}

TEST(ServerMemory, CutsALineThatGoesOnForEver) {
    ServerDriver driver(plain_server());
    const std::string piece(1 << 20, 'A');
    for (int count = 0; count < 17; ++count) driver.say(piece);
    EXPECT_TRUE(driver.session.closed());
}

TEST(ServerMemory, KeepsNothingOfContentThatIsRefused) {
    if (!kHeapIsCounted) GTEST_SKIP();
    auto options = plain_server();
    options.message_size = {1000};
    ServerDriver driver(options);
    driver.begin_content();
    const std::string piece(65536, 'A');
    driver.say(piece);
    const auto before = heap_octets;
    for (int count = 0; count < 240; ++count) driver.say(piece);
    EXPECT_LE(heap_octets, before + 64);
    EXPECT_THAT(driver.say("\r\n.\r\n"), StartsWith("552 5.3.4 "));
}

TEST(ServerMemory, HoldsNothingOfManyTinyChunks) {
    auto options = with_chunks();
    options.commands = 2000000;
    ServerDriver driver(options);
    driver.say(kEnvelope);
    std::string many;
    for (int count = 0; count < 1000; ++count) many += "BDAT 1\r\nx";
    driver.say(many);
    const auto before = heap_octets;
    for (int count = 0; count < 1000; ++count) {  // a million
        driver.content.clear();
        driver.say(many);
    }
    EXPECT_LE(heap_octets, before + 64);
    EXPECT_THAT(driver.say("BDAT 0 LAST\r\n"), StartsWith("250 "));
}

}  // namespace
}  // namespace thurn::smtp
