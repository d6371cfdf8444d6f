#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace thurn::mail {

/// `Content-Type`, `Content-Disposition` and their like as mail programs read them, which forgive nearly everything.
///
/// Idea     Who wants to pass by a filter writes what programs read in different ways: a parameter twice, in pieces that overlap, a quote that never
///          ends. So nothing is refused, and where there are several readings all of them are given: it is enough if one is bad.
/// Shape    `value` up to the first `;`, in lower case, without comments and white space. `parameters` in order, names in lower case, quotes undone.
/// Limits   Linear. 200 parameters; the rest is not read.
struct LooseField {
    struct Parameter {
        std::string name;
        std::string value;
    };
    std::string value;
    std::vector<Parameter> parameters;

    /// All values that a reader may take for the parameter, each once: as it stands, in RFC 2231's extended form, and put together from its pieces
    /// (RFC 2231 §3, §4).
    [[nodiscard]] std::vector<std::string> readings(std::string_view name) const;
    /// The same as texts in UTF-8, also with encoded words read (RFC 2047), as programs write and read them there.
    [[nodiscard]] std::vector<std::string> texts(std::string_view name) const;
};

[[nodiscard]] LooseField read_loosely(std::string_view field);

}  // namespace thurn::mail
