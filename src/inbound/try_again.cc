#include "inbound/try_again.h"

namespace thurn::inbound {

smtp::Reply try_again(const base::Error& error) {
    if (error.kind == base::ErrorKind::full) return smtp::make_reply(452, {4, 3, 1}, "no room for new mail now, try again later");
    if (error.kind == base::ErrorKind::stopping) return smtp::make_reply(421, {4, 3, 2}, "shutting down, try again later");
    return smtp::make_reply(451, {4, 3, 0}, "local trouble, try again later");
}

}  // namespace thurn::inbound
