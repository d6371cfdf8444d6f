#pragma once

#include "dns/ip_address.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace thurn::support {

/// A small internet in lines: `example.com TXT v=spf1 -all`, `a.example A 192.0.2.1`, `d.example MX 10 a.example`,
/// `1.2.0.192.in-addr.arpa PTR a.example`; `NAME TYPE !failed` or `!bogus` for trouble. Names as questions have them. A name without any
/// line is NXDOMAIN, one with lines of other types only, or none behind it, has no data.
class DnsZone {
public:
    explicit DnsZone(const std::vector<std::string>& lines) {
        for (const auto& line : lines) add(line);
    }

    [[nodiscard]] dns::Answer answer(const dns::Question& question) const {
        const auto found = answers_.find(question);
        if (found != answers_.end()) return found->second;
        const auto status = names_.contains(question.name) ? dns::Status::no_data : dns::Status::no_name;
        return {.status = status, .records = {}, .canonical_name = question.name, .detail = {}};
    }

    /// Answers what a core asks until it is done; gives the number of questions.
    template <class Core>
    std::size_t drive(Core& core) const {
        std::size_t asked = 0;
        while (!core.done()) {
            const auto questions = core.questions();
            if (questions.empty() || asked > 1000) {
                ADD_FAILURE() << "it neither asks nor ends";
                break;
            }
            asked += questions.size();
            for (const auto& question : questions) core.answer(question, answer(question));
        }
        return asked;
    }

private:
    static std::string take_word(std::string_view& line) {
        const auto end = std::min(line.find(' '), line.size());
        std::string word(line.substr(0, end));
        line.remove_prefix(std::min(end + 1, line.size()));
        return word;
    }
    static dns::Type type_of(std::string_view name) {
        for (const auto type : {dns::Type::a, dns::Type::aaaa, dns::Type::mx, dns::Type::ptr, dns::Type::txt})
            if (dns::type_name(type) == name) return type;
        ADD_FAILURE() << name << " is no type";
        return dns::Type::a;
    }
    static dns::Record record_of(dns::Type type, std::string_view text) {
        if (type == dns::Type::txt) return dns::Text{std::string(text)};
        if (type == dns::Type::ptr) return dns::NameRecord{std::string(text)};
        if (type == dns::Type::mx) {
            const auto preference = static_cast<std::uint16_t>(std::stoi(take_word(text)));
            return dns::Mx{preference, std::string(text)};
        }
        const auto address = dns::parse_ip(text);
        EXPECT_TRUE(address) << text;
        const auto as_record = [](const auto& family) { return dns::Record(family); };
        return std::visit(as_record, address.value_or(dns::IpAddress()));
    }

    void add(std::string_view line) {
        const std::string name = take_word(line);
        names_.insert(name);
        if (line.empty()) return;
        const auto type = type_of(take_word(line));
        auto& answer = answers_[{name, type}];
        answer.canonical_name = name;
        answer.status = line == "!failed" ? dns::Status::failed : line == "!bogus" ? dns::Status::bogus : dns::Status::ok;
        if (answer.status == dns::Status::ok) answer.records.push_back(record_of(type, line));
    }

    std::map<dns::Question, dns::Answer> answers_;
    std::set<std::string> names_;
};

}  // namespace thurn::support
