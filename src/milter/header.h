#pragma once

#include "milter/answer.h"

#include <string>
#include <string_view>
#include <vector>

namespace thurn::milter {

/// Whether values come and go with the space behind the colon.
enum class LeadingSpace { implied, given };

/// The header of a message as filters see and change it: each sees what those before it did.
///
/// Numbering  ChangeHeader counts fields of its name, in any case; one that is not there is added at the end, as Postfix does.
/// Safety     Whatever a filter gives as a value is one field: lines that would begin another are folded, control octets left out.
class MessageHeader {
public:
    struct Field {
        std::string name;
        std::string value;  // behind the colon, without its last CRLF
        friend bool operator==(const Field&, const Field&) = default;
    };
    /// Up to the empty line, or to a line that is no field.
    explicit MessageHeader(std::string_view message);

    [[nodiscard]] const std::vector<Field>& fields() const { return fields_; }
    /// Octets of the message that were read, the empty line among them: where the body begins.
    [[nodiscard]] std::size_t read_octets() const { return read_octets_; }
    void apply(const AddHeader& change, LeadingSpace space);
    void apply(const InsertHeader& change, LeadingSpace space);
    void apply(const ChangeHeader& change, LeadingSpace space);
    /// Each with its CRLF, without the empty line. What was not changed is as it was, octet by octet.
    [[nodiscard]] std::string render() const;

private:
    std::vector<Field> fields_;
    std::size_t read_octets_ = 0;
};

}  // namespace thurn::milter
