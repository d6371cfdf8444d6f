#pragma once

#include "smtp/command.h"

#include <string_view>

/// The words of ServerSession that are not those of a command's syntax (command.cc) or order (conversation.cc). Replies are constant.
namespace thurn::smtp::replies {

inline constexpr FixedReply kLineTooLong{500, {5, 5, 2}, "Line too long"};
inline constexpr FixedReply kAuthLineTooLong{500, {5, 5, 6}, "Authentication exchange line is too long"};  // RFC 4954 §4
inline constexpr FixedReply kBareLf{500, {5, 5, 2}, "Lines must end with CRLF"};
inline constexpr FixedReply kControlOctet{500, {5, 5, 2}, "Control characters are not allowed in commands"};
inline constexpr FixedReply kHttp{421, {4, 7, 0}, "This is SMTP, not HTTP"};
inline constexpr FixedReply kTls{421, {4, 7, 0}, "This is SMTP, not TLS"};
inline constexpr FixedReply kNotSmtp{421, {4, 7, 0}, "This is not SMTP"};
inline constexpr FixedReply kTooManyCommands{421, {4, 7, 0}, "Too many commands"};
inline constexpr FixedReply kTooManyMessages{421, {4, 7, 0}, "Too many messages on this connection"};  // RFC 9422 §4.1
inline constexpr FixedReply kTooManyErrors{421, {4, 7, 0}, "Too many errors"};
inline constexpr FixedReply kTooManyLogins{421, {4, 7, 0}, "Too many failed authentications"};
inline constexpr FixedReply kEndlessLine{421, {4, 7, 0}, "Line without an end"};
inline constexpr FixedReply kTooManyRecipients{452, {4, 5, 3}, "Too many recipients"};  // RFC 5321 §4.5.3.1.10
inline constexpr FixedReply kTooBig{552, {5, 3, 4}, "Message is larger than allowed"};  // RFC 1870 §6
inline constexpr FixedReply kTooMuchRefused{421, {4, 7, 0}, "Too much is sent of what is refused"};
inline constexpr FixedReply kBareInContent{550, {5, 6, 0}, "Content holds a CR or LF that is not part of CRLF"};
inline constexpr FixedReply kNulInContent{550, {5, 6, 0}, "Content holds a NUL octet"};
inline constexpr FixedReply kContentLineTooLong{550, {5, 6, 0}, "Content holds a line that is too long"};
inline constexpr FixedReply kUnknown{500, {5, 5, 2}, "Command not recognized"};
inline constexpr FixedReply kNoExpn{502, {5, 5, 1}, "EXPN is not provided"};
inline constexpr FixedReply kNoLmtpRecipients{503, {5, 5, 1}, "No valid recipients"};  // RFC 2033 §4.2
inline constexpr FixedReply kNotAnswered{451, {4, 3, 0}, "Local trouble, try again later"};
inline constexpr FixedReply kNoChunking{502, {5, 5, 1}, "BDAT is not provided"};
inline constexpr FixedReply kBinaryByData{503, {5, 5, 1}, "Binary content comes by BDAT only"};  // RFC 3030 §3
inline constexpr FixedReply kTlsNotAvailable{502, {5, 5, 1}, "TLS is not available"};
inline constexpr FixedReply kTlsActive{503, {5, 5, 1}, "TLS is active already"};
inline constexpr FixedReply kTlsRequired{530, {5, 7, 0}, "Must issue a STARTTLS command first"};  // RFC 3207 §4
inline constexpr FixedReply kAuthNotAvailable{502, {5, 5, 1}, "Authentication is not available"};
inline constexpr FixedReply kAuthNeedsTls{538, {5, 7, 11}, "Encryption is required for authentication"};  // RFC 4954 §6
inline constexpr FixedReply kAuthDone{503, {5, 5, 1}, "Authenticated already"};
inline constexpr FixedReply kAuthMechanism{504, {5, 5, 4}, "Authentication mechanism is not known"};
inline constexpr FixedReply kAuthRequired{530, {5, 7, 0}, "Authentication required"};
inline constexpr FixedReply kTimedOut{421, {4, 4, 2}, "Timeout, closing connection"};
inline constexpr FixedReply kShuttingDown{421, {4, 3, 2}, "Service is shutting down"};

// What is said most, rendered once for all.
inline constexpr std::string_view kSenderOk = "250 2.1.0 Sender ok\r\n";
inline constexpr std::string_view kRecipientOk = "250 2.1.5 Recipient ok\r\n";
inline constexpr std::string_view kContentWanted = "354 End the message with <CRLF>.<CRLF>\r\n";
inline constexpr std::string_view kOk = "250 2.0.0 Ok\r\n";
inline constexpr std::string_view kLoginOk = "235 2.7.0 Authentication successful\r\n";
inline constexpr std::string_view kVerify = "252 2.1.5 Cannot verify, but mail will be tried\r\n";
inline constexpr std::string_view kQueueRun = "250 2.0.0 Queuing started\r\n";
inline constexpr std::string_view kStartTls = "220 2.0.0 Ready to start TLS\r\n";

}  // namespace thurn::smtp::replies
