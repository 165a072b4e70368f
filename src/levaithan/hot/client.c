/*
 * The native hook client: what Claude Code starts for every event, so it must cost next to nothing.
 *
 *   levaithan-hook [EVENT] [--home HOME]  < event.json
 *
 * It sends the event to the service over a Unix socket and repeats the answer. When no service answers, it runs the same
 * gate in one Python process (oneshot.py). When even that is impossible, a guard event is refused (exit 2, with the
 * reason) and any other passes (exit 0): no other exit code exists, because Claude Code lets the tool run on them.
 * The protocol is docs/reference/socket-protocol.md; client.py is the same in Python and shares this file's tests.
 * No dependency beyond libc; no locale, no stdio: they cost start time. Nothing of the payload ever touches a disk.
 */
#define _GNU_SOURCE
#define _DARWIN_C_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#ifdef __APPLE__
#include <mach-o/dyld.h>
#endif
#ifdef __linux__
#include <sys/prctl.h>
#include <sys/random.h>
#endif

enum {
    HEADER_MAX = 64 << 10,       /* the protocol's limit */
    VALUE_MAX = 8 << 10,         /* of one header value: no honest one is longer, all together stay below HEADER_MAX */
    ANSWER_MAX = 16 << 20,
    TRUNCATED_PAYLOAD = 1 << 20, /* what is sent of a stdin beyond max_stdin_bytes */
    ONE_WRITE = 64 << 10,        /* a payload up to this goes out with its header: a service woken once is faster */
    SOCKET_PATH_LIMIT = 100,     /* as in paths.py */
    EVENT_MAX = 128,
    STDIN_IDLE_MS = 4000, /* a stdin that stays open and silent must not use up the registered timeout (10 s) */
    STDIN_MS = 6000,      /* nor one that drips */
    TOTAL_MS = 9000       /* the one-shot is ended here, so that the refusal comes before Claude Code's timeout */
};

struct bytes {
    char *at;
    size_t len, cap;
};

struct conf {
    char *python, *src;
    long wait_ms;
    size_t max_stdin;
};

struct call {
    char event[EVENT_MAX], id[33], started[24];
    char *home;
    struct conf conf;
    struct bytes payload;
    unsigned long long total; /* bytes of stdin, also those not kept */
    int truncated, sent;
    int64_t begun_ms; /* monotonic */
};

/* ---- small things ---- */

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int grow(struct bytes *b, size_t more)
{
    if (more > SIZE_MAX / 4 - b->len)
        return -1;
    if (b->len + more <= b->cap)
        return 0;
    size_t cap = b->cap ? b->cap : 512;
    while (cap < b->len + more)
        cap *= 2;
    char *at = realloc(b->at, cap);
    if (!at)
        return -1;
    b->at = at;
    b->cap = cap;
    return 0;
}

static int put(struct bytes *b, const char *from, size_t n)
{
    if (grow(b, n + 1))
        return -1;
    if (n)
        memcpy(b->at + b->len, from, n);
    b->len += n;
    b->at[b->len] = 0;
    return 0;
}

/* All the strings up to a NULL, joined in new memory; NULL when there is none left. */
static char *join(const char *first, ...)
{
    struct bytes b = {0};
    va_list rest;
    int failed = 0;
    va_start(rest, first);
    for (const char *s = first; s && !failed; s = va_arg(rest, const char *))
        failed = put(&b, s, strlen(s));
    va_end(rest);
    if (failed) {
        free(b.at);
        return NULL;
    }
    return b.at;
}

