#include "app/tool_resolver.h"

#include <exception>

#include <boost/asio/co_spawn.hpp>

namespace thurn::app {

namespace {

constexpr std::chrono::seconds kPatience{5};

}  // namespace

base::Result<void> ToolResolver::start() {
    net::ResolverOptions options{.servers = {}, .dnssec = false, .timeout = kPatience};
    if (!server_.empty()) options.servers.push_back(server_);
    auto resolver = net::Resolver::start(options);
    if (!resolver) return base::pass_on(resolver);
    resolver_ = *std::move(resolver);
    return {};
}

base::Result<net::Resolver*> ToolResolver::resolver() {
    if (!resolver_)
        if (auto started = start(); !started) return base::pass_on(started);
    return resolver_.get();
}

base::Result<std::vector<dns::Answer>> ToolResolver::ask(const std::vector<dns::Question>& questions) {
    if (auto started = resolver(); !started) return base::pass_on(started);
    std::vector<dns::Answer> answers(questions.size());
    for (std::size_t i = 0; i < questions.size(); ++i)
        boost::asio::co_spawn(loop_, resolver_->async_ask(questions[i]),
                              [&answers, i](const std::exception_ptr& trouble, dns::Answer given) {
                                  if (!trouble) answers[i] = std::move(given);
                              });
    loop_.restart();
    loop_.run();
    return answers;
}

}  // namespace thurn::app
