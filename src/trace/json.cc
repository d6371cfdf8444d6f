#include "mail/date.h"
#include "trace/clean_text.h"
#include "trace/event.h"
#include "trace/fields.h"

#include <boost/json.hpp>

namespace thurn::trace {
namespace {

namespace json = boost::json;

/// Years that render_timestamp() can write with four digits; anything else comes from a forged file.
bool is_plausible(base::Time time) {
    using namespace std::chrono;
    return time > base::Time{} && time < base::Time(sys_days(year{9999} / 1 / 1));
}

json::value render_time(base::Time time) {
    if (!is_plausible(time)) return nullptr;
    return json::value(mail::render_timestamp(time));
}

class Collector {
public:
    explicit Collector(json::object& object) : object_(object) {}
    void operator()(const char* name, const std::string& text) { object_[name] = clean_text(text); }
    void operator()(const char* name, std::uint64_t value) { object_[name] = value; }
    void operator()(const char* name, base::Time value) { object_[name] = render_time(value); }
    void operator()(const char* name, const std::vector<std::string>& list) {
        json::array& array = object_[name].emplace_array();
        for (const std::string& text : list) array.emplace_back(clean_text(text));
    }

private:
    json::object& object_;
};

}  // namespace

std::string render_json(const Event& event) {
    json::object object;
    object["id"] = event.id.text();
    object["at"] = render_time(event.at);
    std::visit(
        [&object]<class Kind>(const Kind& body) {
            object["event"] = Fields<Kind>::kName;
            Fields<Kind>::visit(body, Collector(object));
        },
        event.body);
    return json::serialize(object);
}

}  // namespace thurn::trace