static void to_decimal(unsigned long long value, char out[24])
{
    char digits[24];
    int n = 0, i = 0;
    do {
        digits[n++] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    while (n)
        out[i++] = digits[--n];
    out[i] = 0;
}

static int write_all(int fd, const char *from, size_t n)
{
    while (n) {
        ssize_t done = write(fd, from, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            struct pollfd p = {.fd = fd, .events = POLLOUT};
            if (poll(&p, 1, STDIN_IDLE_MS) == 0)
                return -1;
            continue;
        }
        if (done <= 0)
            return -1;
        from += done;
        n -= (size_t)done;
    }
    return 0;
}

static int is_guard(const char *event)
{
    static const char *const guards[] = {"PreToolUse", "PermissionRequest", "UserPromptSubmit", "ConfigChange"};
    for (size_t i = 0; i < sizeof guards / sizeof *guards; i++)
        if (!strcmp(event, guards[i]))
            return 1;
    return 0;
}

/* The end of the road: nobody can decide. Says why on stderr and gives the exit code of the event's fail direction. */
static int fail_direction(const struct call *call, const char *why)
{
    if (!is_guard(call->event))
        return 0;
    char *text = join("LevAIthan refuses this ", call->event, ": it could not be checked (", why,
                      "). Next step, in a terminal: run `levaithan doctor --fix` or `./setup.sh`, then try again.\n", NULL);
    if (!text)
        return 2;
    int code = 2;
    if (strcmp(call->event, "PermissionRequest"))
        write_all(2, text, strlen(text));
    else { /* Claude Code ignores exit 2 on this one: it is denied in JSON (`why` needs no escapes) */
        text[strlen(text) - 1] = 0;
        char *json = join("{\"hookSpecificOutput\":{\"hookEventName\":\"PermissionRequest\",\"decision\":"
                          "{\"behavior\":\"deny\",\"message\":\"", text, "\"}}}\n", NULL);
        code = json && !write_all(1, json, strlen(json)) ? 0 : 2;
        free(json);
    }
    free(text);
    return code;
}

/* ---- where and how: home, hot.conf, stdin ---- */

/* The home of a call without --home: the folder above the one that this binary lies in (H/bin/levaithan-hook). */
static char *home_of_binary(void)
{
    char path[PATH_MAX + 1], real[PATH_MAX + 1];
#ifdef __APPLE__
    uint32_t size = sizeof path;
    if (_NSGetExecutablePath(path, &size))
        return NULL;
#else
    ssize_t n = readlink("/proc/self/exe", path, PATH_MAX);
    if (n <= 0)
        return NULL;
    path[n] = 0;
#endif
    if (!realpath(path, real))
        return NULL;
    for (int level = 0; level < 2; level++) {
        char *slash = strrchr(real, '/');
        if (!slash || slash == real)
            return NULL;
        *slash = 0;
    }
    return strdup(real);
}

static void read_number(const char *text, unsigned long long least, unsigned long long most, unsigned long long *into)
{
    unsigned long long value = 0;
    size_t n = 0;
    for (; text[n]; n++) {
        if (text[n] < '0' || text[n] > '9' || n >= 18)
            return; /* not a whole number: the default stays, as in hotconf.py */
        value = value * 10 + (unsigned)(text[n] - '0');
    }
    if (n && value >= least && value <= most)
        *into = value;
}

static char *trim(char *text)
{
    while (*text == ' ' || *text == '\t' || *text == '\r')
        text++;
    size_t n = strlen(text);
    while (n && (text[n - 1] == ' ' || text[n - 1] == '\t' || text[n - 1] == '\r'))
        text[--n] = 0;
    return text;
}

static void take_line(struct conf *conf, char *line)
{
    char *equals = strchr(line, '=');
    if (!equals)
        return;
    *equals = 0;
    const char *key = trim(line), *value = trim(equals + 1);
    unsigned long long wait_ms = (unsigned long long)conf->wait_ms, max_stdin = conf->max_stdin;
    if (!strcmp(key, "python")) {
        free(conf->python);
        conf->python = strdup(value);
    } else if (!strcmp(key, "src")) {
        free(conf->src);
        conf->src = strdup(value);
    } else if (!strcmp(key, "wait_ms"))
        read_number(value, 1, 5000, &wait_ms);
    else if (!strcmp(key, "max_stdin_bytes"))
        read_number(value, 1ULL << 20, 1ULL << 30, &max_stdin);
    conf->wait_ms = (long)wait_ms;
    conf->max_stdin = (size_t)max_stdin;
}

static void read_conf(const char *home, struct conf *conf)
{
    struct bytes text = {0};
    char *path = join(home, "/state/hot.conf", NULL);
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
    free(path);
    if (fd < 0)
        return;
    while (text.len < (1 << 20) && !grow(&text, 4097)) {
        ssize_t n = read(fd, text.at + text.len, 4096);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        text.len += (size_t)n;
    }
    close(fd);
    if (text.at) {
        text.at[text.len] = 0;
        for (char *line = text.at; line;) {
            char *next = strchr(line, '\n');
            if (next)
                *next++ = 0;
            take_line(conf, line);
            line = next;
        }
    }
    free(text.at);
}

/* Whole stdin. Beyond max_stdin the first MiB is kept and the rest is drained, so that the writer never blocks. */
static int read_stdin(struct call *call)
{
    static char scrap[1 << 16];
    struct bytes *b = &call->payload;
    for (;;) {
        struct pollfd p = {.fd = 0, .events = POLLIN};
        int64_t left = call->begun_ms + STDIN_MS - now_ms();
        int ready = left > 0 ? poll(&p, 1, left < STDIN_IDLE_MS ? (int)left : STDIN_IDLE_MS) : 0;
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready == 0)
            return 0; /* what came so far is judged: half an event is refused where it matters */
        if (!call->truncated && grow(b, sizeof scrap + 1))
            return -1;
        ssize_t n = read(0, call->truncated ? scrap : b->at + b->len, sizeof scrap);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n <= 0)
            return 0;
        call->total += (unsigned long long)n;
        if (!call->truncated)
            b->len += (size_t)n;
        if (!call->truncated && call->total > call->conf.max_stdin) {
            call->truncated = 1;
            b->len = TRUNCATED_PAYLOAD;
        }
    }
}

