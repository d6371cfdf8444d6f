#include "archive/sandbox.h"

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <vector>

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace thurn::archive {

namespace {

#if defined(__x86_64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
#else
#error "the sandbox does not know this processor's system calls"
#endif

constexpr std::array kAllowed{
    __NR_read,       __NR_write,        __NR_writev,         __NR_lseek,         __NR_mmap,         __NR_munmap, __NR_mremap,
    __NR_brk,        __NR_madvise,      __NR_futex,          __NR_clock_gettime, __NR_gettimeofday, __NR_exit,   __NR_getpid,
    __NR_exit_group, __NR_rt_sigreturn, __NR_rt_sigprocmask, __NR_sched_yield,   __NR_gettid,       __NR_close,  __NR_sched_getaffinity,
    __NR_getrandom};

// What libraries ask in good faith and do without: time zones, tables of character sets, what kind of file standard output is.
constexpr std::array kDenied{__NR_openat,   __NR_newfstatat, __NR_fstat,  __NR_statx,     __NR_ioctl,
                             __NR_mprotect, __NR_fcntl,      __NR_prctl,  __NR_faccessat, __NR_readlinkat,
#ifdef __NR_open
                             __NR_open,     __NR_stat,       __NR_access, __NR_readlink,
#endif
                             __NR_uname};

constexpr sock_filter say(std::uint32_t answer) { return BPF_STMT(BPF_RET | BPF_K, answer); }
constexpr sock_filter load(std::size_t offset) { return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset)); }
/// Goes on with the next one, or the one behind it.
constexpr sock_filter next_unless(std::uint32_t value) { return BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1); }
constexpr sock_filter skip_if(std::uint32_t value) { return BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 1, 0); }

std::vector<sock_filter> make_filter() {
    std::vector<sock_filter> program{load(offsetof(seccomp_data, arch)), skip_if(kArchitecture), say(SECCOMP_RET_KILL_PROCESS),
                                     load(offsetof(seccomp_data, nr))};
    for (const auto call : kAllowed) {
        program.push_back(next_unless(static_cast<std::uint32_t>(call)));
        program.push_back(say(SECCOMP_RET_ALLOW));
    }
    for (const auto call : kDenied) {
        program.push_back(next_unless(static_cast<std::uint32_t>(call)));
        program.push_back(say(SECCOMP_RET_ERRNO | EACCES));
    }
    program.push_back(say(SECCOMP_RET_KILL_PROCESS));
    return program;
}

bool limit(__rlimit_resource resource, std::uint64_t value) {
    const rlimit both{value, value};
    return ::setrlimit(resource, &both) == 0;
}

/// Address space by now; 0: unknown.
std::uint64_t address_space() {
    unsigned long long pages = 0;
    auto* file = std::fopen("/proc/self/statm", "re");
    if (!file) return 0;
    const bool read = std::fscanf(file, "%llu", &pages) == 1;
    std::fclose(file);
    return read ? pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)) : 0;
}

}  // namespace

bool enter_sandbox(const SandboxLimits& limits) {
    const auto space = address_space();
    if (space == 0) return false;
    const bool limited = limit(RLIMIT_AS, space + limits.memory) &&
                         limit(RLIMIT_CPU, static_cast<std::uint64_t>(limits.processor.count())) && limit(RLIMIT_FSIZE, 0) &&
                         limit(RLIMIT_CORE, 0) && limit(RLIMIT_NOFILE, 0) && limit(RLIMIT_NPROC, 0);
    if (!limited || ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return false;
    ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    auto filter = make_filter();
    const sock_fprog program{static_cast<unsigned short>(filter.size()), filter.data()};
    return ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0;
}

}  // namespace thurn::archive
