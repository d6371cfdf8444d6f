#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>

namespace thurn::app {

/// Lines of standard input, without their line ends.
class InputLines {
public:
    /// Waits for a line; nothing at the end of input.
    [[nodiscard]] std::optional<std::string> next();
    /// Whether next() would not have to wait.
    [[nodiscard]] bool ready();

private:
    bool fill();
    std::string buffer_;
    bool ended_ = false;
};

/// A JSON object from standard input, or why there is none.
struct InputObject {
    boost::json::object object{};
    std::string problem{};
};

/// JSON objects of standard input, each in a line of its own or over several.
class InputObjects {
public:
    /// Waits for one, and gives all that are there then, at most `most`. Empty at the end of input.
    [[nodiscard]] std::vector<InputObject> next_batch(std::size_t most);

private:
    std::optional<InputObject> next();
    InputLines lines_;
    std::size_t number_ = 0;
};

/// The text of that key; empty if it is missing or no text.
[[nodiscard]] std::string text_of(const boost::json::object& object, std::string_view key);
/// `id` as it was given, null if there is none.
[[nodiscard]] boost::json::value id_of(const boost::json::object& object);

}  // namespace thurn::app
