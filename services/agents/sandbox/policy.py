"""Which system calls code in the sandbox may make: a list of those that are needed; all others fail with EPERM.

Not on it, among others: sockets that reach anything, namespaces and mounts, ptrace and memory of other processes, keys,
bpf, io_uring, userfaultfd, files in memory without a name, other processes' limits.
"""

from __future__ import annotations

import errno
import os
from typing import Any, Final

_FILES: Final = """
    read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 open openat creat close close_range
    stat fstat lstat newfstatat statx access faccessat faccessat2 lseek ftruncate truncate fallocate fsync fdatasync
    sync_file_range fadvise64 readlink readlinkat getdents getdents64 getcwd chdir fchdir mkdir mkdirat rmdir unlink
    unlinkat rename renameat renameat2 link linkat symlink symlinkat chmod fchmod fchmodat fchmodat2 utime utimes
    utimensat futimesat umask dup dup2 dup3 pipe pipe2 fcntl flock sendfile copy_file_range splice tee statfs
    fstatfs poll ppoll select pselect6 epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2
    eventfd eventfd2 timerfd_create timerfd_settime timerfd_gettime
"""
_MEMORY: Final = "brk mmap munmap mremap mprotect madvise mincore msync membarrier"
_SELF: Final = """
    exit exit_group getpid getppid gettid getpgid getpgrp getsid getuid geteuid getgid getegid getresuid getresgid
    getgroups getrlimit getrusage times sysinfo uname getcpu sched_yield sched_getparam sched_getscheduler
    sched_get_priority_max sched_get_priority_min getpriority set_tid_address set_robust_list get_robust_list rseq
    futex futex_waitv arch_prctl capget rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigtimedwait
    rt_sigsuspend sigaltstack alarm setitimer getitimer pause restart_syscall clock_gettime clock_getres
    clock_nanosleep nanosleep gettimeofday time timer_create timer_settime timer_gettime timer_delete timer_getoverrun
    getrandom shutdown sendto recvfrom sendmsg recvmsg getsockopt setsockopt getsockname getpeername
"""
_PROCESSES: Final = "fork vfork execve execveat wait4 waitid kill tkill tgkill setpgid setsid"

_AF_UNIX: Final = 1
_CLONE_THREAD: Final = 0x00010000
_NEW_NAMESPACES: Final = 0x7E020000 | 0x00000080
_TERMINAL_AND_FLAGS: Final = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
"""TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX."""
_PRCTL: Final = (15, 16, 23, 0x53564D41)
"""PR_SET_NAME, PR_GET_NAME, PR_CAPBSET_READ, PR_SET_VMA."""


def compiled(*, processes: bool) -> bytes:
    """Return the filter as the kernel takes it; without ``processes`` threads alone can start and nothing is signalled.

    Raises:
        RuntimeError: there is no libseccomp.
    """
    # the package looks for the library when it is imported and fails where there is none
    import pyseccomp as seccomp  # type: ignore[import-untyped]  # the package has no types

    policy = seccomp.SyscallFilter(seccomp.ERRNO(errno.EPERM))
    for name in (_FILES + _MEMORY + _SELF + (_PROCESSES if processes else "")).split():
        _allow(seccomp, policy, name)
    _allow(seccomp, policy, "socketpair", seccomp.Arg(0, seccomp.EQ, _AF_UNIX))
    for name in ("prlimit64", "sched_getaffinity"):
        _allow(seccomp, policy, name, seccomp.Arg(0, seccomp.EQ, 0))
    for request in _TERMINAL_AND_FLAGS:
        _allow(seccomp, policy, "ioctl", seccomp.Arg(1, seccomp.EQ, request))
    for option in _PRCTL:
        _allow(seccomp, policy, "prctl", seccomp.Arg(0, seccomp.EQ, option))
    kind = (_NEW_NAMESPACES, 0) if processes else (_NEW_NAMESPACES | _CLONE_THREAD, _CLONE_THREAD)
    _allow(seccomp, policy, "clone", seccomp.Arg(0, seccomp.MASKED_EQ, *kind))
    # its flags are in memory, where a filter can't look; the C library then takes clone
    policy.add_rule(seccomp.ERRNO(errno.ENOSYS), "clone3")
    return _exported(policy)


def _allow(seccomp: Any, policy: Any, name: str, *conditions: Any) -> None:
    """Allow a system call, if this kind of machine has it."""
    try:
        number = seccomp.resolve_syscall(seccomp.system_arch(), name)
    except (OSError, ValueError):
        return
    if number >= 0:
        policy.add_rule(seccomp.ALLOW, number, *conditions)


def _exported(policy: Any) -> bytes:
    reading, writing = os.pipe()
    # a filter of this size fits into a pipe
    with os.fdopen(reading, "rb") as source:
        with os.fdopen(writing, "wb") as target:
            policy.export_bpf(target)
        return source.read()
