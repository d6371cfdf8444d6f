#include "app/command.h"
#include "archive/reader.h"

#include <span>
#include <string_view>

int main(int argc, char** argv) {
    const std::span arguments(argv, static_cast<std::size_t>(argc));
    if (argc > 1 && std::string_view(argv[1]) == thurn::archive::kReaderWord) return thurn::archive::run_reader(arguments.subspan(2));
    return thurn::app::run_command_line(argc, argv);
}
