// How far rules look into what messages carry.
#include "config/readers.h"

namespace thurn::config {

void read_attachments(Section& root, Config& config) {
    auto section = root.table("attachments");
    auto& options = config.attachments;
    section.size("text", options.text);
    section.count("archive_depth", options.archives.depth, 1, 20);
    section.count("archive_files", options.archives.entries, 1, 100'000);
    base::Octets unpacked{options.archives.unpacked};
    section.size("archive_unpacked", unpacked);
    if (unpacked.count == 0) section.complain("archive_unpacked", "must be more than nothing");
    options.archives.unpacked = unpacked.count;
    section.count("archive_ratio", options.archives.ratio, 2, 100'000);
    section.size("archive_memory", options.memory);
    if (options.memory.count < base::mebibytes(64).count) section.complain("archive_memory", "archives are not read in less than 64MiB");
    section.time_span("archive_time_limit", options.time_limit);
    section.count("archive_readers", options.readers, 1, 1000);
    section.finish();
}

}  // namespace thurn::config
