/*
 * The native face of the filter.
 *
 * Fluent Bit finds a native plugin by a data symbol, filter_enrich_plugin, and copies as many bytes from it as its own
 * struct flb_filter_plugin has. That struct changed twice between 1.8 and 5.1, so the symbol is filled at load time in
 * the layout of the host that is loading it, and is larger than any of them.
 */
#include "gate.h"

#include <stddef.h>
#include <stdint.h>

#include "_cgo_export.h"

#define LOGS 1 /* event_type */
#define NO_TOUCH 2

struct flb_config;
struct flb_filter_instance;
struct flb_input_instance;

typedef int (*init_fn)(struct flb_filter_instance *, struct flb_config *, void *);
typedef int (*filter_fn)(const void *, size_t, const char *, int, void **, size_t *, struct flb_filter_instance *,
                         struct flb_input_instance *, void *, struct flb_config *);
typedef int (*exit_fn)(void *, struct flb_config *);

/* Before 2.1. config_map stays NULL everywhere: its elements changed size between versions. */
struct layout_1_8 {
    int flags;
    char *name;
    char *description;
    void *config_map;
    init_fn cb_init;
    filter_fn cb_filter;
    exit_fn cb_exit;
    void *list_head[2];
};

/* 2.1.x */
struct layout_2_1 {
    int event_type;
    int flags;
    char *name;
    char *description;
    void *config_map;
    init_fn cb_init;
    filter_fn cb_filter;
    exit_fn cb_exit;
    void *list_head[2];
};

/* 2.2 and later; from 3.2 on cb_notification stands before the list head. */
struct layout_2_2 {
    int event_type;
    int flags;
    char *name;
    char *description;
    void *config_map;
    init_fn cb_pre_run;
    init_fn cb_init;
    filter_fn cb_filter;
    exit_fn cb_exit;
    void *cb_notification;
    void *list_head[2];
};

__attribute__((visibility("default"))) union {
    struct layout_1_8 v1_8;
    struct layout_2_1 v2_1;
    struct layout_2_2 v2_2;
    char room[512];
} filter_enrich_plugin;

static int enrich_init(struct flb_filter_instance *instance, struct flb_config *config, void *data)
{
    void (*set_context)(struct flb_filter_instance *, void *) =
        (void (*)(struct flb_filter_instance *, void *)) dlsym(RTLD_DEFAULT, "flb_filter_set_context");
    uintptr_t handle;

    (void) config;
    (void) data;
    if (!flbgo_same_process()) {
        flbgo_say_forked("filter:enrich");
        return -1;
    }
    handle = flbgoInit(instance);
    if (handle == 0 || set_context == NULL) {
        return -1;
    }
    /* The context is the handle itself: nothing that Go owns is given to the host. */
    set_context(instance, (void *) handle);
    return 0;
}

static int enrich_filter(const void *data, size_t size, const char *tag, int tag_len, void **out, size_t *out_size,
                         struct flb_filter_instance *instance, struct flb_input_instance *input, void *context,
                         struct flb_config *config)
{
    (void) instance;
    (void) input;
    (void) config;
    if (context == NULL) {
        return NO_TOUCH;
    }
    return flbgoFilter((uintptr_t) context, (void *) data, size, (void *) tag, tag_len, out, out_size);
}

static int enrich_exit(void *context, struct flb_config *config)
{
    (void) config;
    return context != NULL && flbgo_same_process() ? flbgoExit((uintptr_t) context) : 0;
}

__attribute__((constructor)) static void fill_plugin(void)
{
    static char name[] = "enrich";
    static char description[] = "Service metadata and trace ids for every record";

#define FILL(layout)                                       \
    do {                                                   \
        filter_enrich_plugin.layout.name = name;           \
        filter_enrich_plugin.layout.description = description; \
        filter_enrich_plugin.layout.cb_init = enrich_init; \
        filter_enrich_plugin.layout.cb_filter = enrich_filter; \
        filter_enrich_plugin.layout.cb_exit = enrich_exit; \
    } while (0)

    if (dlsym(RTLD_DEFAULT, "flb_proxy_output_cb_init") != NULL) {
        FILL(v2_2);
        filter_enrich_plugin.v2_2.event_type = LOGS;
    }
    else if (dlsym(RTLD_DEFAULT, "flb_log_event_decoder_init") != NULL) {
        FILL(v2_1);
        filter_enrich_plugin.v2_1.event_type = LOGS;
    }
    else {
        FILL(v1_8);
    }
}