/* The end of the JSON string that begins at text[i] (just after its quote): the index of the closing quote, or n. */
static size_t string_end(const char *text, size_t i, size_t n)
{
    while (i < n && text[i] != '"')
        i += text[i] == '\\' ? 2 : 1;
    return i < n ? i : n;
}

static size_t skip_blank(const char *text, size_t i, size_t n)
{
    while (i < n && (text[i] == ' ' || text[i] == '\n' || text[i] == '\t' || text[i] == '\r'))
        i++;
    return i;
}

/* The value of the top-level key hook_event_name (the last one, as Python's json has it). A nested one, or one in a
 * string, is the agent's text and must not decide the fail direction: hence depth and strings are followed. */
static void find_event(const char *text, size_t n, char event[EVENT_MAX])
{
    static const char key[] = "hook_event_name";
    int depth = 0;
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '{' || text[i] == '[')
            depth++;
        else if (text[i] == '}' || text[i] == ']')
            depth--;
        if (text[i] != '"')
            continue;
        size_t from = i + 1, end = string_end(text, from, n);
        i = end;
        if (depth != 1 || end - from != sizeof key - 1 || memcmp(text + from, key, sizeof key - 1))
            continue;
        size_t at = skip_blank(text, end + 1, n);
        if (at >= n || text[at] != ':')
            continue;
        at = skip_blank(text, at + 1, n);
        if (at >= n || text[at] != '"')
            continue;
        end = string_end(text, at + 1, n);
        if (end < n && end - at - 1 < EVENT_MAX) {
            memcpy(event, text + at + 1, end - at - 1);
            event[end - at - 1] = 0;
        }
        i = end;
    }
}

/* ---- the event's id and header ---- */

static void random_bytes(unsigned char *into, size_t n)
{
#ifdef __APPLE__
    arc4random_buf(into, n);
#else
    ssize_t got = getrandom(into, n, GRND_NONBLOCK);
    if (got == (ssize_t)n)
        return;
    int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    got = fd >= 0 ? read(fd, into, n) : -1;
    if (fd >= 0)
        close(fd);
    if (got != (ssize_t)n) { /* an id must only be unique: clock, process and an address do */
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        uint64_t mix = (uint64_t)t.tv_nsec * 2654435761u ^ (uint64_t)getpid() << 32 ^ (uint64_t)(uintptr_t)&t;
        for (size_t i = 0; i < n; i++)
            into[i] = (unsigned char)((mix = mix * 6364136223846793005ULL + 1442695040888963407ULL) >> 56);
    }
#endif
}

static void make_id(struct call *call)
{
    static const char hex[] = "0123456789abcdef";
    unsigned char raw[16];
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    unsigned long long ns = (unsigned long long)t.tv_sec * 1000000000ULL + (unsigned long long)t.tv_nsec;
    unsigned long long ms = ns / 1000000ULL;
    to_decimal(ns, call->started);
    for (int i = 0; i < 6; i++)
        raw[i] = (unsigned char)(ms >> (8 * (5 - i)));
    random_bytes(raw + 6, 10);
    for (int i = 0; i < 16; i++) {
        call->id[2 * i] = hex[raw[i] >> 4];
        call->id[2 * i + 1] = hex[raw[i] & 15];
    }
    call->id[32] = 0;
}

static int header_line(struct bytes *head, const char *key, const char *value)
{
    if (!value || !*value)
        return 0;
    size_t n = strnlen(value, VALUE_MAX), from = head->len + strlen(key) + 1;
    if (put(head, key, strlen(key)) || put(head, "=", 1) || put(head, value, n) || put(head, "\n", 1))
        return -1;
    for (size_t i = from; i < head->len - 1; i++)
        if (head->at[i] == '\n' || head->at[i] == '\r')
            head->at[i] = ' '; /* a line break in a value would forge a header of its own */
    return 0;
}

