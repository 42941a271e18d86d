/* What proxy.c and output.c share. */
#ifndef HOST_PROXY_H
#define HOST_PROXY_H

#include "abi.h"

/* One load of one library. A reload opens the same library again: the handle is the same, the rest is new. */
struct proxy {
    char name[64];
    void *library;
    struct flb_plugin_proxy_def *def;
    struct flb_api *api;
    struct flbgo_output_plugin *plugin;
    int instances;
};

struct proxy *proxy_find(const char *name);

/* Passed to plugins, as the way to an output's options. */
const char *output_property(const char *key, struct flb_output_instance *ins);

#endif
