#include "policy/lookup.h"

#include "mail/mailbox.h"
#include "mailauth/iprev.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

namespace thurn::policy {

namespace {

using dns::Answer;
using dns::Question;
using dns::Status;

bool failed(const Answer& answer) { return answer.status == Status::failed || answer.status == Status::bogus; }

/// A fact that needs nobody, such as one about a name that is none.
class Certain final : public Lookup {
public:
    explicit Certain(FactValue value) : value_(std::move(value)) {}
    std::vector<Question> questions() const override { return {}; }
    void answer(const Question&, const Answer&) override {}
    FactValue take() override { return std::move(value_); }

private:
    FactValue value_;
};

/// Questions that are asked once, all together.
class AskedOnce : public Lookup {
public:
    explicit AskedOnce(std::vector<Question> asked) : open_(std::move(asked)) {}
    std::vector<Question> questions() const final { return settled() ? std::vector<Question>() : open_; }
    void answer(const Question& question, const Answer& answer) final {
        if (std::erase(open_, question) > 0) heard(question, answer);
    }

private:
    virtual void heard(const Question& question, const Answer& answer) = 0;
    /// Whether no further answer could change what take() gives.
    [[nodiscard]] virtual bool settled() const { return false; }
    std::vector<Question> open_;
};

/// Whether a host name has an address, or has a certain one.
class HasAddress final : public AskedOnce {
public:
    HasAddress(const std::string& name, std::optional<dns::IpAddress> wanted)
        : AskedOnce(wanted ? std::vector<Question>{{name, dns::address_type(*wanted)}}
                           : std::vector<Question>{{name, dns::Type::a}, {name, dns::Type::aaaa}}),
          wanted_(wanted) {}
    FactValue take() override {
        if (found_ || trouble_.empty()) return found_;
        return Unavailable{trouble_};
    }

private:
    void heard(const Question&, const Answer& answer) override {
        if (failed(answer)) trouble_ = answer.detail;
        const auto addresses = dns::addresses_in(answer);
        found_ = found_ || (wanted_ ? std::ranges::find(addresses, *wanted_) != addresses.end() : !addresses.empty());
    }
    bool settled() const override { return found_; }
    std::optional<dns::IpAddress> wanted_;
    bool found_ = false;
    std::string trouble_;
};

/// Whether mail to a domain could be delivered (RFC 5321 §5.1, RFC 7505).
class TakesMail final : public AskedOnce {
public:
    explicit TakesMail(const std::string& domain)
        : AskedOnce({{domain, dns::Type::mx}, {domain, dns::Type::a}, {domain, dns::Type::aaaa}}) {}
    FactValue take() override {
        if (null_mx_) return false;
        if (found_ || trouble_.empty()) return found_;
        return Unavailable{trouble_};
    }

private:
    void heard(const Question& question, const Answer& answer) override {
        if (failed(answer)) trouble_ = answer.detail;
        if (question.type != dns::Type::mx) {
            found_ = found_ || !dns::addresses_in(answer).empty();
            return;
        }
        heard_mx_ = true;
        for (const auto& record : answer.records)
            if (const auto* mx = std::get_if<dns::Mx>(&record)) (mx->exchange.empty() ? null_mx_ : found_) = true;
        null_mx_ = null_mx_ && answer.records.size() == 1;
    }
    bool settled() const override { return heard_mx_ && (found_ || null_mx_); }
    bool heard_mx_ = false;
    bool found_ = false;
    bool null_mx_ = false;
    std::string trouble_;
};

/// The client's name, if it leads back to the address.
class ConfirmedName final : public Lookup {
public:
    explicit ConfirmedName(const dns::IpAddress& address) : check_(address) {}
    std::vector<Question> questions() const override { return check_.questions(); }
    void answer(const Question& question, const Answer& answer) override { check_.answer(question, answer); }
    FactValue take() override {
        const auto verdict = check_.take();
        if (verdict.result == mailauth::IprevResult::temperror) return Unavailable{"DNS gave no answer"};
        return verdict.result == mailauth::IprevResult::pass ? verdict.name : std::string();
    }

private:
    mailauth::IprevCheck check_;
};

/// Whether the client may send for the reverse path (RFC 7208).
class Spf final : public Lookup {
public:
    explicit Spf(mailauth::SpfRequest request) : check_(std::move(request)) {}
    std::vector<Question> questions() const override { return check_.questions(); }
    void answer(const Question& question, const Answer& answer) override { check_.answer(question, answer); }
    FactValue take() override {
        if (!check_.done()) return Unavailable{"DNS gave no answer"};
        return std::string(mailauth::spf_result_name(check_.take().result));
    }

private:
    mailauth::SpfCheck check_;
};

/// The sum of some lists.
class Listed final : public AskedOnce {
public:
    using Asked = std::vector<std::pair<const Dnsbl*, Question>>;
    explicit Listed(Asked asked) : AskedOnce(questions_of(asked)), asked_(std::move(asked)) {}
    FactValue take() override {
        if (answered_ == 0 && !trouble_.empty()) return Unavailable{trouble_};
        return sum_;
    }

private:
    static std::vector<Question> questions_of(const Asked& asked) {
        std::vector<Question> questions;
        for (const auto& [list, question] : asked) questions.push_back(question);
        return questions;
    }
    void heard(const Question& question, const Answer& answer) override {
        for (const auto& [list, asked] : asked_) {
            if (asked != question) continue;
            const auto weight = list->weigh(answer);
            if (weight) {
                ++answered_;
                sum_ += *weight;
            } else {
                trouble_ = weight.error().detail;
            }
        }
    }
    Asked asked_;
    double sum_ = 0;
    std::size_t answered_ = 0;
    std::string trouble_;
};

std::unique_ptr<Lookup> certain(FactValue value) { return std::make_unique<Certain>(std::move(value)); }

std::unique_ptr<Lookup> look_up_lists(const std::vector<const Dnsbl*>& lists, std::string_view subject) {
    Listed::Asked asked;
    std::string trouble;
    for (const auto* list : lists) {
        if (auto why = list->trouble(); !why.empty())
            trouble = std::move(why);
        else if (auto question = list->question_for(subject))
            asked.emplace_back(list, *std::move(question));
    }
    if (asked.empty() && !trouble.empty()) return certain(Unavailable{std::move(trouble)});
    if (asked.empty()) return certain(0.0);
    return std::make_unique<Listed>(std::move(asked));
}

/// A list about the client's name, which is looked up first; who has none is not listed.
class NameListed final : public Lookup {
public:
    NameListed(const dns::IpAddress& client, const Dnsbl& list) : name_(client), list_(list) {}
    std::vector<Question> questions() const override { return listed_ ? listed_->questions() : name_.questions(); }
    void answer(const Question& question, const Answer& answer) override {
        if (listed_) {
            listed_->answer(question, answer);
            return;
        }
        name_.answer(question, answer);
        if (name_.questions().empty()) listed_ = look_up(name_.take());
    }
    FactValue take() override { return listed_->take(); }

private:
    [[nodiscard]] std::unique_ptr<Lookup> look_up(FactValue name) const {
        const auto* confirmed = std::get_if<std::string>(&name);
        return confirmed ? look_up_lists({&list_}, *confirmed) : certain(std::move(name));
    }
    ConfirmedName name_;
    const Dnsbl& list_;
    std::unique_ptr<Lookup> listed_;  // once the name is known
};

std::unique_ptr<Lookup> look_up_list(const Dnsbl& list, const Subject& subject, const std::optional<dns::IpAddress>& client) {
    switch (list.said().about) {
        case DnsblSubject::client:
            return look_up_lists({&list}, subject.client_address);
        case DnsblSubject::client_name:
            if (!client || !list.trouble().empty()) return look_up_lists({&list}, {});
            return std::make_unique<NameListed>(*client, list);
        case DnsblSubject::helo:
            return look_up_lists({&list}, subject.helo);
        case DnsblSubject::sender_domain:
            return look_up_lists({&list}, subject.sender_domain);
        case DnsblSubject::author_domain:
            return look_up_lists({&list}, subject.author_domain);
    }
    return certain(0.0);
}

std::unique_ptr<Lookup> look_up_score(const DnsblSet& lists, const Subject& subject) {
    std::vector<const Dnsbl*> about_client;
    for (const auto& list : lists.all())
        if (list->said().about == DnsblSubject::client) about_client.push_back(list.get());
    return look_up_lists(about_client, subject.client_address);
}

std::unique_ptr<Lookup> look_up_helo(const std::string& helo, const std::optional<dns::IpAddress>& client) {
    const auto name = mail::parse_domain(helo, mail::Charset::utf8);
    if (!name) return certain(false);
    if (name->is_literal())
        return certain(!client || name->text() == fmt::format("[{}]", dns::render_ip(*client)) ||
                       name->text() == fmt::format("[IPv6:{}]", dns::render_ip(*client)));
    return std::make_unique<HasAddress>(name->text(), client);
}

}  // namespace

Stage known_since(const Fact& fact, const DnsblSet& lists) {
    const auto* list = fact.kind->name == "dnsbl.*" ? lists.find(fact.argument()) : nullptr;
    if (!list) return fact.kind->since;
    switch (list->said().about) {
        case DnsblSubject::client:
        case DnsblSubject::client_name:
            return Stage::connect;
        case DnsblSubject::helo:
            return Stage::helo;
        case DnsblSubject::sender_domain:
            return Stage::mail;
        case DnsblSubject::author_domain:
            return Stage::content;
    }
    return fact.kind->since;
}

std::unique_ptr<Lookup> begin_lookup(const Fact& fact, const Subject& subject, const DnsblSet& lists) {
    const auto& kind = fact.kind->name;
    const auto address = dns::parse_ip(subject.client_address);
    const auto client = address ? std::optional(dns::unmapped(*address)) : std::nullopt;
    if (kind == "client.name") return client ? std::make_unique<ConfirmedName>(*client) : certain(std::string());
    if (kind == "helo.exists") return look_up_helo(subject.helo, std::nullopt);
    if (kind == "helo.is_client") return client ? look_up_helo(subject.helo, client) : certain(false);
    if (kind == "sender.exists") {
        const auto domain = mail::parse_domain(subject.sender_domain, mail::Charset::utf8);
        if (!domain || domain->is_literal()) return certain(domain.has_value());
        return std::make_unique<TakesMail>(domain->text());
    }
    if (kind == "spf") {
        if (subject.spf) return certain(std::string(mailauth::spf_result_name(*subject.spf)));
        if (!client) return certain(Unavailable{"the client has no IP address"});
        return std::make_unique<Spf>(mailauth::spf_mail_from(*client, subject.helo, subject.reverse_path));
    }
    if (kind == "dnsbl_score") return look_up_score(lists, subject);
    if (const auto* list = lists.find(fact.argument())) return look_up_list(*list, subject, client);
    return certain(Unavailable{fmt::format("there is no list \"{}\"", fact.argument())});
}

}  // namespace thurn::policy
