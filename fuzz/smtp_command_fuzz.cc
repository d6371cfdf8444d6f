#include "mail/mailbox.h"
#include "require.h"
#include "smtp/command.h"

using namespace thurn;
using fuzz::require;

namespace {

void check(const std::vector<smtp::ProxyAttribute>& attributes) {
    require(!attributes.empty(), "an attribute is given");
    for (const auto& attribute : attributes) {
        require(attribute.value.size() <= 255, "values are within their limit");
        for (const char c : attribute.value) require(static_cast<unsigned char>(c) >= ' ' && c != 0x7f, "values hold no control octet");
    }
}
void check(const smtp::MailCommand& command) {
    const auto again = mail::take_reverse_path("<" + mail::render_path(command.path) + ">", mail::Charset::utf8);
    require(again && again->path == command.path, "the reverse path survives being written");
    const auto& given = command.parameters;
    require(given.envid.size() <= 100, "ENVID is within its limit");
    require(!given.priority || (*given.priority >= -9 && *given.priority <= 9), "priorities have one digit");
    require(!(given.hold_for && given.hold_until), "one hold at most");
}
void check(const smtp::RcptCommand& command) {
    const auto again = mail::take_forward_path("<" + mail::render_mailbox(command.mailbox) + ">", mail::Charset::utf8);
    require(again && again->path == command.mailbox, "the forward path survives being written");
    if (const auto& original = command.parameters.original_recipient) {
        require(!original->type.empty() && !original->address.empty(), "ORCPT is whole");
        for (const char c : original->address) require(static_cast<unsigned char>(c) >= ' ' && c != 0x7f, "ORCPT holds no control octet");
    }
}
void check(const smtp::HeloCommand& command) { require(!command.name.empty() && command.name.find(' ') == std::string::npos, "one word"); }
void check(const smtp::EhloCommand& command) { require(!command.name.empty() && command.name.size() <= 255, "within its limit"); }
void check(const smtp::BdatCommand& command) { require(command.size.count <= std::uint64_t{1} << 63U, "no size is negative"); }
void check(const smtp::EtrnCommand& command) { require(!command.name.empty(), "something is named"); }
void check(const smtp::XclientCommand& command) { check(command.attributes); }
void check(const smtp::XforwardCommand& command) { check(command.attributes); }
void check(const smtp::AuthCommand& command) { require(!command.mechanism.empty(), "a mechanism is named"); }
template <class Other>
void check(const Other&) {}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto line = fuzz::as_text(data, size);
    const auto split = smtp::split_command(line);
    const smtp::ServerExtensions none;
    const smtp::ServerExtensions all{
        .chunking = true,
        .binary_mime = true,
        .smtputf8 = true,
        .dsn = true,
        .require_tls = true,
        .future_release = smtp::FutureRelease{std::chrono::seconds(1000000), base::Time(base::Duration(1LL << 42))},
        .deliver_by = std::chrono::seconds(10),
        .mt_priority = ""};
    for (const auto& rules : {smtp::ParameterRules{none},
                              {all, smtp::AuthParameter::known},
                              {all, smtp::AuthParameter::known, smtp::Transport::tls, smtp::Utf8::allowed}}) {
        const auto command = smtp::parse_command(split, rules);
        if (command)
            std::visit([](const auto& parsed) { check(parsed); }, *command);
        else
            require(command.error().code >= 500 && command.error().status.status_class == 5, "refusals are permanent");
    }
    return 0;
}
