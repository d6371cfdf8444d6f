#pragma once

namespace thurn::smtp {

/// `BODY=` of MAIL (RFC 6152).
enum class BodyType { seven_bit, eight_bit };

}  // namespace thurn::smtp
