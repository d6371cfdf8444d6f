#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

/// The words of the milter protocol, as Sendmail's libmilter and Postfix speak it, versions 2 to 6.
namespace thurn::milter {

inline constexpr std::uint32_t kLowestVersion = 2;
inline constexpr std::uint32_t kHighestVersion = 6;
/// What libmilter takes of a body, and gives of a new one, in one packet.
inline constexpr std::size_t kBodyChunk = 65535;

/// What a mail server says; the first octet of a packet.
enum class Command : char {
    abort = 'A',
    body = 'B',
    connect = 'C',
    macros = 'D',
    end_of_message = 'E',
    helo = 'H',
    quit_and_reconnect = 'K',
    header = 'L',
    mail = 'M',
    end_of_header = 'N',
    negotiate = 'O',
    quit = 'Q',
    rcpt = 'R',
    data = 'T',
    unknown = 'U',
};

/// What a filter answers; the first octet of a packet.
enum class Answer : char {
    add_recipient = '+',
    remove_recipient = '-',
    add_recipient_with_parameters = '2',
    shut_down = '4',
    accept = 'a',
    replace_body = 'b',
    proceed = 'c',
    discard = 'd',
    change_sender = 'e',
    connection_failed = 'f',
    add_header = 'h',
    insert_header = 'i',
    macro_list = 'l',
    change_header = 'm',
    negotiate = 'O',
    progress = 'p',
    quarantine = 'q',
    reject = 'r',
    skip = 's',
    tempfail = 't',
    reply = 'y',
};

/// What a filter may do to a message, agreed on at the beginning (SMFIF_…).
namespace action {
inline constexpr std::uint32_t add_headers = 0x1;
inline constexpr std::uint32_t replace_body = 0x2;
inline constexpr std::uint32_t add_recipients = 0x4;
inline constexpr std::uint32_t remove_recipients = 0x8;
inline constexpr std::uint32_t change_headers = 0x10;  // and insert
inline constexpr std::uint32_t quarantine = 0x20;
inline constexpr std::uint32_t change_sender = 0x40;
inline constexpr std::uint32_t add_recipients_with_parameters = 0x80;
inline constexpr std::uint32_t set_macro_list = 0x100;
inline constexpr std::uint32_t all = 0x1ff;
}  // namespace action

/// What a filter does not want to hear (`no_…`), what it does not answer (`silent_…`), and how it wants things (SMFIP_…).
namespace step {
inline constexpr std::uint32_t no_connect = 0x1;
inline constexpr std::uint32_t no_helo = 0x2;
inline constexpr std::uint32_t no_mail = 0x4;
inline constexpr std::uint32_t no_rcpt = 0x8;
inline constexpr std::uint32_t no_body = 0x10;
inline constexpr std::uint32_t no_headers = 0x20;
inline constexpr std::uint32_t no_end_of_header = 0x40;
inline constexpr std::uint32_t silent_header = 0x80;
inline constexpr std::uint32_t no_unknown = 0x100;
inline constexpr std::uint32_t no_data = 0x200;
inline constexpr std::uint32_t skip = 0x400;  // it may say `skip` to the body
inline constexpr std::uint32_t silent_connect = 0x1000;
inline constexpr std::uint32_t silent_helo = 0x2000;
inline constexpr std::uint32_t silent_mail = 0x4000;
inline constexpr std::uint32_t silent_rcpt = 0x8000;
inline constexpr std::uint32_t silent_data = 0x10000;
inline constexpr std::uint32_t silent_unknown = 0x20000;
inline constexpr std::uint32_t silent_end_of_header = 0x40000;
inline constexpr std::uint32_t silent_body = 0x80000;
inline constexpr std::uint32_t leading_space = 0x100000;  // values of header fields with the space behind the colon
/// All but SMFIP_RCPT_REJ (0x800): refused recipients are not told.
inline constexpr std::uint32_t offered = 0x1ff7ff;
}  // namespace step

/// What macros go with; the numbers are those of SMFIR_SETSYMLIST.
enum class Stage : std::uint8_t { connect = 0, helo = 1, mail = 2, rcpt = 3, data = 4, end_of_message = 5, end_of_header = 6 };
inline constexpr std::size_t kStages = 7;

/// A value a filter can ask for, `{client_addr}`; names of one letter have no braces.
struct Macro {
    std::string name;
    std::string value;
    friend bool operator==(const Macro&, const Macro&) = default;
};
using Macros = std::vector<Macro>;

}  // namespace thurn::milter
