/*
 * What client.c needs of a libc, for Linux on x86-64 and AArch64, so that it can be linked without one.
 *
 * A libc sets itself up before main: it asks the processor what it can do, and in a virtual machine each of those
 * questions is a trip to the hypervisor. Measured, that is two thirds of the life of a process that does nothing.
 * client.c uses none of what is set up there: no locale, no stdio, no thread, no floating point.
 *
 * Functions have their standard meaning as far as client.c uses it, which is not the whole of it. Only calls that both
 * architectures have are made. One thread, no TLS: compile with -fno-stack-protector, and with
 * -fno-tree-loop-distribute-patterns, or memcpy becomes a call of itself. See native.py for the whole command.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef SYS_openat2
#define SYS_openat2 437 /* on every architecture */
#endif

/* ---- the kernel ---- */

#if defined(__x86_64__)
__asm__(".globl _start\n_start:\n xor %ebp, %ebp\n mov %rsp, %rdi\n and $-16, %rsp\n call bare_start\n hlt\n");

static long raw(long number, long a, long b, long c, long d, long e, long f)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    __asm__ volatile("syscall"
                     : "+a"(number)
                     : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return number;
}
#elif defined(__aarch64__)
__asm__(".globl _start\n_start:\n mov x29, #0\n mov x30, #0\n mov x0, sp\n and sp, x0, #-16\n bl bare_start\n brk #0\n");

static long raw(long number, long a, long b, long c, long d, long e, long f)
{
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc #0"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                     : "memory", "cc");
    return x0;
}
#else
#error "no system call is known for this processor: build client.c alone, with a libc"
#endif

int main(int argc, char **argv);
__attribute__((noreturn, used)) void bare_start(long *stack);

static char **environment;
static int error_number;

int *__errno_location(void)
{
    return &error_number;
}

static long told(long result)
{
    if (result < 0 && result > -4096) {
        error_number = (int)-result;
        return -1;
    }
    return result;
}

/* Every argument is one register wide, whatever its type: a pointer is as long as a long on both. */
#define CALL6(number, a, b, c, d, e, f) \
    told(raw(number, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f)))
#define CALL(number, a, b, c, d, e) CALL6(number, a, b, c, d, e, 0)

void _exit(int code)
{
    for (;;)
        raw(SYS_exit_group, code, 0, 0, 0, 0, 0);
}

void bare_start(long *stack)
{
    int argc = (int)stack[0];
    char **argv = (char **)(stack + 1);
    environment = argv + argc + 1;
    _exit(main(argc, argv));
}

/* ---- files ---- */

ssize_t read(int fd, void *into, size_t n)
{
    return CALL(SYS_read, fd, into, n, 0, 0);
}

ssize_t write(int fd, const void *from, size_t n)
{
    return CALL(SYS_write, fd, from, n, 0, 0);
}

int close(int fd)
{
    return (int)CALL(SYS_close, fd, 0, 0, 0, 0);
}

/* Without a mode: client.c creates no file. */
int open(const char *path, int flags, ...)
{
    return (int)CALL(SYS_openat, AT_FDCWD, path, flags, 0, 0);
}

int fcntl(int fd, int what, ...)
{
    va_list rest;
    va_start(rest, what);
    int value = what == F_GETFD || what == F_GETFL ? 0 : va_arg(rest, int);
    va_end(rest);
    return (int)CALL(SYS_fcntl, fd, what, value, 0, 0);
}

int access(const char *path, int mode)
{
    return (int)CALL(SYS_faccessat, AT_FDCWD, path, mode, 0, 0);
}

int lstat(const char *path, struct stat *into)
{
    return (int)CALL(SYS_newfstatat, AT_FDCWD, path, into, AT_SYMLINK_NOFOLLOW, 0);
}

ssize_t readlink(const char *path, char *into, size_t n)
{
    return CALL(SYS_readlinkat, AT_FDCWD, path, into, n, 0);
}

int dup2(int from, int to)
{
    return from == to ? to : (int)CALL(SYS_dup3, from, to, 0, 0, 0);
}

int pipe(int ends[2])
{
    return (int)CALL(SYS_pipe2, ends, 0, 0, 0, 0);
}

int poll(struct pollfd *them, nfds_t n, int wait_ms)
{
    struct timespec wait = {.tv_sec = wait_ms / 1000, .tv_nsec = wait_ms % 1000 * 1000000L};
    return (int)CALL(SYS_ppoll, them, n, wait_ms < 0 ? NULL : &wait, NULL, 0);
}

