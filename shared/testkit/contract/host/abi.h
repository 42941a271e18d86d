/*
 * Fluent Bit's structs as plugins see them. The names are the host's; only what is passed to a plugin, or copied from
 * one, is here.
 */
#ifndef HOST_ABI_H
#define HOST_ABI_H

#include "host.h"

struct flb_config;
struct flb_input_instance;
struct flb_output_instance;
struct flb_filter_instance;

/* What FLBPluginRegister fills. It comes as malloc left it before 2.2, and zeroed since. */
struct flb_plugin_proxy_def {
    int type;
    int proxy;
    int flags;
    char *name;
    char *description;
#if HOST >= 22
    int event_type;
    void *config_map;
#endif
};

struct flb_api {
    const char *(*output_get_property)(const char *, struct flb_output_instance *);
#if HOST >= 22
    void *others[8];
#endif
};

/* One for each instance; the plugin stores its handle in the first field. */
struct flb_plugin_proxy_context {
    void *remote_context;
    struct proxy *proxy;
};

/* What FLBPluginInit gets: one for each library, whose instance and context are those of the last Init. */
struct flbgo_output_plugin {
    char *name;
    struct flb_api *api;
    struct flb_output_instance *o_ins;
    struct flb_plugin_proxy_context *context;
    int (*cb_init)(struct flbgo_output_plugin *);
    int (*cb_flush)(const void *, size_t, const char *);
    int (*cb_flush_ctx)(void *, const void *, size_t, char *);
    int (*cb_exit)(void);
    int (*cb_exit_ctx)(void *);
};

#define PROXY_OUTPUT 2
#define PROXY_GOLANG 11

typedef int (*filter_init_fn)(struct flb_filter_instance *, struct flb_config *, void *);

/* What is copied from the symbol of a native filter, whole. */
struct flb_filter_plugin {
#if HOST >= 21
    int event_type;
#endif
    int flags;
    char *name;
    char *description;
    void *config_map;
#if HOST >= 22
    filter_init_fn cb_pre_run;
#endif
    filter_init_fn cb_init;
    int (*cb_filter)(const void *, size_t, const char *, int, void **, size_t *, struct flb_filter_instance *,
                     struct flb_input_instance *, void *, struct flb_config *);
    int (*cb_exit)(void *, struct flb_config *);
#if HOST >= 22
    filter_init_fn cb_notification; /* 3.2 and later */
#endif
    void *head[2];
};

#define FILTER_MODIFIED 1
#define FILTER_NOTOUCH 2

/* By these a native plugin tells the generations apart. */
#if HOST >= 21
EXPORT void flb_log_event_decoder_init(void);
#endif
#if HOST == 22
EXPORT int flb_proxy_output_cb_init(struct flb_output_instance *, struct flb_config *, void *);
#endif

#endif
