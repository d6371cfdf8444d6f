#include "mail/idna.h"

#include <gtest/gtest.h>

namespace thurn::mail {
namespace {

struct Case {
    const char* name;
    const char* a_labels;  // empty: none
    const char* u_labels;
};

TEST(Idna, GivesBothForms) {
    for (const auto& [name, a_labels, u_labels] : {
             Case{"Example.COM", "example.com", "example.com"},
             Case{"b\u00fccher.example", "xn--bcher-kva.example", "b\u00fccher.example"},
             Case{"B\u00dcCHER.example", "xn--bcher-kva.example", "b\u00fccher.example"},
             Case{"XN--bcher-kva.example", "xn--bcher-kva.example", "b\u00fccher.example"},
             Case{"fa\u00df.example", "xn--fa-hia.example", "fa\u00df.example"},
             Case{"\u98df\u72ee.\u516c\u53f8.cn", "xn--85x722f.xn--55qx5d.cn", "\u98df\u72ee.\u516c\u53f8.cn"},
             Case{"a\u3002example", "a.example", "a.example"},
             Case{"example.com.", "example.com.", "example.com."},
             Case{"xn--a.example", "", ""},
             Case{"xn--.example", "", ""},
             Case{"", "", ""},
             Case{".", "", ""},
             Case{"a..b", "", ""},
             Case{"a b", "", ""},
             Case{"-a.example", "", ""},
             Case{"\xff.example", "", ""},
             Case{"[192.0.2.1]", "", ""},
         }) {
        EXPECT_EQ(to_a_labels(name).value_or(""), a_labels) << name;
        EXPECT_EQ(to_u_labels(name).value_or(""), u_labels) << name;
    }
}

}  // namespace
}  // namespace thurn::mail
