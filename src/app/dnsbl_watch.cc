#include "app/dnsbl_watch.h"

#include "net/answer_all.h"

#include <algorithm>
#include <iterator>
#include <vector>

namespace thurn::app {

boost::asio::awaitable<void> async_test_lists(net::Resolver& resolver, std::shared_ptr<const policy::Rulebook> book, base::Log& log) {
    std::vector<dns::Question> all;
    for (const auto& list : book->lists.all()) std::ranges::copy(list->test_questions(), std::back_inserter(all));
    if (all.empty()) co_return;
    const auto answers = co_await net::async_ask_all(resolver, all);
    for (std::size_t i = 0; i < book->lists.all().size(); ++i) {
        const auto& list = *book->lists.all()[i];
        if (!list.take_test({answers[2 * i], answers[2 * i + 1]})) continue;
        if (const auto trouble = list.trouble(); !trouble.empty())
            log.warning("dnsbl_out_of_order", {{"list", list.said().name}, {"reason", trouble}});
        else
            log.info("dnsbl_in_order", {{"list", list.said().name}});
    }
}

}  // namespace thurn::app
