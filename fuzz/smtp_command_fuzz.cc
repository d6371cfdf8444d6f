#include "mail/mailbox.h"
#include "require.h"
#include "smtp/command.h"

using namespace thurn;
using fuzz::require;

namespace {

void check(const smtp::MailCommand& command) {
    const auto again = mail::take_reverse_path("<" + mail::render_path(command.path) + ">", mail::Charset::ascii);
    require(again && again->path == command.path, "the reverse path survives being written");
}
void check(const smtp::RcptCommand& command) {
    const auto again = mail::take_forward_path("<" + mail::render_mailbox(command.mailbox) + ">", mail::Charset::ascii);
    require(again && again->path == command.mailbox, "the forward path survives being written");
}
void check(const smtp::HeloCommand& command) { require(!command.name.empty() && command.name.find(' ') == std::string::npos, "one word"); }
void check(const smtp::EhloCommand& command) { require(!command.name.empty() && command.name.size() <= 255, "within its limit"); }
void check(const smtp::AuthCommand& command) { require(!command.mechanism.empty(), "a mechanism is named"); }
template <class Other>
void check(const Other&) {}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto line = fuzz::as_text(data, size);
    const auto split = smtp::split_command(line);
    for (const auto auth : {smtp::AuthParameter::unknown, smtp::AuthParameter::known}) {
        const auto command = smtp::parse_command(split, auth);
        if (command)
            std::visit([](const auto& parsed) { check(parsed); }, *command);
        else
            require(command.error().code >= 500 && command.error().status.status_class == 5, "refusals are permanent");
    }
    return 0;
}
