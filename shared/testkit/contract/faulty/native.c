/* The entries of both plugins; see gate.h. The filter is laid out for Fluent Bit 2.2 and later only. */
#include "gate.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "_cgo_export.h"

int FLBPluginInit(void *plugin)
{
    if (!flbgo_same_process()) {
        flbgo_say_forked("output:faulty");
        return -1;
    }
    return flbgoInit(plugin);
}

int FLBPluginExitCtx(void *ctx)
{
    return flbgo_same_process() ? flbgoExit(ctx) : 1;
}

void FLBPluginUnregister(void *def)
{
    if (flbgo_same_process()) {
        flbgoUnregister(def);
    }
}

/* Wants a frame as large as a coroutine's stack, as liblz4 and others do. */
void faulty_deep(void)
{
    volatile char frame[24576];
    size_t i;

    for (i = 0; i < sizeof(frame); i++) {
        frame[i] = 1;
    }
}

int32_t faulty_stopped;

/* Ends walk and spin, for good. */
int faulty_stop(void)
{
    __atomic_store_n(&faulty_stopped, 1, __ATOMIC_SEQ_CST);
    return 0;
}

static int filter_init(void *instance, void *config, void *data)
{
    void (*set_context)(void *, void *) = (void (*)(void *, void *)) dlsym(RTLD_DEFAULT, "flb_filter_set_context");
    uintptr_t handle;

    (void) config;
    (void) data;
    if (!flbgo_same_process()) {
        flbgo_say_forked("filter:faulty");
        return -1;
    }
    handle = flbgoFilterInit(instance);
    if (handle == 0) {
        return -1;
    }
    set_context(instance, (void *) handle);
    return 0;
}

/*
 * The tags that begin with "wrong" break the contract about the result's memory, each in its own way, to prove that the
 * host notices.
 */
static int filter(const void *data, size_t size, const char *tag, int tag_len, void **out, size_t *out_size,
                  void *instance, void *input, void *context, void *config)
{
    static char foreign[1 << 16];
    char *block;

    (void) instance;
    (void) input;
    (void) config;
    if (strncmp(tag, "wrong.", 6) != 0) {
        return context == NULL ? 2
                               : flbgoFilter((uintptr_t) context, (void *) data, size, (void *) tag, tag_len, out, out_size);
    }
    block = malloc(size);
    memset(block, 0, size);
    *out = block;
    *out_size = size;
    if (strcmp(tag, "wrong.overrun") == 0) {
        memset(block, 0, size + 1);
    }
    else if (strcmp(tag, "wrong.foreign") == 0) {
        free(block);
        *out = foreign + 4096;
    }
    else if (strcmp(tag, "wrong.freed") == 0) {
        free(block);
    }
    else if (strcmp(tag, "wrong.leak") == 0) {
        *out = NULL;
        *out_size = 0;
        return 2;
    }
    return 1;
}

static int filter_exit(void *context, void *config)
{
    (void) config;
    return context != NULL && flbgo_same_process() ? flbgoFilterExit((uintptr_t) context) : 0;
}

__attribute__((visibility("default"))) struct {
    int event_type;
    int flags;
    char *name;
    char *description;
    void *config_map;
    int (*cb_pre_run)(void *, void *, void *);
    int (*cb_init)(void *, void *, void *);
    int (*cb_filter)(const void *, size_t, const char *, int, void **, size_t *, void *, void *, void *, void *);
    int (*cb_exit)(void *, void *);
    void *cb_notification;
    void *list_head[2];
} filter_faulty_plugin = {
    .event_type = 1,
    .name = "faulty",
    .description = "misbehaves by tag",
    .cb_init = filter_init,
    .cb_filter = filter,
    .cb_exit = filter_exit,
};
