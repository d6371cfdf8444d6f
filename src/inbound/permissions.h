#pragma once

namespace thurn::inbound {

/// Whom VRFY or EXPN is told what is known.
enum class Disclosure { off, authenticated, on };

/// Whose ETRN starts the queue of a domain that we relay for.
enum class QueueRunBy { nobody, relay_networks, everyone };

}  // namespace thurn::inbound
