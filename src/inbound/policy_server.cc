#include "inbound/policy_server.h"

#include "policy/delegation.h"

namespace thurn::inbound {

bool asks_at(const PolicyServerOptions& server, policy::Stage stage) { return server.url || !policy::protocol_state(stage).empty(); }

}  // namespace thurn::inbound
