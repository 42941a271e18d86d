/*
 * A program that plays Fluent Bit: what its files share.
 *
 * It loads plugins as Fluent Bit does and calls them through the same structs, on the same kinds of threads and stacks,
 * but only when it is told to: one command a line on stdin, one answer a line on stdout. The Go test that owns this folder
 * writes the commands; protocol.c has the list of them, and functions with (argc, argv) are commands.
 *
 * It is compiled once for each generation of the ABI. HOST is 18, 21 or 22, for Fluent Bit 1.8 to 2.0, 2.1, and 2.2 and
 * later. HOST_ASAN is defined where AddressSanitizer watches the memory instead of memory.c.
 */
#ifndef HOST_H
#define HOST_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#if HOST != 18 && HOST != 21 && HOST != 22
#error "compile with -DHOST=18, 21 or 22"
#endif

/* Fluent Bit's ABI is exported by name, the rest is not. */
#define EXPORT __attribute__((visibility("default")))

/* protocol.c: one line at a time, from any thread; numbers and text are written as name=value. */
void line_begin(const char *word);
void line_text(const char *name, const char *value);
void line_number(const char *name, long long value);
void line_end(void);
/* Answers "ok" and returns 0. */
int ok(void);
/* Answers "fail text=…" and returns -1, so that a command can end with it. */
int fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* An instance's options: pointers into one command, copied. */
struct options {
    int count;
    char *names[32];
    char *values[32];
};
void options_set(struct options *o, const char *pair);
const char *options_get(const struct options *o, const char *name);
void options_free(struct options *o);

/*
 * chunk.c: bytes that are lent to a plugin. They can be read and not written, the byte behind the last one cannot be
 * read, and they can be taken away while a plugin reads them.
 */
struct chunk {
    char name[64];
    char *map;
    size_t map_size;
    int fd;
    char *data;
    size_t size;
};
struct chunk *chunk_find(const char *name);
int chunk_load(int argc, char **argv);
int chunk_unmap(int argc, char **argv);
int chunk_truncate(int argc, char **argv);

/* worker.c: threads of the host. A plugin finds the one it is on by flb_worker_get. */
struct flb_worker {
    char name[64];
    int level;
    int running;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct job *first, *last;
};
struct job {
    int id;
    void (*run)(struct job *);
    void *instance;
    struct chunk *chunk;
    int times;
    char tag[256];
    char result[256]; /* where a filter's result is written */
    struct job *next;
};
void worker_is_engine(void);
struct flb_worker *worker_start(const char *name);
void worker_stop(struct flb_worker *w); /* after it has done what waits */
void worker_give(struct flb_worker *w, struct job *j);
void workers_level(int level);

/* protocol.c: set by the command "measure", for hosts whose time is taken. */
extern int measuring;

/* stack.c: calls f on a coroutine's stack as the old hosts have them, and returns how much of it was used. */
size_t on_coroutine(void (*f)(void *), void *arg);

/* memory.c: the host's malloc, which knows what was allocated inside a plugin. */
void plugin_enter(void);
void plugin_leave(void);
int memory_owns(void *p, size_t size); /* from this malloc, inside a plugin, and at least so large */
long memory_live(void);                /* large blocks that plugins allocated and nobody has freed yet */

/* signals.c */
void signals_install(void);

/* proxy.c: libraries. */
void *proxy_library(const char *name);
int proxy_load(int argc, char **argv);
int proxy_call(int argc, char **argv);
int proxy_register(int argc, char **argv);
int proxy_unregister(int argc, char **argv);

/* output.c */
int output_create(int argc, char **argv);
int output_flush(int argc, char **argv);
int output_exit(int argc, char **argv);

/* filter.c */
int filter_register(int argc, char **argv);
int filter_create(int argc, char **argv);
int filter_apply(int argc, char **argv);
int filter_exit(int argc, char **argv);

#endif
