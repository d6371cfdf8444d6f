#include "smtp/conversation.h"

#include <array>

namespace thurn::smtp {

namespace {

constexpr FixedReply kHelloFirst{503, {5, 5, 1}, "EHLO or HELO first"};
constexpr FixedReply kMailFirst{503, {5, 5, 1}, "MAIL first"};
constexpr FixedReply kNested{503, {5, 5, 1}, "A transaction is open already"};
constexpr FixedReply kNoRecipients{554, {5, 5, 1}, "No valid recipients"};
constexpr FixedReply kRcptFirst{503, {5, 5, 1}, "RCPT first"};
constexpr FixedReply kChunks{503, {5, 5, 1}, "Content has begun to come by BDAT"};
constexpr FixedReply kInTransaction{503, {5, 5, 1}, "Not within a transaction"};
constexpr FixedReply kUnknown{500, {5, 5, 2}, "Command not recognized"};

constexpr const FixedReply* kLegal = nullptr;

using Row = std::array<const FixedReply*, kStages>;

// clang-format off
constexpr std::array<Row, kVerbs> kTable{{
    //                fresh         ready        sender           recipients       chunks
    /* HELO     */ {{ kLegal,       kLegal,      kLegal,          kLegal,          kLegal          }},  // ends a transaction, RFC 5321 §4.1.4
    /* EHLO     */ {{ kLegal,       kLegal,      kLegal,          kLegal,          kLegal          }},
    /* LHLO     */ {{ kLegal,       kLegal,      kLegal,          kLegal,          kLegal          }},  // RFC 2033 §4.1
    /* MAIL     */ {{ &kHelloFirst, kLegal,      &kNested,        &kNested,        &kChunks        }},
    /* RCPT     */ {{ &kHelloFirst, &kMailFirst, kLegal,          kLegal,          &kChunks        }},
    /* DATA     */ {{ &kHelloFirst, &kMailFirst, &kNoRecipients,  kLegal,          &kChunks        }},  // 554: RFC 5321 §3.3
    /* BDAT     */ {{ &kHelloFirst, &kMailFirst, &kRcptFirst,     kLegal,          kLegal          }},  // RFC 3030 §2
    /* RSET     */ {{ kLegal,       kLegal,      kLegal,          kLegal,          kLegal          }},
    /* NOOP     */ {{ kLegal,       kLegal,      kLegal,          kLegal,          kLegal          }},
    /* QUIT     */ {{ kLegal,       kLegal,      kLegal,          kLegal,          kLegal          }},
    /* VRFY     */ {{ kLegal,       kLegal,      kLegal,          kLegal,          kLegal          }},
    /* EXPN     */ {{ kLegal,       kLegal,      kLegal,          kLegal,          kLegal          }},
    /* HELP     */ {{ kLegal,       kLegal,      kLegal,          kLegal,          kLegal          }},
    /* ETRN     */ {{ &kHelloFirst, kLegal,      &kInTransaction, &kInTransaction, &kInTransaction }},  // RFC 1985 §5
    /* STARTTLS */ {{ &kHelloFirst, kLegal,      &kInTransaction, &kInTransaction, &kInTransaction }},
    /* AUTH     */ {{ &kHelloFirst, kLegal,      &kInTransaction, &kInTransaction, &kInTransaction }},  // RFC 4954 §4
    /* XCLIENT  */ {{ kLegal,       kLegal,      &kInTransaction, &kInTransaction, &kInTransaction }},
    /* XFORWARD */ {{ kLegal,       kLegal,      &kInTransaction, &kInTransaction, &kInTransaction }},
    /* unknown  */ {{ &kUnknown,    &kUnknown,   &kUnknown,       &kUnknown,       &kUnknown       }},
}};
// clang-format on

}  // namespace

const FixedReply* refused_now(Stage stage, Verb verb) { return kTable[static_cast<std::size_t>(verb)][static_cast<std::size_t>(stage)]; }

}  // namespace thurn::smtp