static void big_endian(unsigned char *at, size_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (unsigned char)(value >> (8 * (3 - i)));
}

static size_t from_big_endian(const unsigned char *at)
{
    return (size_t)at[0] << 24 | (size_t)at[1] << 16 | (size_t)at[2] << 8 | at[3];
}

static int make_header(const struct call *call, struct bytes *head)
{
    char total[24];
    to_decimal(call->total, total);
    int failed = put(head, "LVH1\0\0\0\0\0\0\0\0", 12);
    failed = failed || header_line(head, "id", call->id) || header_line(head, "event", call->event);
    failed = failed || header_line(head, "path", "native") || header_line(head, "started_ns", call->started);
    failed = failed || header_line(head, "project", getenv("CLAUDE_PROJECT_DIR"));
    failed = failed || header_line(head, "pid", getenv("CLAUDE_PID")) || header_line(head, "agent", getenv("AI_AGENT"));
    failed = failed || header_line(head, "effort", getenv("CLAUDE_EFFORT"));
    failed = failed || header_line(head, "attended", getenv("CLAUDE_CODE_SESSION_ATTENDED"));
    failed = failed || (call->truncated && header_line(head, "truncated", total));
    if (failed || head->len - 12 > HEADER_MAX)
        return -1;
    big_endian((unsigned char *)head->at + 4, head->len - 12);
    big_endian((unsigned char *)head->at + 8, call->payload.len);
    return 0;
}

/* ---- the service ---- */

static int is_private(const char *folder)
{
    struct stat s;
    return !lstat(folder, &s) && S_ISDIR(s.st_mode) && s.st_uid == getuid() && !(s.st_mode & 077);
}

/* The socket's path, or NULL when its folder is not ours alone. The same rule as run_dir() in paths.py. */
static char *socket_path(const char *home)
{
    static const char hex[] = "0123456789abcdef";
    char uid[24], name[17];
    char *run = join(home, "/run", NULL);
    if (run && strlen(run) + strlen("/hook.sock") > SOCKET_PATH_LIMIT) {
        uint64_t hash = 0xCBF29CE484222325ULL;
        for (const char *c = home; *c; c++)
            hash = (hash ^ (unsigned char)*c) * 0x100000001B3ULL;
        for (int i = 0; i < 16; i++)
            name[i] = hex[hash >> (60 - 4 * i) & 15];
        name[16] = 0;
        to_decimal(getuid(), uid);
        free(run);
        char *parent = join("/tmp/levaithan-", uid, NULL);
        run = parent && is_private(parent) ? join(parent, "/", name, NULL) : NULL;
        free(parent);
    }
    char *path = run && is_private(run) ? join(run, "/hook.sock", NULL) : NULL;
    free(run);
    return path;
}

static int peer_is_us(int fd)
{
#ifdef __linux__
    struct ucred who;
    socklen_t size = sizeof who;
    return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) && who.uid == getuid();
#else
    uid_t uid;
    gid_t gid;
    return !getpeereid(fd, &uid, &gid) && uid == getuid();
#endif
}

