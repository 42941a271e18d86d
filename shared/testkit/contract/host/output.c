/* Instances of outputs: their threads, their flushes, their end. */
#include "proxy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_OUTPUTS 64
#define MAX_THREADS 32

struct flb_output_instance {
    char id[64];
    char name[128];
    struct proxy *proxy;
    struct flb_plugin_proxy_context *context;
    struct options options;
    int workers;
    int turn; /* whose worker is next */
    struct flb_worker *worker[MAX_THREADS];
};

static struct flb_output_instance *outputs[MAX_OUTPUTS];
static int last_job;

const char *output_property(const char *key, struct flb_output_instance *ins)
{
    return options_get(&ins->options, key);
}

EXPORT const char *flb_output_name(struct flb_output_instance *ins)
{
    const char *alias = options_get(&ins->options, "alias");

    return alias != NULL ? alias : ins->name;
}

static struct flb_output_instance **output_slot(const char *id)
{
    int i;

    for (i = 0; i < MAX_OUTPUTS; i++) {
        if (id == NULL ? outputs[i] == NULL : outputs[i] != NULL && strcmp(outputs[i]->id, id) == 0) {
            return &outputs[i];
        }
    }
    return NULL;
}

#if HOST == 22
EXPORT
#else
static
#endif
int flb_proxy_output_cb_init(struct flb_output_instance *ins, struct flb_config *config, void *data)
{
    struct flbgo_output_plugin *g = ins->proxy->plugin;
    int ret;

    (void) config;
    (void) data;
    g->api = ins->proxy->api;
    g->o_ins = ins;
    g->context = ins->context;
    plugin_enter();
    ret = g->cb_init(g);
    plugin_leave();
    return ret;
}

int output_create(int argc, char **argv)
{
    struct flb_output_instance **at = output_slot(NULL);
    struct proxy *p = proxy_find(argv[2]);
    struct flb_output_instance *ins;
    const char *workers;
    char name[96];
    int i, ret;

    if (at == NULL || p == NULL || output_slot(argv[1]) != NULL) {
        return fail("too many outputs, no library %s, or two outputs %s", argv[2], argv[1]);
    }
    ins = calloc(1, sizeof(*ins));
    snprintf(ins->id, sizeof(ins->id), "%s", argv[1]);
    snprintf(ins->name, sizeof(ins->name), "%s.%d", p->def->name, p->instances++);
    for (i = 3; i < argc; i++) {
        options_set(&ins->options, argv[i]);
    }
    workers = options_get(&ins->options, "workers");
    ins->workers = workers != NULL ? atoi(workers) : 0;
    ins->proxy = p;
    ins->context = calloc(1, sizeof(*ins->context));
    ins->context->proxy = p;
    ret = flb_proxy_output_cb_init(ins, NULL, NULL);
    if (ret > 0) {
        for (i = 0; i < ins->workers && i < MAX_THREADS; i++) {
            snprintf(name, sizeof(name), "%s-w%d", ins->id, i);
            ins->worker[i] = worker_start(name);
        }
    }
    *at = ins;
    line_begin("ok");
    line_number("ret", ret);
    line_end();
    return 0;
}

struct call {
    struct job *job;
    int verdict;
};

/* Runs on the coroutine, as the host's middle layer does: the tag is copied first, and freed after. */
static void flush(void *arg)
{
    struct call *c = arg;
    struct flb_output_instance *ins = c->job->instance;
    struct flbgo_output_plugin *g = ins->proxy->plugin;
    char *tag = strdup(c->job->tag);

    plugin_enter();
    c->verdict = g->cb_flush_ctx(ins->context->remote_context, c->job->chunk->data, c->job->chunk->size, tag);
    plugin_leave();
    free(tag);
}

static void flush_job(struct job *j)
{
    long verdicts[4] = {0};
    size_t used, most = 0;
    struct call c = {.job = j};
    int i;

    for (i = 0; i < j->times; i++) {
        used = on_coroutine(flush, &c);
        most = used > most ? used : most;
        verdicts[c.verdict >= 0 && c.verdict <= 2 ? c.verdict : 3]++;
    }
    line_begin("done");
    line_number("job", j->id);
    line_number("error", verdicts[0]);
    line_number("ok", verdicts[1]);
    line_number("retry", verdicts[2]);
    line_number("other", verdicts[3]);
    line_number("stack", most);
    line_end();
}

int output_flush(int argc, char **argv)
{
    struct flb_output_instance **ins = output_slot(argv[1]);
    struct chunk *chunk = chunk_find(argv[3]);
    struct options o = {0};
    struct job *j;
    const char *times;
    int i;

    if (ins == NULL || chunk == NULL) {
        return fail("no output %s, or no chunk %s", argv[1], argv[3]);
    }
    for (i = 4; i < argc; i++) {
        options_set(&o, argv[i]);
    }
    times = options_get(&o, "times");
    j = calloc(1, sizeof(*j));
    j->id = ++last_job;
    j->run = flush_job;
    j->instance = *ins;
    j->chunk = chunk;
    j->times = times != NULL ? atoi(times) : 1;
    snprintf(j->tag, sizeof(j->tag), "%s", argv[2]);
    options_free(&o);
    line_begin("ok");
    line_number("job", j->id);
    line_end();
    if ((*ins)->workers > 0) {
        worker_give((*ins)->worker[(*ins)->turn++ % (*ins)->workers], j);
    }
    else {
        j->run(j);
        free(j);
    }
    return 0;
}

/*
 * Ends one instance. Before 2.2 the host keeps no context for it here and uses the library's, which is that of the
 * last Init: with several instances every exit comes with the same handle.
 */
int output_exit(int argc, char **argv)
{
    struct flb_output_instance **at = output_slot(argv[1]);
    struct flb_output_instance *ins;
    struct flbgo_output_plugin *g;
    int i, ret;

    (void) argc;
    if (at == NULL) {
        return fail("no output %s", argv[1]);
    }
    ins = *at;
    g = ins->proxy->plugin;
    for (i = 0; i < MAX_THREADS; i++) {
        if (ins->worker[i] != NULL) {
            worker_stop(ins->worker[i]);
        }
    }
    plugin_enter();
#if HOST >= 22
    ret = g->cb_exit_ctx(ins->context->remote_context);
    memset(ins->context, 0xdd, sizeof(*ins->context));
    free(ins->context);
#else
    ret = g->cb_exit_ctx(g->context->remote_context);
#endif
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
