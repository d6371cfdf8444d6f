#pragma once

#include "app/explain_story.h"
#include "app/tool_resolver.h"
#include "config/config.h"
#include "inbound/archive_readers.h"
#include "policy/content.h"
#include "spool/spool.h"

#include <memory>
#include <string>

namespace thurn::app {

/// Looks into a message as the server does: takes it apart, reads its archives in a process that can do nothing else, asks the configuration's
/// scanners. Each when a rule first wants to know, and once; what they say is told in the story.
class ContentExplanation {
public:
    struct Message {
        std::string_view octets;
        std::string on_top;  // what spam scanners see above it: whence it came
        policy::Role role = policy::Role::mx;
    };
    ContentExplanation(const config::Config& config, Message message, ToolResolver& resolver, Story& story);

    /// Precondition: the fact has a content source.
    /// Errors   As ToolResolver; what cannot be had is unavailable.
    [[nodiscard]] base::Result<policy::FactValue> find_out(const policy::Fact& fact);

private:
    [[nodiscard]] base::Result<void> look(policy::ContentSource source);
    void look_into_archives();
    [[nodiscard]] base::Result<void> ask_scanner(policy::ContentSource source);
    void tell(std::string what, const std::string& said);

    const config::Config& config_;
    const Message message_;
    ToolResolver& resolver_;
    Story& story_;
    std::unique_ptr<spool::Draft> draft_;
    policy::ContentFindings found_;
    inbound::ArchiveReaders readers_{"/proc/self/exe"};
    net::BlockingPool pool_{1};
};

}  // namespace thurn::app