static int connect_service(const char *home, int64_t deadline)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char *path = socket_path(home);
    if (!path || strlen(path) >= sizeof address.sun_path) {
        free(path);
        return -1;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    free(path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0)
        return -1;
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    fcntl(fd, F_SETFL, O_NONBLOCK); /* a full backlog would otherwise block connect() without a limit */
    while (connect(fd, (struct sockaddr *)&address, sizeof address)) {
        struct timespec pause = {.tv_nsec = 2000000};
        if ((errno != EAGAIN && errno != EINTR) || now_ms() >= deadline) {
            close(fd);
            return -1;
        }
        nanosleep(&pause, NULL);
    }
    if (!peer_is_us(fd)) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Waits until fd is ready for `what`, at most to the deadline. */
static int ready(int fd, short what, int64_t deadline)
{
    for (;;) {
        int64_t left = deadline - now_ms();
        struct pollfd p = {.fd = fd, .events = what};
        int n = left > 0 ? poll(&p, 1, (int)left) : 0;
        if (n < 0 && errno == EINTR)
            continue;
        return n > 0 ? 0 : -1;
    }
}

static int send_part(int fd, const char *from, size_t n, int64_t deadline)
{
    while (n) {
        ssize_t done = write(fd, from, n);
        if (done > 0) {
            from += done;
            n -= (size_t)done;
        } else if (done < 0 && errno != EINTR && (errno != EAGAIN || ready(fd, POLLOUT, deadline)))
            return -1;
        if (n && now_ms() >= deadline)
            return -1;
    }
    return 0;
}

static int receive(int fd, char *into, size_t n, int64_t deadline)
{
    while (n) {
        ssize_t got = read(fd, into, n);
        if (got > 0) {
            into += got;
            n -= (size_t)got;
        } else if (got == 0 || (errno != EINTR && (errno != EAGAIN || ready(fd, POLLIN, deadline))))
            return -1;
        if (n && now_ms() >= deadline)
            return -1;
    }
    return 0;
}

/* Repeats a whole answer. A deny that could not be written must not become an allow. */
static int repeat_answer(const struct call *call, size_t code, const char *body, size_t out, size_t err)
{
    int failed = write_all(1, body, out);
    failed |= write_all(2, body + out, err);
    if (code == 0 && !failed)
        return 0;
    if (code == 2)
        return 2;
    return fail_direction(call, failed ? "the answer could not be written" : "the service gave an unknown exit code");
}

/* Asks the service; gives the exit code, or -1 when there was no whole answer (call->sent: it may have the frame). */
static int ask_service(struct call *call)
{
    int64_t deadline = now_ms() + call->conf.wait_ms;
    struct bytes head = {0};
    unsigned char sizes[16];
    char *body = NULL;
    int code = -1, fd = connect_service(call->home, deadline);
    if (fd < 0)
        return -1;
    if (make_header(call, &head))
        goto end;
    size_t along = call->payload.len <= ONE_WRITE ? call->payload.len : 0;
    if (put(&head, call->payload.at, along) || send_part(fd, head.at, head.len, deadline))
        goto end;
    if (send_part(fd, call->payload.at + along, call->payload.len - along, deadline))
        goto end;
    call->sent = 1; /* before this a service cannot have had a whole frame */
    if (receive(fd, (char *)sizes, sizeof sizes, deadline) || memcmp(sizes, "LVA1", 4))
        goto end;
    size_t out = from_big_endian(sizes + 8), err = from_big_endian(sizes + 12);
    if (out > ANSWER_MAX || err > ANSWER_MAX - out || !(body = malloc(out + err + 1)))
        goto end;
    if (!receive(fd, body, out + err, deadline))
        code = repeat_answer(call, from_big_endian(sizes + 4), body, out, err);
end:
    close(fd);
    free(head.at);
    free(body);
    return code;
}

/* ---- the one-shot ---- */

/* What the one-shot gets of the environment, which is the agent's side: a LD_PRELOAD in it would decide in our place. */
static char **own_environment(void)
{
    static const char *const names[] = {"HOME",          "PATH",     "CLAUDE_PROJECT_DIR",
                                        "CLAUDE_PID",    "AI_AGENT", "CLAUDE_CODE_SESSION_ATTENDED",
                                        "CLAUDE_EFFORT", "TZ"};
    static char *kept[sizeof names / sizeof *names + 1];
    size_t n = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = getenv(names[i]);
        if (value && (kept[n] = join(names[i], "=", value, NULL)))
            n++;
    }
    kept[n] = NULL;
    return kept;
}

static void become_oneshot(const struct call *call, const char *script, int input)
{
    char total[24];
    to_decimal(call->total, total);
    const char *args[20];
    int n = 0;
    args[n++] = call->conf.python;
    args[n++] = "-I";
    args[n++] = "-S";
    args[n++] = script;
    args[n++] = call->event;
    args[n++] = "--home";
    args[n++] = call->home;
    args[n++] = "--id";
    args[n++] = call->id;
    args[n++] = "--started";
    args[n++] = call->started;
    args[n++] = "--path";
    args[n++] = "native";
    if (call->truncated) {
        args[n++] = "--truncated";
        args[n++] = total;
    }
    if (call->sent)
        args[n++] = "--sent";
    args[n] = NULL;
    if (dup2(input, 0) < 0)
        _exit(127);
    signal(SIGPIPE, SIG_DFL);
#ifdef __linux__
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* nothing of ours outlives a client that was killed */
#endif
    execve(call->conf.python, (char *const *)args, own_environment());
    _exit(127);
}

