#pragma once

#include "base/guarded.h"
#include "base/log.h"

#include <string>
#include <vector>

#include <fmt/format.h>

namespace thurn::support {

/// Keeps its lines, as `event key=value …`.
class MemoryLog final : public base::Log {
public:
    void write(base::LogLevel, std::string_view event, std::initializer_list<base::LogField> fields) override {
        std::string line(event);
        for (const auto& field : fields)
            line += std::visit([&field](const auto& value) { return fmt::format(" {}={}", field.key, value); }, field.value);
        lines_.with([&line](auto& lines) { lines.push_back(std::move(line)); });
    }
    [[nodiscard]] std::vector<std::string> lines() const {
        return lines_.with([](const auto& lines) { return lines; });
    }

private:
    base::Guarded<std::vector<std::string>> lines_;
};

}  // namespace thurn::support
