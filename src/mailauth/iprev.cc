#include "mailauth/iprev.h"

#include "mailauth/inquiry.h"
#include "mailauth/validated_names.h"

namespace thurn::mailauth {
namespace {

IprevVerdict judge(const dns::IpAddress& client, const ValidatedNames& found) {
    const std::string address = dns::render_ip(client);
    switch (found.status) {
        case dns::Status::failed:
        case dns::Status::bogus:
            return {.result = IprevResult::temperror, .detail = "the name of " + address + " cannot be looked up"};
        case dns::Status::no_data:
        case dns::Status::no_name:
            return {.result = IprevResult::permerror, .detail = address + " has no name"};
        case dns::Status::ok:
            break;
    }
    if (!found.names.empty())
        return {.result = IprevResult::pass, .name = found.names.front(), .detail = address + " is " + found.names.front()};
    if (!found.failed.empty())
        return {.result = IprevResult::temperror, .detail = "the addresses of " + found.failed.front() + " cannot be looked up"};
    const std::string claimed = found.claimed.empty() ? "no host" : found.claimed.front();
    return {.result = IprevResult::fail, .detail = address + " calls itself " + claimed + ", which does not lead back to it"};
}

}  // namespace

std::string_view iprev_result_name(IprevResult result) {
    switch (result) {
        case IprevResult::pass:
            return "pass";
        case IprevResult::fail:
            return "fail";
        case IprevResult::temperror:
            return "temperror";
        case IprevResult::permerror:
            return "permerror";
    }
    return "";
}

struct IprevCheck::State {
    explicit State(const dns::IpAddress& given) : client(dns::unmapped(given)), evaluation(find_validated_names(client, inquiries)) {}
    dns::IpAddress client;
    Inquiries inquiries;
    Evaluation<ValidatedNames> evaluation;
};

IprevCheck::IprevCheck(const dns::IpAddress& client) : state_(std::make_unique<State>(client)) { state_->evaluation.start(); }
IprevCheck::~IprevCheck() = default;
IprevCheck::IprevCheck(IprevCheck&&) noexcept = default;
IprevCheck& IprevCheck::operator=(IprevCheck&&) noexcept = default;

std::vector<dns::Question> IprevCheck::questions() const { return state_->inquiries.open(); }
void IprevCheck::answer(const dns::Question& question, const dns::Answer& answer) { state_->inquiries.answer(question, answer); }
bool IprevCheck::done() const { return state_->evaluation.done(); }
IprevVerdict IprevCheck::take() { return judge(state_->client, state_->evaluation.take()); }

}  // namespace thurn::mailauth