static int wait_child(pid_t child, int64_t deadline)
{
    int status;
    for (long pause_us = 100;;) {
        pid_t done = waitpid(child, &status, WNOHANG);
        if (done == child)
            return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        if (done < 0 && errno != EINTR)
            return -1;
        if (now_ms() >= deadline) {
            kill(child, SIGKILL);
            waitpid(child, &status, 0);
            return -1;
        }
        struct timespec pause = {.tv_nsec = pause_us * 1000};
        nanosleep(&pause, NULL);
        if (pause_us < 500)
            pause_us += 100;
    }
}

/* Why the one-shot cannot be run, or NULL. */
static const char *missing(const struct call *call, const char *script)
{
    if (!script || !*call->conf.src || !call->conf.python || !*call->conf.python)
        return "no service answers, and state/hot.conf names no Python to decide without it";
    if (access(call->conf.python, X_OK))
        return "no service answers, and the Python that state/hot.conf names is not there";
    if (access(script, R_OK))
        return "no service answers, and the installed source that state/hot.conf names is not there";
    return NULL;
}

/* Starts the one-shot, feeds it and waits for its exit code; -1 when it could not be started or had to be ended. */
static int feed_oneshot(const struct call *call, const char *script)
{
    int ends[2];
    int64_t deadline = call->begun_ms + TOTAL_MS;
    if (pipe(ends))
        return -1;
    fcntl(ends[0], F_SETFD, FD_CLOEXEC); /* the child has its own on fd 0: one that closes it must end our feeding */
    fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    pid_t child = fork();
    if (child == 0) {
        close(ends[1]);
        become_oneshot(call, script, ends[0]);
    }
    close(ends[0]);
    if (child > 0) {
        fcntl(ends[1], F_SETFL, O_NONBLOCK);
        send_part(ends[1], call->payload.at, call->payload.len, deadline); /* if it reads no more, its exit code counts */
    }
    close(ends[1]);
    return child > 0 ? wait_child(child, deadline) : -1;
}

/* The gate in a Python process, fed by a pipe. This process stays: a Python that crashes (exit 1) or hangs would let the
 * tool run, so its exit code is looked at here and becomes the fail direction. */
static int run_oneshot(const struct call *call)
{
    char *script = call->conf.src ? join(call->conf.src, "/levaithan/hot/oneshot.py", NULL) : NULL;
    const char *why = missing(call, script);
    int code = why ? -1 : feed_oneshot(call, script);
    free(script);
    if (code == 0 || code == 2)
        return code;
    return fail_direction(call, why ? why : "no service answers, and the check without it failed");
}

/* ---- the whole ---- */

static void open_standard_fds(void)
{
    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY) != fd) /* so that a write fails: a deny that goes nowhere is no deny */
            _exit(2); /* a socket on a closed fd 1 would mix the answer with the question */
}

static int read_arguments(struct call *call, int argc, char **argv)
{
    const char *home = NULL;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--home") && i + 1 < argc)
            home = argv[++i];
        else if (!strncmp(argv[i], "--home=", 7))
            home = argv[i] + 7;
        else if (argv[i][0] != '-' && !call->event[0] && strlen(argv[i]) < EVENT_MAX)
            memcpy(call->event, argv[i], strlen(argv[i]) + 1);
    }
    if (home && *home) {
        call->home = realpath(home, NULL);
        if (!call->home)
            call->home = strdup(home); /* not there: hot.conf will not be found either, and the fail direction says so */
    } else
        call->home = home_of_binary();
    return call->home ? 0 : -1;
}

int main(int argc, char **argv)
{
    struct call call = {.conf = {.wait_ms = 2000, .max_stdin = 64u << 20}, .begun_ms = now_ms()};
    int code;
    open_standard_fds();
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a stdout that may not grow is a failed write, not our end */
    signal(SIGCHLD, SIG_DFL); /* an inherited SIG_IGN would hide the one-shot's exit code */
    make_id(&call);
    int homeless = read_arguments(&call, argc, argv);
    if (!homeless)
        read_conf(call.home, &call.conf);
    int unread = read_stdin(&call);
    if (!call.event[0])
        find_event(call.payload.at, call.payload.len, call.event);
    if (homeless)
        code = fail_direction(&call, "its home folder is unknown");
    else if (unread)
        code = fail_direction(&call, "there is not enough memory for the event");
    else if ((code = ask_service(&call)) < 0)
        code = run_oneshot(&call);
    free(call.payload.at);
    free(call.conf.python);
    free(call.conf.src);
    free(call.home);
    return code;
}
