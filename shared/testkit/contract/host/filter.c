/* Native filters. */
#include "abi.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_PLUGINS 16
#define MAX_FILTERS 64
#define MAX_INPUTS 16

struct native {
    char library[64];
    struct flb_filter_plugin plugin;
    int instances;
};

struct flb_filter_instance {
    char id[64];
    char name[128];
    struct native *native;
    void *context;
    struct options options;
};

static struct native natives[MAX_PLUGINS];
static int native_count;
static struct flb_filter_instance *filters[MAX_FILTERS];
static struct flb_worker *inputs[MAX_INPUTS];
static int last_job = 1000000; /* apart from the outputs' */

EXPORT const char *flb_filter_get_property(const char *key, struct flb_filter_instance *ins)
{
    return options_get(&ins->options, key);
}

EXPORT void flb_filter_set_context(struct flb_filter_instance *ins, void *context)
{
    ins->context = context;
}

EXPORT const char *flb_filter_name(struct flb_filter_instance *ins)
{
    const char *alias = options_get(&ins->options, "alias");

    return alias != NULL ? alias : ins->name;
}

static struct flb_filter_instance **filter_slot(const char *id)
{
    int i;

    for (i = 0; i < MAX_FILTERS; i++) {
        if (id == NULL ? filters[i] == NULL : filters[i] != NULL && strcmp(filters[i]->id, id) == 0) {
            return &filters[i];
        }
    }
    return NULL;
}

/* Copies the host's whole struct from the symbol, whatever size the plugin gave it. */
int filter_register(int argc, char **argv)
{
    const char *name = argv[1], *symbol = argv[2];
    void *library = proxy_library(name);
    void *data = library != NULL ? dlsym(library, symbol) : NULL;
    struct native *n = &natives[native_count];
    const ElfW(Sym) *entry = NULL;
    Dl_info info;

    (void) argc;
    if (data == NULL || native_count == MAX_PLUGINS) {
        return fail("%s has no %s, or there are too many", name, symbol);
    }
    if (dladdr1(data, &info, (void **) &entry, RTLD_DL_SYMENT) == 0 || entry == NULL ||
        entry->st_size < sizeof(n->plugin)) {
        return fail("%s is smaller than this host's struct", symbol);
    }
    memset(n, 0, sizeof(*n));
    snprintf(n->library, sizeof(n->library), "%s", name);
    memcpy(&n->plugin, data, sizeof(n->plugin));
    native_count++;
    line_begin("ok");
    line_text("name", n->plugin.name);
    line_text("description", n->plugin.description);
#if HOST >= 21
    line_number("event_type", n->plugin.event_type);
#endif
    line_number("flags", n->plugin.flags);
    line_number("config_map", n->plugin.config_map != NULL);
    line_end();
    return 0;
}

int filter_create(int argc, char **argv)
{
    struct flb_filter_instance **at = filter_slot(NULL);
    struct flb_filter_instance *ins;
    struct native *n = NULL;
    int i, ret;

    /* The newest registration counts: a reload registers again. */
    for (i = 0; i < native_count; i++) {
        if (strcmp(natives[i].library, argv[2]) == 0) {
            n = &natives[i];
        }
    }
    if (at == NULL || n == NULL || filter_slot(argv[1]) != NULL) {
        return fail("too many filters, no native plugin %s, or two filters %s", argv[2], argv[1]);
    }
    ins = calloc(1, sizeof(*ins));
    snprintf(ins->id, sizeof(ins->id), "%s", argv[1]);
    snprintf(ins->name, sizeof(ins->name), "%s.%d", n->plugin.name, n->instances++);
    for (i = 3; i < argc; i++) {
        options_set(&ins->options, argv[i]);
    }
    ins->native = n;
    plugin_enter();
#if HOST >= 22
    if (n->plugin.cb_pre_run != NULL) {
        n->plugin.cb_pre_run(ins, NULL, NULL);
    }
#endif
    ret = n->plugin.cb_init(ins, NULL, NULL);
    plugin_leave();
    *at = ins;
    line_begin("ok");
    line_number("ret", ret);
    line_end();
    return 0;
}

static uint64_t hash(const char *p, size_t n)
{
    uint64_t h = 14695981039346656037ULL;

    while (n-- > 0) {
        h = (h ^ (unsigned char) *p++) * 1099511628211ULL;
    }
    return h;
}

