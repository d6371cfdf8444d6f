#pragma once

#include "base/clock.h"
#include "delivery/mailbox_folders.h"
#include "delivery/parcel.h"

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace thurn::delivery {

struct MaildirOptions {
    std::string path_template = "{data_dir}/mail/{domain}/{local}";  // {data_dir} filled in by config; {domain}, {local}, {address} here
    std::string hostname;
    std::optional<base::Time> started;  // when this process began; without it, when the Maildir was made. See Repeats
};

/// Writes messages into Maildirs: tmp/, fdatasync, rename to new/, fsync of the folder. `Return-Path` and `Delivered-To` go on top.
///
/// Safety   A local part never leaves its folder: `/`, NUL, leading dots are encoded; folders are opened with O_NOFOLLOW and made 0700,
///          files 0600.
/// Names    `SECONDS.ID_RECIPIENT.HOST,S=SIZE`: made from message id and recipient index, so that a delivery repeated after a crash finds
///          its own file in new/ or cur/ and is not written twice.
/// Repeats  The rename refuses to replace, which finds the file in new/ at no cost. cur/ has to be read whole, so that is done only where a
///          file can lie there: attempts were made, the recipient is in doubt, or the message is older than this process.
/// Content  As spooled, CRLF turned into LF (what Dovecot and others expect of a Maildir); mbox-style From lines are left alone. Binary
///          content would not come through that, so it is converted to 8-bit lines first (mail::convert); what cannot be is refused, 5.6.3.
/// Junk     A message marked as such goes into the folder `.Junk` (Maildir++), which IMAP servers show as Junk.
/// Errors   The outcome: deferred for all a disk can do (4.3.0, 4.3.1 and 4.2.2 when full), failed only for a path that cannot exist.
/// Threads  Blocks: the blocking pool. Any.
class Maildir {
public:
    explicit Maildir(MaildirOptions options);
    /// `account`: whose mailbox. `index`: which recipient of the message it is for.
    [[nodiscard]] RecipientOutcome deliver(const spool::StoredMessage& message, std::uint32_t index, const mail::Mailbox& account) const;
    /// Where a message for that account is put.
    [[nodiscard]] std::filesystem::path folder(const mail::Mailbox& account, const spool::Envelope& envelope = {}) const;

private:
    [[nodiscard]] MailboxPlace place(const spool::Envelope& envelope, const mail::Mailbox& account) const;
    [[nodiscard]] std::string file_name(base::MessageId id, std::uint32_t index) const;
    [[nodiscard]] bool may_be_a_repeat(const spool::StoredMessage& message, std::uint32_t index) const;

    MaildirOptions options_;
    base::Time started_;
    std::filesystem::path root_;  // of the template, what stands before the first name that depends on the account
    std::string below_root_;
};

}  // namespace thurn::delivery
