/* Commands from stdin, answers to stdout: words separated by blanks, %XX for what a word cannot hold. */
#include "host.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_WORDS 64

/* Nothing of what is written lies on the caller's stack: it may be a coroutine's. */
static pthread_mutex_t line_lock = PTHREAD_MUTEX_INITIALIZER;
static char line[1 << 16];
static size_t line_size;

static void line_char(char c)
{
    if (line_size < sizeof(line) - 1) {
        line[line_size++] = c;
    }
}

void line_begin(const char *word)
{
    pthread_mutex_lock(&line_lock);
    line_size = 0;
    while (*word != '\0') {
        line_char(*word++);
    }
}

void line_text(const char *name, const char *value)
{
    static const char hex[] = "0123456789ABCDEF";
    unsigned char c;

    line_char(' ');
    while (*name != '\0') {
        line_char(*name++);
    }
    line_char('=');
    for (; value != NULL && *value != '\0'; value++) {
        c = (unsigned char) *value;
        if (c <= ' ' || c == '%' || c == '=' || c >= 0x7f) {
            line_char('%');
            line_char(hex[c >> 4]);
            line_char(hex[c & 15]);
        }
        else {
            line_char(c);
        }
    }
}

void line_number(const char *name, long long value)
{
    char digits[24];
    char *p = digits + sizeof(digits) - 1;
    unsigned long long v = value < 0 ? -(unsigned long long) value : (unsigned long long) value;

    *p = '\0';
    do {
        *--p = '0' + v % 10;
        v /= 10;
    } while (v > 0);
    if (value < 0) {
        *--p = '-';
    }
    line_text(name, p);
}

void line_end(void)
{
    size_t done = 0;
    ssize_t n;

    line_char('\n');
    while (done < line_size) {
        n = write(STDOUT_FILENO, line + done, line_size - done);
        if (n < 0 && errno != EINTR) {
            break; /* the test is gone; so is the reason to go on, but that shows on stdin */
        }
        done += n > 0 ? n : 0;
    }
    pthread_mutex_unlock(&line_lock);
}

int fail(const char *fmt, ...)
{
    char text[512];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    line_begin("fail");
    line_text("text", text);
    line_end();
    return -1;
}

void options_set(struct options *o, const char *pair)
{
    const char *value = strchr(pair, '=');

    if (value == NULL || o->count == sizeof(o->names) / sizeof(o->names[0])) {
        return;
    }
    o->names[o->count] = strndup(pair, value - pair);
    o->values[o->count] = strdup(value + 1);
    o->count++;
}

/* The first one wins, and case does not matter: as in the host. */
const char *options_get(const struct options *o, const char *name)
{
    int i;

    for (i = 0; i < o->count; i++) {
        if (strcasecmp(o->names[i], name) == 0) {
            return o->values[i];
        }
    }
    return NULL;
}

void options_free(struct options *o)
{
    while (o->count > 0) {
        o->count--;
        free(o->names[o->count]);
        free(o->values[o->count]);
    }
}

int ok(void)
{
    line_begin("ok");
    line_end();
    return 0;
}

/*
 * Goes on as a daemon does: in a child that has this thread only. The parent stays until the child is gone, because
 * the test waits for it, and ends as the child did.
 */
static int daemonize(int argc, char **argv)
{
    int status;
    pid_t child = fork();

    (void) argc;
    (void) argv;
    if (child < 0) {
        return fail("fork: %s", strerror(errno));
    }
    if (child > 0) {
        while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
        }
        _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    alarm(60);
    return ok();
}

static int level(int argc, char **argv)
{
    (void) argc;
    workers_level(atoi(argv[1]));
    return ok();
}

int measuring;

static int measure(int argc, char **argv)
{
    (void) argc;
    (void) argv;
    measuring = 1;
    alarm(1200);
    return ok();
}

static int signals(int argc, char **argv)
{
    (void) argc;
    (void) argv;
    signals_install();
    return ok();
}

static int memory(int argc, char **argv)
{
    (void) argc;
    (void) argv;
    line_begin("ok");
    line_number("live", memory_live());
    line_end();
    return 0;
}