static void write_result(const char *path, const char *p, size_t n)
{
    int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);

    if (fd < 0 || write(fd, p, n) != (ssize_t) n) {
        fprintf(stderr, "%s: the result could not be written\n", path);
    }
    if (fd >= 0) {
        close(fd);
    }
}

/*
 * Runs a chunk through a filter `times` times, and frees every result. `distinct` counts how often the result was
 * another one than before, `stray` results that came where none was announced, or in memory that is not the plugin's
 * to give.
 */
static void apply_job(struct job *j)
{
    struct flb_filter_instance *ins = j->instance;
    long modified = 0, untouched = 0, other = 0, distinct = 0, stray = 0;
    uint64_t h, before = 0;
    size_t out_size = 0, size = 0;
    void *out;
    int i, ret;

    for (i = 0; i < j->times; i++) {
        out = NULL;
        out_size = 0;
        plugin_enter();
        ret = ins->native->plugin.cb_filter(j->chunk->data, j->chunk->size, j->tag, strlen(j->tag), &out, &out_size,
                                            ins, NULL, ins->context, NULL);
        plugin_leave();
        if (ret == FILTER_MODIFIED) {
            modified++;
            h = measuring ? 0 : hash(out, out_size);
            distinct += i == 0 || h != before;
            before = h;
            size = out_size;
            stray += !memory_owns(out, out_size);
            if (i == 0 && j->result[0] != '\0') {
                write_result(j->result, out, out_size);
            }
            free(out);
        }
        else {
            untouched += ret == FILTER_NOTOUCH;
            other += ret != FILTER_NOTOUCH;
            stray += out != NULL || out_size != 0;
        }
    }
    line_begin("done");
    line_number("job", j->id);
    line_number("modified", modified);
    line_number("notouch", untouched);
    line_number("other", other);
    line_number("distinct", distinct);
    line_number("stray", stray);
    line_number("size", size);
    line_end();
}

int filter_apply(int argc, char **argv)
{
    struct flb_filter_instance **ins = filter_slot(argv[1]);
    struct chunk *chunk = chunk_find(argv[3]);
    struct options o = {0};
    struct job *j;
    const char *times, *thread, *result;
    char name[32];
    int i, n;

    if (ins == NULL || chunk == NULL) {
        return fail("no filter %s, or no chunk %s", argv[1], argv[3]);
    }
    for (i = 4; i < argc; i++) {
        options_set(&o, argv[i]);
    }
    times = options_get(&o, "times");
    thread = options_get(&o, "thread");
    result = options_get(&o, "result");
    n = thread != NULL ? atoi(thread) : -1;
    if (n >= MAX_INPUTS) {
        return fail("thread %d: there are %d", n, MAX_INPUTS);
    }
    j = calloc(1, sizeof(*j));
    j->id = ++last_job;
    j->run = apply_job;
    j->instance = *ins;
    j->chunk = chunk;
    j->times = times != NULL ? atoi(times) : 1;
    snprintf(j->tag, sizeof(j->tag), "%s", argv[2]);
    snprintf(j->result, sizeof(j->result), "%s", result != NULL ? result : "");
    options_free(&o);
    line_begin("ok");
    line_number("job", j->id);
    line_end();
    if (n < 0) {
        j->run(j); /* on the engine, where inputs without a thread of their own are filtered */
        free(j);
        return 0;
    }
    if (inputs[n] == NULL) {
        snprintf(name, sizeof(name), "input-%d", n);
        inputs[n] = worker_start(name);
    }
    worker_give(inputs[n], j);
    return 0;
}

int filter_exit(int argc, char **argv)
{
    struct flb_filter_instance **at = filter_slot(argv[1]);
    struct flb_filter_instance *ins;
    int i, ret;

    (void) argc;
    if (at == NULL) {
        return fail("no filter %s", argv[1]);
    }
    ins = *at;
    /* The host ends its inputs, and their threads, before it ends a filter. */
    for (i = 0; i < MAX_INPUTS; i++) {
        if (inputs[i] != NULL) {
            worker_stop(inputs[i]);
            inputs[i] = NULL;
        }
    }
    plugin_enter();
    ret = ins->native->plugin.cb_exit(ins->context, NULL);
    plugin_leave();
    options_free(&ins->options);
    memset(ins, 0xdd, sizeof(*ins));
    free(ins);
    *at = NULL;
    line_begin("ok");
    line_number("ret", ret);
    line_end();
    return 0;
}
