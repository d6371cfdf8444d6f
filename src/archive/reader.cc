#include "archive/reader.h"

#include "archive/lister.h"

#include <charconv>
#include <clocale>
#include <cstring>
#include <new>

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

namespace thurn::archive {

namespace {

enum Exit : int { all_listed = 0, wrong_call = 2, no_memory = 3, not_locked_in = 4 };

constexpr std::size_t kBuffered = std::size_t{32} << 10;

/// Standard input as a file; nothing when it is none.
std::optional<std::string_view> map_input() {
    struct stat facts{};
    if (::fstat(STDIN_FILENO, &facts) != 0 || !S_ISREG(facts.st_mode)) return std::nullopt;
    const auto size = static_cast<std::size_t>(facts.st_size);
    if (size == 0) return std::string_view();
    const auto* mapped = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, STDIN_FILENO, 0);
    if (mapped == MAP_FAILED) return std::nullopt;
    return std::string_view(static_cast<const char*>(mapped), size);
}

/// Standard output; whoever reads it no more will kill us anyway.
class Output {
public:
    void write(std::string_view text) {
        buffered_ += text;
        if (buffered_.size() > kBuffered) flush();
    }
    void flush() {
        std::string_view rest = buffered_;
        while (!rest.empty()) {
            const auto count = ::write(STDOUT_FILENO, rest.data(), rest.size());
            if (count <= 0) break;
            rest.remove_prefix(static_cast<std::size_t>(count));
        }
        buffered_.clear();
    }

private:
    std::string buffered_;
};

bool list_all(std::string_view input, Lister& lister) {
    for (std::size_t archive = 0; !input.empty(); ++archive) {
        FrameHead head{};
        if (input.size() < sizeof head) return false;
        std::memcpy(&head, input.data(), sizeof head);
        input.remove_prefix(sizeof head);
        if (head.name_length > input.size() || head.length > input.size() - head.name_length) return false;
        const std::string name(input.substr(0, head.name_length));
        lister.list(archive, name, input.substr(head.name_length, head.length));
        input.remove_prefix(head.name_length + head.length);
    }
    return true;
}

int list_input(std::string_view input, const ReaderOptions& options) {
    Output output;
    output.write(scan::kListingHead);
    Lister lister(options.archives, [&](std::string_view line) { output.write(line); });
    const bool all = list_all(input, lister);
    if (all) output.write(scan::kListingEnd);
    output.flush();
    return all ? all_listed : wrong_call;
}

}  // namespace

std::vector<std::string> render_arguments(const ReaderOptions& options) {
    return {std::string(kReaderWord),
            std::to_string(options.archives.depth),
            std::to_string(options.archives.entries),
            std::to_string(options.archives.unpacked),
            std::to_string(options.archives.ratio),
            std::to_string(options.sandbox.memory),
            std::to_string(options.sandbox.processor.count())};
}

std::optional<ReaderOptions> parse_arguments(std::span<char* const> arguments) {
    if (arguments.size() != 6) return std::nullopt;
    std::uint64_t numbers[6];
    for (std::size_t i = 0; i < 6; ++i) {
        const std::string_view text = arguments[i];
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), numbers[i]);
        if (error != std::errc() || end != text.data() + text.size() || numbers[i] == 0) return std::nullopt;
    }
    return ReaderOptions{.archives = {.depth = numbers[0], .entries = numbers[1], .unpacked = numbers[2], .ratio = numbers[3]},
                         .sandbox = {.memory = numbers[4], .processor = std::chrono::seconds(numbers[5])}};
}

int run_reader(std::span<char* const> arguments) {
    ::close_range(STDERR_FILENO + 1, ~0U, 0);
    const auto options = parse_arguments(arguments);
    const auto input = map_input();
    if (!options || !input) return wrong_call;
    std::setlocale(LC_CTYPE, "C.UTF-8");  // else names in UTF-8 would not be read
    ::setpriority(PRIO_PROCESS, 0, 19);   // strangers decide how much there is to do: the server's own work comes first
    if (!enter_sandbox(options->sandbox)) return not_locked_in;
    try {
        ::_exit(list_input(*input, *options));
    } catch (const std::bad_alloc&) {
        ::_exit(no_memory);
    }
}

}  // namespace thurn::archive
