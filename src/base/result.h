#pragma once

#include <expected>
#include <string>
#include <utility>

namespace thurn::base {

/// Whose fault a failure is; code branches on this, and one function maps it to 4yz or 5yz.
enum class ErrorKind {
    syntax,     // the input breaks its grammar
    too_long,   // the input is longer than a named limit
    invalid,    // well-formed, but not allowed here
    not_found,  // what was asked for does not exist
    exists,     // what was to be made exists already
    peer_gone,  // the other side closed or reset the connection, or never was there
    timed_out,  // the other side was silent
    refused,    // the other side, or the system, said no
    full,       // the disk, or a bounded queue, has no room
    disk,       // the disk failed
    corrupt,    // stored data is not what was written
    stopping,   // we are shutting down
};

/// Why something failed, as a value.
///
/// Shape    `detail` is for people: it names what and where. It never holds secrets or raw peer octets.
/// Threads  A plain value.
struct Error {
    ErrorKind kind;
    std::string detail;
    friend bool operator==(const Error&, const Error&) = default;
};

template <class T>
using Result = std::expected<T, Error>;

[[nodiscard]] inline std::unexpected<Error> fail(ErrorKind kind, std::string detail) {
    return std::unexpected(Error{kind, std::move(detail)});
}

/// Hands an error of one result on as another's: `if (!path) return pass_on(path);`
template <class T>
[[nodiscard]] std::unexpected<Error> pass_on(Result<T>& result) {
    return std::unexpected(std::move(result).error());
}

}  // namespace thurn::base
