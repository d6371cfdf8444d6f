#pragma once

#include "app/explain_story.h"
#include "mailauth/findings.h"

#include <vector>

namespace thurn::app {

/// How far the command line let a message come.
struct ExplainedExtent {
    bool recipient = false;
    bool content = false;
};

/// For people: what was checked stands between what comes before the content and what is about it.
void print_story(const Story& story, const std::vector<mailauth::FindingLine>& checks, ExplainedExtent extent);
/// The same as one JSON object.
void print_story_as_json(const Story& story, const std::vector<mailauth::FindingLine>& checks);

}  // namespace thurn::app
