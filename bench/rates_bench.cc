// What a rate costs: nanoseconds of CPU for each take() with so many buckets in the table, and the table's memory.
//     rates_bench [TAKES]
#include "policy/token_buckets.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <thread>
#include <vector>

using namespace thurn;
using namespace thurn::policy;

namespace {

constexpr base::Time kStart{std::chrono::days(20000)};
constexpr Limit kLimit{500, std::chrono::hours(1)};

/// Of CPU, all threads together: what else the machine does counts less.
double seconds_now() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

std::vector<std::vector<std::string>> names(std::size_t count) {
    std::vector<std::vector<std::string>> result;
    for (std::size_t i = 0; i < count; ++i)
        result.push_back({"user" + std::to_string(i) + "@example.com", "192.0.2." + std::to_string(i % 256)});
    return result;
}

/// Each thread in an order of its own, so that they meet in the table.
void take_all(TokenBuckets& buckets, const std::vector<std::vector<std::string>>& of, int takes, std::size_t stride) {
    std::size_t at = 0;
    for (int i = 0; i < takes; ++i) {
        buckets.take("messages", of[at], 1, kLimit, kStart);
        at = (at + stride) % of.size();
    }
}

void measure(std::size_t keys, int takes) {
    TokenBuckets buckets({.capacity = 1'000'000, .seed = 42});
    const auto of = names(keys);
    take_all(buckets, of, static_cast<int>(keys), 1);
    const auto alone = seconds_now();
    take_all(buckets, of, takes, 7919);
    const auto together = seconds_now();
    {
        std::jthread other([&] { take_all(buckets, of, takes, 104729); });
        take_all(buckets, of, takes, 7919);
    }
    const auto end = seconds_now();
    const auto snapshot = buckets.snapshot(kStart);
    const auto written = seconds_now();
    std::printf("%8zu keys %6.1f ns a take, %6.1f with two threads; %5.1f MiB of memory, %5.1f MiB saved in %.0f ms\n", buckets.size(),
                (together - alone) * 1e9 / takes, (end - together) * 1e9 / takes / 2, static_cast<double>(buckets.octets()) / (1 << 20),
                static_cast<double>(snapshot.size()) / (1 << 20), (written - end) * 1e3);
}

}  // namespace

int main(int argc, char** argv) {
    const int takes = argc > 1 ? std::max(std::atoi(argv[1]), 1) : 3'000'000;
    for (const std::size_t keys : {1000U, 100'000U, 1'000'000U}) measure(keys, takes);
    return 0;
}
