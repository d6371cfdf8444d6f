#pragma once

#include <utility>

#include <unistd.h>

namespace thurn::delivery {

/// Owns a file descriptor of the system; closes it.
class Descriptor {
public:
    Descriptor() = default;
    explicit Descriptor(int number) : number_(number) {}
    ~Descriptor() { reset(); }
    Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        if (this != &other) {
            reset();
            number_ = std::exchange(other.number_, -1);
        }
        return *this;
    }
    [[nodiscard]] int number() const { return number_; }
    [[nodiscard]] bool open() const { return number_ >= 0; }

private:
    void reset() {
        if (number_ >= 0) ::close(number_);
        number_ = -1;
    }
    int number_ = -1;
};

}  // namespace thurn::delivery
