/* Libraries, and Fluent Bit's proxy for those in Go. */
#include "proxy.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_PROXIES 16

static struct proxy *proxies[MAX_PROXIES];

#if HOST >= 21
EXPORT void flb_log_event_decoder_init(void) {}
#endif

static struct proxy **slot(const char *name)
{
    int i;

    for (i = 0; i < MAX_PROXIES; i++) {
        if (proxies[i] != NULL && strcmp(proxies[i]->name, name) == 0) {
            return &proxies[i];
        }
    }
    return NULL;
}

struct proxy *proxy_find(const char *name)
{
    struct proxy **p = slot(name);

    return p != NULL ? *p : NULL;
}

void *proxy_library(const char *name)
{
    struct proxy *p = proxy_find(name);

    return p != NULL ? p->library : NULL;
}

int proxy_load(int argc, char **argv)
{
    const char *name = argv[1];
    struct proxy *p;
    int i;

    (void) argc;
    for (i = 0; i < MAX_PROXIES && proxies[i] != NULL; i++) {
    }
    if (i == MAX_PROXIES || slot(name) != NULL) {
        return fail("too many libraries, or two named %s", name);
    }
    p = calloc(1, sizeof(*p));
    snprintf(p->name, sizeof(p->name), "%s", name);
    p->library = dlopen(argv[2], RTLD_LAZY);
    if (p->library == NULL) {
        free(p);
        return fail("%s", dlerror());
    }
    proxies[i] = p;
    return ok();
}

int proxy_call(int argc, char **argv)
{
    const char *name = argv[1], *symbol = argv[2];
    void *library = proxy_library(name);
    int (*f)(void) = library != NULL ? (int (*)(void)) dlsym(library, symbol) : NULL;
    int value;

    (void) argc;
    if (f == NULL) {
        return fail("%s has no %s", name, symbol);
    }
    value = f();
    line_begin("ok");
    line_number("value", value);
    line_end();
    return 0;
}

int proxy_register(int argc, char **argv)
{
    struct proxy **at = slot(argv[1]);
    struct proxy *p;
    int (*cb_register)(struct flb_plugin_proxy_def *);
    struct flbgo_output_plugin *g;
    int ret;

    (void) argc;
    if (at == NULL) {
        return fail("no library %s", argv[1]);
    }
    p = *at;
    cb_register = (int (*)(struct flb_plugin_proxy_def *)) dlsym(p->library, "FLBPluginRegister");
    if (cb_register == NULL) {
        return fail("%s", dlerror());
    }
    p->api = calloc(1, sizeof(*p->api));
    p->api->output_get_property = output_property;
    p->def = malloc(sizeof(*p->def));
    memset(p->def, HOST >= 22 ? 0 : 0xcd, sizeof(*p->def));
    plugin_enter();
    ret = cb_register(p->def);
    plugin_leave();

    g = malloc(sizeof(*g));
    memset(g, 0xcd, sizeof(*g));
    g->cb_init = (int (*)(struct flbgo_output_plugin *)) dlsym(p->library, "FLBPluginInit");
    g->cb_flush = (int (*)(const void *, size_t, const char *)) dlsym(p->library, "FLBPluginFlush");
    g->cb_flush_ctx = (int (*)(void *, const void *, size_t, char *)) dlsym(p->library, "FLBPluginFlushCtx");
    g->cb_exit = (int (*)(void)) dlsym(p->library, "FLBPluginExit");
    g->cb_exit_ctx = (int (*)(void *)) dlsym(p->library, "FLBPluginExitCtx");
    g->name = strdup(p->def->name);
    p->plugin = g;
    if (ret != 0 || g->cb_init == NULL || g->cb_flush_ctx == NULL || g->cb_exit_ctx == NULL) {
        return fail("register answered %d, or an entry is missing", ret);
    }
    line_begin("ok");
    line_text("name", p->def->name);
    line_text("description", p->def->description);
    line_number("type", p->def->type);
    line_number("proxy", p->def->proxy);
    line_end();
    return 0;
}

/* Fluent Bit has this step since 1.9. What it frees is overwritten first, for the sake of who still looks at it. */
int proxy_unregister(int argc, char **argv)
{
    struct proxy **at = slot(argv[1]);
    void (*cb_unregister)(struct flb_plugin_proxy_def *);
    struct proxy *p;

    (void) argc;
    if (at == NULL) {
        return fail("no library %s", argv[1]);
    }
    p = *at;
    cb_unregister = (void (*)(struct flb_plugin_proxy_def *)) dlsym(p->library, "FLBPluginUnregister");
    if (cb_unregister != NULL) {
        plugin_enter();
        cb_unregister(p->def);
        plugin_leave();
    }
    free(p->plugin->name);
    memset(p->plugin, 0xdd, sizeof(*p->plugin));
    free(p->plugin);
    memset(p->def, 0xdd, sizeof(*p->def));
    free(p->def);
    memset(p->api, 0xdd, sizeof(*p->api));
    free(p->api);
    dlclose(p->library);
    free(p);
    *at = NULL;
    return ok();
}
