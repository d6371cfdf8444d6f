#pragma once

#include "base/octets.h"
#include "scan/archive_listing.h"

#include <chrono>

namespace thurn::inbound {

/// How far rules look into what a message carries.
struct AttachmentOptions {
    base::Octets text = base::mebibytes(1);  // of `body`
    scan::ArchiveLimits archives{};
    base::Octets memory = base::mebibytes(512);  // of the process that reads archives, beside the archives
    std::chrono::seconds time_limit{10};         // for the archives of one message, waiting for a turn included
    std::size_t readers = 4;                     // such processes at once
};

}  // namespace thurn::inbound
