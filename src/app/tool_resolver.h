#pragma once

#include "base/result.h"
#include "dns/dns.h"
#include "net/resolver.h"

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>

namespace thurn::app {

/// Answers the questions of a core for a tool that does one thing at a time, or of many cores in step.
///
/// Limits   Five seconds a question: somebody sits and waits.
/// Errors   As net::Resolver: trouble is an Answer with Status::failed.
/// DNSSEC   Not asked for: a given server is to be believed, as a laboratory's is.
class ToolResolver {
public:
    /// `server` as `192.0.2.1:5353`; empty: those of the system. It is not asked before the first question.
    explicit ToolResolver(std::string server) : server_(std::move(server)) {}

    /// All at once; answers in the order of the questions.
    /// Errors   As net::Resolver::start().
    [[nodiscard]] base::Result<std::vector<dns::Answer>> ask(const std::vector<dns::Question>& questions);

    /// Asks all that a core wants to know, until it wants no more.
    template <class Core>
    [[nodiscard]] base::Result<void> answer_all(Core& core) {
        for (auto open = core.questions(); !open.empty(); open = core.questions()) {
            const auto answers = ask(open);
            if (!answers) return std::unexpected(answers.error());
            for (std::size_t i = 0; i < open.size(); ++i) core.answer(open[i], (*answers)[i]);
        }
        return {};
    }

    /// Likewise for many cores at once: what they ask goes out together, so it takes as long as the one that asks most often in turn.
    template <class Core>
    [[nodiscard]] base::Result<void> answer_all(std::vector<Core>& cores) {
        for (;;) {
            std::vector<dns::Question> open;
            for (const Core& core : cores)
                for (auto& question : core.questions()) open.push_back(std::move(question));
            if (open.empty()) return {};
            const auto answers = ask(open);
            if (!answers) return std::unexpected(answers.error());
            auto next = answers->begin();
            for (Core& core : cores)
                for (const auto& question : core.questions()) core.answer(question, *next++);
        }
    }

    /// For those who ask on a loop of their own.
    [[nodiscard]] base::Result<net::Resolver*> resolver();

private:
    [[nodiscard]] base::Result<void> start();

    std::string server_;
    std::unique_ptr<net::Resolver> resolver_;
    boost::asio::io_context loop_;
};

}  // namespace thurn::app
