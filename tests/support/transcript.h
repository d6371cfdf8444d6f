#pragma once

#include <algorithm>
#include <cctype>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

/// Reads tests/transcripts/*.smtp: one SMTP conversation a file, from the server's side. The same file runs in memory and over a socket.
///
///   # text      which rule is shown
///   L: k=v …    options of the server, before all else: tls=unavailable|offered|active auth=off|offered|required recipients= message_size=
///               command_line= auth_line= content_line= commands= errors= auth_failures= messages=
///               extensions=chunking,dsn,… (see transcript_test.cc) lmtp=on
///               socket=on: to be run against a whole server too (tests/system/test_transcripts.py)
///   C: text     the client says a line; CRLF is added
///   D: text     the client sends these octets and nothing more; escapes \r \n \t \0 \\ \xHH, and {n*text} for a repetition
///   S: text     the server must answer this line; `*` at its end stands for any rest; `(closed)`: the server has closed
///   T: 301s     so much time passes without an octet
///   X:          the server is told to stop
///   A: 2        so many messages were accepted until now (a runner that cannot know skips it)
///
/// The greeting is answered before the first C and is not written down. TLS handshakes happen by themselves behind the 220 to STARTTLS.
/// Client lines that stand together are one piece for the runner to split as it likes. Addresses decide what the other side of the session
/// does: see transcript_test.cc.
namespace thurn::tests {

struct TranscriptStep {
    enum class Kind { client, server, time, stop, accepted };
    Kind kind;
    std::string text;  // client: octets; server: the pattern
    long number = 0;   // time: seconds; accepted: messages
    std::size_t line = 0;
};

struct Transcript {
    std::string name;
    std::map<std::string, std::string> options;
    std::vector<TranscriptStep> steps;
};

namespace detail {

inline char hex_octet(std::string_view digits) {
    unsigned value = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    return static_cast<char>(value);
}

inline std::string unescape(std::string_view text) {
    std::string octets;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] == '{') {
            const auto star = text.find('*', at);
            const auto end = text.find('}', at);
            const auto piece = unescape(text.substr(star + 1, end - star - 1));
            for (long times = std::stol(std::string(text.substr(at + 1, star - at - 1))); times > 0; --times) octets += piece;
            at = end;
        } else if (text[at] != '\\') {
            octets += text[at];
        } else {
            switch (text.at(++at)) {
                case 'r':
                    octets += '\r';
                    break;
                case 'n':
                    octets += '\n';
                    break;
                case 't':
                    octets += '\t';
                    break;
                case '0':
                    octets += '\0';
                    break;
                case 'x':
                    octets += hex_octet(text.substr(at + 1, 2));
                    at += 2;
                    break;
                default:
                    octets += text[at];
            }
        }
    }
    return octets;
}

inline void read_options(std::string_view text, std::map<std::string, std::string>& into) {
    while (!text.empty()) {
        const auto word = text.substr(0, text.find(' '));
        const auto equals = word.find('=');
        if (equals != std::string_view::npos) into[std::string(word.substr(0, equals))] = word.substr(equals + 1);
        text.remove_prefix(std::min(text.size(), word.size() + 1));
    }
}

inline void add_client(Transcript& transcript, std::string octets, std::size_t line) {
    auto& steps = transcript.steps;
    if (!steps.empty() && steps.back().kind == TranscriptStep::Kind::client)
        steps.back().text += octets;
    else
        steps.push_back({TranscriptStep::Kind::client, std::move(octets), 0, line});
}

inline void add_line(Transcript& transcript, std::string_view line, std::size_t number) {
    using Kind = TranscriptStep::Kind;
    if (line.empty() || line.front() == '#') return;
    if (line.size() < 2 || line[1] != ':') throw std::runtime_error(transcript.name + ": not a transcript line: " + std::string(line));
    const auto text = line.substr(line.size() > 2 ? 3 : 2);
    switch (line.front()) {
        case 'L':
            return read_options(text, transcript.options);
        case 'C':
            return add_client(transcript, std::string(text) + "\r\n", number);
        case 'D':
            return add_client(transcript, unescape(text), number);
        case 'S':
            transcript.steps.push_back({Kind::server, std::string(text), 0, number});
            return;
        case 'T':
            transcript.steps.push_back({Kind::time, {}, std::stol(std::string(text)), number});
            return;
        case 'X':
            transcript.steps.push_back({Kind::stop, {}, 0, number});
            return;
        case 'A':
            transcript.steps.push_back({Kind::accepted, {}, std::stol(std::string(text)), number});
            return;
        default:
            throw std::runtime_error(transcript.name + ": not a transcript line: " + std::string(line));
    }
}

}  // namespace detail

inline Transcript load_transcript(const std::filesystem::path& file) {
    Transcript transcript{.name = file.stem().string(), .options = {}, .steps = {}};
    std::ifstream in(file);
    if (!in) throw std::runtime_error("cannot read " + file.string());
    std::size_t number = 0;
    for (std::string line; std::getline(in, line);) detail::add_line(transcript, line, ++number);
    return transcript;
}

/// All of a folder, by name.
inline std::vector<std::filesystem::path> transcript_files(const std::filesystem::path& folder) {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(folder))
        if (entry.path().extension() == ".smtp") files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    return files;
}

/// `*` at the end of `pattern` stands for any rest.
inline bool matches(std::string_view pattern, std::string_view line) {
    if (pattern.ends_with('*')) return line.starts_with(pattern.substr(0, pattern.size() - 1));
    return pattern == line;
}

}  // namespace thurn::tests
