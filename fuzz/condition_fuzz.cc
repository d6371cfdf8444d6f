// Conditions of rules: any text is refused or understood; what is understood can be evaluated with nothing known, with everything
// unavailable, and with values of its facts' types, and never claims to hold where all is unavailable but for what asks for just that.

#include "policy/reply_text.h"
#include "require.h"

#include <cstdint>
#include <string_view>

namespace {

using namespace thurn::policy;

FactValue some_value(FactType type) {
    switch (type) {
        case FactType::flag:
            return true;
        case FactType::number:
            return 1.0;
        case FactType::texts:
            return Texts{"a", ""};
        case FactType::address:
            return std::string("192.0.2.1");
        case FactType::text:
            return std::string("a");
    }
    return false;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    FactIndex index;
    const auto reply = ReplyText::parse(input, index);
    if (reply) thurn::fuzz::require(reply->render(FactSheet(index.all().size())).size() <= 300, "a reply is short");
    const auto condition = Condition::parse(input, index);
    if (!condition) return 0;
    FactSheet sheet(index.all().size());
    Reading reading;
    const auto blind = condition->evaluate(sheet, reading);
    thurn::fuzz::require(blind == Truth::wanted && !reading.wanted.empty(), "with nothing known something is wanted");
    for (std::size_t i = 0; i < sheet.size(); ++i) sheet.set(i, Unavailable{"-"});
    thurn::fuzz::require(condition->evaluate(sheet, reading) != Truth::wanted, "nothing is wanted that was asked for");
    for (std::size_t i = 0; i < sheet.size(); ++i) sheet.set(i, some_value(index.all()[i].kind->type));
    const auto known = condition->evaluate(sheet, reading);
    thurn::fuzz::require(known == Truth::yes || known == Truth::no, "what is known is true or false");
    return 0;
}