/* Whether it is a real path already: plain as text, and a kernel (since Linux 5.6) opens it without following a link.
 * The other way goes through /proc, whose entries of a process are made when somebody asks: a tenth of the client. */
static int is_real(const char *path)
{
    enum { NO_SYMLINKS = 4 }; /* RESOLVE_NO_SYMLINKS and struct open_how of <linux/openat2.h>, which may be missing */
    struct {
        uint64_t flags, mode, resolve;
    } how = {.flags = O_PATH | O_CLOEXEC, .resolve = NO_SYMLINKS};
    size_t n = strlen(path);
    if (n < 2 || path[0] != '/' || path[n - 1] == '/' || n >= PATH_MAX)
        return 0;
    for (const char *at = path; (at = strchr(at, '/')); at++) {
        const char *name = at + 1;
        size_t dots = name[0] != '.' ? 0 : name[1] != '.' ? 1 : 2;
        if (name[0] == '/' || (dots && (name[dots] == '/' || !name[dots])))
            return 0;
    }
    int fd = (int)CALL(SYS_openat2, AT_FDCWD, path, &how, sizeof how, 0);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

/* The kernel knows the real path of what is open. Fails without /proc, as for a path that is not there. */
char *realpath(const char *path, char *into)
{
    if (is_real(path))
        return into ? memcpy(into, path, strlen(path) + 1) : strdup(path);
    static const char folder[] = "/proc/self/fd/";
    char link[sizeof folder + 12], digits[12], real[PATH_MAX + 1];
    int fd = open(path, O_PATH | O_CLOEXEC), n = 0;
    if (fd < 0)
        return NULL;
    memcpy(link, folder, sizeof folder);
    char *at = link + sizeof folder - 1;
    for (int rest = fd; n == 0 || rest; rest /= 10)
        digits[n++] = (char)('0' + rest % 10);
    while (n)
        *at++ = digits[--n];
    *at = 0;
    ssize_t size = readlink(link, real, PATH_MAX);
    close(fd);
    if (size <= 0 || size >= PATH_MAX || real[0] != '/')
        return NULL;
    real[size] = 0;
    return into ? memcpy(into, real, (size_t)size + 1) : strdup(real);
}

/* ---- sockets ---- */

int socket(int family, int type, int protocol)
{
    return (int)CALL(SYS_socket, family, type, protocol, 0, 0);
}

int connect(int fd, const struct sockaddr *address, socklen_t size)
{
    return (int)CALL(SYS_connect, fd, address, size, 0, 0);
}

int getsockopt(int fd, int level, int name, void *into, socklen_t *size)
{
    return (int)CALL(SYS_getsockopt, fd, level, name, into, size);
}

/* ---- time, processes ---- */

int clock_gettime(clockid_t clock, struct timespec *into)
{
    return (int)CALL(SYS_clock_gettime, clock, into, 0, 0, 0);
}

int nanosleep(const struct timespec *wait, struct timespec *left)
{
    return (int)CALL(SYS_nanosleep, wait, left, 0, 0, 0);
}

pid_t getpid(void)
{
    return (pid_t)raw(SYS_getpid, 0, 0, 0, 0, 0, 0);
}

uid_t getuid(void)
{
    return (uid_t)raw(SYS_getuid, 0, 0, 0, 0, 0, 0);
}

ssize_t getrandom(void *into, size_t n, unsigned flags)
{
    return CALL(SYS_getrandom, into, n, flags, 0, 0);
}

pid_t fork(void)
{
    return (pid_t)CALL(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

int execve(const char *path, char *const argv[], char *const given[])
{
    return (int)CALL(SYS_execve, path, argv, given, 0, 0);
}

pid_t waitpid(pid_t pid, int *status, int how)
{
    return (pid_t)CALL(SYS_wait4, pid, status, how, 0, 0);
}

int kill(pid_t pid, int number)
{
    return (int)CALL(SYS_kill, pid, number, 0, 0, 0);
}

int prctl(int what, ...)
{
    va_list rest;
    va_start(rest, what);
    long value = va_arg(rest, long);
    va_end(rest);
    return (int)CALL(SYS_prctl, what, value, 0, 0, 0);
}

/* SIG_IGN and SIG_DFL only: returning from a handler would need more. The kernel's sigaction is not libc's. */
__sighandler_t signal(int number, __sighandler_t what)
{
    struct {
        __sighandler_t handler;
        unsigned long flags;
        void *restorer;
        uint64_t mask;
    } action = {.handler = what};
    return CALL(SYS_rt_sigaction, number, &action, NULL, sizeof action.mask, 0) ? SIG_ERR : SIG_DFL;
}

/* ---- memory ---- */

/* What is small comes from an arena and is never given back: a client lives for a millisecond. It holds all of a usual
 * call (room for one read of stdin among it), and what is not touched of it costs nothing. The rest has pages of its
 * own, which the kernel moves when they grow. */
struct block {
    size_t size; /* of the pages, this head included; 0 = lies in the arena */
    size_t room; /* bytes that its user has */
};
enum { PAGE = 65536, HEAD = sizeof(struct block) };
_Static_assert(HEAD == 16, "what malloc gives must be aligned to 16 bytes");
static _Alignas(16) char arena[256 << 10];
static size_t arena_used;

static size_t pages_for(size_t n)
{
    return n > SIZE_MAX - HEAD - PAGE ? 0 : (n + HEAD + PAGE - 1) / PAGE * PAGE;
}

static void *of_pages(long address, size_t size)
{
    if (address == -1)
        return NULL;
    struct block *made = (struct block *)address;
    made->size = size;
    made->room = size - HEAD;
    return made + 1;
}

void *malloc(size_t n)
{
    size_t rounded = n > sizeof arena ? n : (n + 15) / 16 * 16;
    if (rounded + HEAD <= sizeof arena - arena_used && rounded <= sizeof arena) {
        struct block *made = (struct block *)(arena + arena_used);
        arena_used += rounded + HEAD;
        made->size = 0;
        made->room = rounded;
        return made + 1;
    }
    size_t size = pages_for(n);
    if (!size)
        return NULL;
    return of_pages(CALL6(SYS_mmap, 0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), size);
}

void free(void *given)
{
    struct block *old = given ? (struct block *)given - 1 : NULL;
    if (old && old->size)
        raw(SYS_munmap, (long)old, (long)old->size, 0, 0, 0, 0);
}

void *realloc(void *given, size_t n)
{
    if (!given)
        return malloc(n);
    struct block *old = (struct block *)given - 1;
    if (n <= old->room)
        return given;
    if (old->size) {
        size_t size = pages_for(n);
        return size ? of_pages(CALL(SYS_mremap, old, old->size, size, MREMAP_MAYMOVE, 0), size) : NULL;
    }
    void *made = malloc(n);
    return made ? memcpy(made, given, old->room) : NULL;
}

/* ---- bytes and strings ---- */

void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
    char *t = to;
    const char *f = from;
    for (size_t i = 0; i < n; i++)
        t[i] = f[i];
    return to;
}

void *memset(void *at, int value, size_t n)
{
    char *a = at;
    for (size_t i = 0; i < n; i++)
        a[i] = (char)value;
    return at;
}

int memcmp(const void *one, const void *other, size_t n)
{
    const unsigned char *a = one, *b = other;
    for (size_t i = 0; i < n; i++)
        if (a[i] != b[i])
            return a[i] - b[i];
    return 0;
}

size_t strnlen(const char *text, size_t most)
{
    size_t n = 0;
    while (n < most && text[n])
        n++;
    return n;
}

size_t strlen(const char *text)
{
    return strnlen(text, SIZE_MAX);
}

int strncmp(const char *one, const char *other, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (one[i] != other[i] || !one[i])
            return (unsigned char)one[i] - (unsigned char)other[i];
    return 0;
}

int strcmp(const char *one, const char *other)
{
    return strncmp(one, other, SIZE_MAX);
}

char *strchr(const char *text, int wanted)
{
    for (;; text++) {
        if (*text == (char)wanted)
            return (char *)(uintptr_t)text;
        if (!*text)
            return NULL;
    }
}

char *strrchr(const char *text, int wanted)
{
    char *last = NULL;
    for (char *at = (char *)(uintptr_t)text; (at = strchr(at, wanted)); at++) {
        last = at;
        if (!*at)
            break;
    }
    return last;
}

char *strdup(const char *text)
{
    size_t n = strlen(text) + 1;
    char *made = malloc(n);
    return made ? memcpy(made, text, n) : NULL;
}

char *getenv(const char *name)
{
    size_t n = strlen(name);
    for (char **one = environment; *one; one++)
        if (!strncmp(*one, name, n) && (*one)[n] == '=')
            return *one + n + 1;
    return NULL;
}
