#include "smtp/conversation.h"

#include <array>

namespace thurn::smtp {

namespace {

constexpr FixedReply kHelloFirst{503, {5, 5, 1}, "EHLO or HELO first"};
constexpr FixedReply kMailFirst{503, {5, 5, 1}, "MAIL first"};
constexpr FixedReply kNested{503, {5, 5, 1}, "A transaction is open already"};
constexpr FixedReply kNoRecipients{554, {5, 5, 1}, "No valid recipients"};
constexpr FixedReply kInTransaction{503, {5, 5, 1}, "Not within a transaction"};
constexpr FixedReply kNoExpn{502, {5, 5, 1}, "EXPN is not provided"};
constexpr FixedReply kUnknown{500, {5, 5, 2}, "Command not recognized"};

constexpr const FixedReply* kLegal = nullptr;

using Row = std::array<const FixedReply*, kStages>;

// clang-format off
constexpr std::array<Row, kVerbs> kTable{{
    //                fresh         ready        sender           recipients
    /* HELO     */ {{ kLegal,       kLegal,      kLegal,          kLegal          }},  // ends a transaction, RFC 5321 §4.1.4
    /* EHLO     */ {{ kLegal,       kLegal,      kLegal,          kLegal          }},
    /* MAIL     */ {{ &kHelloFirst, kLegal,      &kNested,        &kNested        }},
    /* RCPT     */ {{ &kHelloFirst, &kMailFirst, kLegal,          kLegal          }},
    /* DATA     */ {{ &kHelloFirst, &kMailFirst, &kNoRecipients,  kLegal          }},  // 554: RFC 5321 §3.3
    /* RSET     */ {{ kLegal,       kLegal,      kLegal,          kLegal          }},
    /* NOOP     */ {{ kLegal,       kLegal,      kLegal,          kLegal          }},
    /* QUIT     */ {{ kLegal,       kLegal,      kLegal,          kLegal          }},
    /* VRFY     */ {{ kLegal,       kLegal,      kLegal,          kLegal          }},
    /* EXPN     */ {{ &kNoExpn,     &kNoExpn,    &kNoExpn,        &kNoExpn        }},
    /* HELP     */ {{ kLegal,       kLegal,      kLegal,          kLegal          }},
    /* STARTTLS */ {{ &kHelloFirst, kLegal,      &kInTransaction, &kInTransaction }},
    /* AUTH     */ {{ &kHelloFirst, kLegal,      &kInTransaction, &kInTransaction }},  // RFC 4954 §4
    /* unknown  */ {{ &kUnknown,    &kUnknown,   &kUnknown,       &kUnknown       }},
}};
// clang-format on

}  // namespace

const FixedReply* refused_now(Stage stage, Verb verb) { return kTable[static_cast<std::size_t>(verb)][static_cast<std::size_t>(stage)]; }

}  // namespace thurn::smtp