static int run(int argc, char **argv)
{
    static const struct {
        const char *name;
        int words; /* at least, with the command's own */
        int (*run)(int argc, char **argv);
    } commands[] = {
        {"load", 3, proxy_load},             /* load LIBRARY PATH: dlopen */
        {"call", 3, proxy_call},             /* call LIBRARY SYMBOL: an int of no arguments */
        {"register", 2, proxy_register},     /* register LIBRARY: as a proxy */
        {"unregister", 2, proxy_unregister}, /* unregister LIBRARY */
        {"output", 3, output_create},        /* output ID LIBRARY workers=N name=value… */
        {"flush", 4, output_flush},          /* flush ID TAG CHUNK times=N: done job=… follows */
        {"exit", 2, output_exit},            /* exit ID: ends the output's workers, then the output */
        {"native", 3, filter_register},      /* native LIBRARY SYMBOL: a filter plugin */
        {"filter", 3, filter_create},        /* filter ID LIBRARY name=value… */
        {"apply", 4, filter_apply},          /* apply ID TAG CHUNK times=N thread=N result=PATH: done job=… follows */
        {"end", 2, filter_exit},             /* end ID: ends the inputs' threads, then the filter */
        {"chunk", 3, chunk_load},            /* chunk NAME PATH: the bytes of a file */
        {"unmap", 2, chunk_unmap},           /* unmap CHUNK: reading it is a SIGSEGV from now on */
        {"truncate", 2, chunk_truncate},     /* truncate CHUNK: reading it is a SIGBUS from now on */
        {"level", 2, level},                 /* level N: the log level of every thread */
        {"signals", 1, signals},             /* signals: as after the first SIGHUP */
        {"measure", 1, measure},             /* measure: do without what a test looks at and the real host does not */
        {"memory", 1, memory},               /* memory: how many large blocks plugins hold */
        {"daemon", 1, daemonize},            /* daemon: forks, and goes on in the child */
    };
    size_t i;

    for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(argv[0], commands[i].name) == 0 && argc >= commands[i].words) {
            return commands[i].run(argc, argv);
        }
    }
    return fail("unknown command, or too few words: %s", argv[0]);
}

/* Reads one line, without its end, into buf; 0 at the end of input. */
static int read_line(char *buf, size_t size)
{
    static char ahead[4096];
    static size_t at, end;
    size_t n = 0;
    ssize_t r;

    for (;;) {
        if (at == end) {
            r = read(STDIN_FILENO, ahead, sizeof(ahead));
            if (r < 0 && errno == EINTR) {
                continue;
            }
            if (r <= 0) {
                return 0;
            }
            at = 0;
            end = r;
        }
        if (n == size - 1) {
            return 0;
        }
        buf[n] = ahead[at++];
        if (buf[n] == '\n') {
            buf[n] = '\0';
            return 1;
        }
        n++;
    }
}

static void unescape(char *s)
{
    char *to = s;
    char hex[3] = {0};

    while (*s != '\0') {
        if (s[0] == '%' && s[1] != '\0' && s[2] != '\0') {
            memcpy(hex, s + 1, 2);
            *to++ = (char) strtol(hex, NULL, 16);
            s += 3;
        }
        else {
            *to++ = *s++;
        }
    }
    *to = '\0';
}

int main(void)
{
    static char input[1 << 16];
    struct rlimit none = {0, 0};
    char *argv[MAX_WORDS];
    char *save, *word;
    int argc;

    /* A test that is killed leaves nothing behind, and an expected crash no core file. */
    alarm(120);
    setrlimit(RLIMIT_CORE, &none);
    worker_is_engine();
    signals_install();
    while (read_line(input, sizeof(input))) {
        argc = 0;
        for (word = strtok_r(input, " ", &save); word != NULL && argc < MAX_WORDS; word = strtok_r(NULL, " ", &save)) {
            unescape(word);
            argv[argc++] = word;
        }
        if (argc > 0) {
            run(argc, argv);
        }
    }
    return 0;
}
