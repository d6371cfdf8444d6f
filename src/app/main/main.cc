#include <cstdio>

int main() {
    std::puts("thurn");
    return 0;
}
