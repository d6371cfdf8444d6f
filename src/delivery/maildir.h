#pragma once

#include "base/log.h"
#include "base/result.h"
#include "delivery/parcel.h"

#include <filesystem>
#include <string>
#include <string_view>

namespace thurn::delivery {

struct MaildirOptions {
    std::string path_template = "{data_dir}/mail/{domain}/{local}";  // {data_dir} filled in by config; {domain}, {local}, {address} here
    std::string hostname;
};

/// Writes messages into Maildirs: tmp/, fdatasync, rename to new/, fsync of the folder. `Return-Path` and `Delivered-To` go on top.
///
/// Safety   A local part never leaves its folder: `/`, NUL, leading dots are encoded; folders are opened with O_NOFOLLOW and made 0700, files 0600.
/// Names    `SECONDS.ID_RECIPIENT.HOST,S=SIZE`: made from message id and recipient index, so that a delivery repeated after a crash finds its own file in
///          new/ or cur/ and is not written twice.
/// Content  As spooled, CRLF turned into LF (what Dovecot and others expect of a Maildir); mbox-style From lines are left alone.
/// Errors   The outcome: deferred for all a disk can do (4.3.0, 4.2.2 when full), failed only for a path that cannot exist.
/// Threads  Blocks: the blocking pool. Any.
class Maildir {
public:
    explicit Maildir(MaildirOptions options);
    /// `account`: whose mailbox. `index`: which recipient of the message it is for.
    [[nodiscard]] RecipientOutcome deliver(const spool::StoredMessage& message, std::uint32_t index, const mail::Mailbox& account) const;
    /// Where that account's mail lies.
    [[nodiscard]] std::filesystem::path folder(const mail::Mailbox& account) const;

private:
    MaildirOptions options_;
};

}  // namespace thurn::delivery
