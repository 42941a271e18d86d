#define _GNU_SOURCE
#include "native.h"

#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

/*
 * Every function of the host is found at run time: the plugin has no undefined symbols, so one .so loads into every
 * version, and into the test host.
 */
static void (*log_print)(int, const char *, int, const char *, ...);
static void *(*worker_get)(void);
static int (*worker_log_level)(void *);
static const char *(*filter_get_property)(const char *, void *);
static const char *(*output_name)(void *);
static const char *(*filter_name)(void *);
static void *(*host_malloc)(size_t);
static void (*host_free)(void *);
static int modern;

/*
 * Fault handlers. Go turns SIGSEGV, SIGBUS and SIGFPE into panics, which package host recovers from. Fluent Bit
 * installs a SIGSEGV handler of its own again after the first SIGHUP or SIGCONT: without SA_ONSTACK, and ending in
 * abort(). What stood at the first Init is therefore put back at every call.
 *
 * Only an action without SA_ONSTACK is replaced. Go demands that flag of everybody who shares its signals, so whoever
 * sets it (another Go plugin that was loaded later, a sanitizer) knows how to pass a fault on.
 */
static const int fault_signals[] = {SIGSEGV, SIGBUS, SIGFPE};
#define FAULT_SIGNALS (sizeof(fault_signals) / sizeof(fault_signals[0]))
static struct sigaction saved[FAULT_SIGNALS];
static int started;

void flbgo_host_start(void)
{
    size_t i;

    if (started) {
        return;
    }
    log_print = dlsym(RTLD_DEFAULT, "flb_log_print");
    worker_get = dlsym(RTLD_DEFAULT, "flb_worker_get");
    worker_log_level = dlsym(RTLD_DEFAULT, "flb_worker_log_level");
    filter_get_property = dlsym(RTLD_DEFAULT, "flb_filter_get_property");
    output_name = dlsym(RTLD_DEFAULT, "flb_output_name");
    filter_name = dlsym(RTLD_DEFAULT, "flb_filter_name");
    host_malloc = dlsym(RTLD_DEFAULT, "malloc");
    host_free = dlsym(RTLD_DEFAULT, "free");
    modern = dlsym(RTLD_DEFAULT, "flb_proxy_output_cb_init") != NULL;
    for (i = 0; i < FAULT_SIGNALS; i++) {
        sigaction(fault_signals[i], NULL, &saved[i]);
    }
    started = 1;
}

int flbgo_host_modern(void)
{
    return modern;
}

int flbgo_host_enter(void)
{
    struct sigaction now;
    void *worker;
    size_t i;

    for (i = 0; i < FAULT_SIGNALS; i++) {
        if (sigaction(fault_signals[i], NULL, &now) == 0 && (now.sa_flags & SA_ONSTACK) == 0 &&
            (saved[i].sa_flags & SA_ONSTACK) != 0) {
            sigaction(fault_signals[i], &saved[i], NULL);
        }
    }
    if (worker_get == NULL || worker_log_level == NULL) {
        return -1;
    }
    worker = worker_get();
    return worker != NULL ? worker_log_level(worker) : -1;
}

void flbgo_host_log(int level, const char *line)
{
    if (log_print != NULL) {
        log_print(level, NULL, 0, "%s", line);
    }
    else {
        fprintf(stderr, "%s\n", line);
    }
}

const char *flbgo_filter_property(const char *key, void *instance)
{
    return filter_get_property != NULL ? filter_get_property(key, instance) : NULL;
}

const char *flbgo_output_name(void *plugin)
{
    /* What the proxy passes to Init starts with: own name, API, output instance. fluent-bit-go relies on it, too. */
    void **proxy = plugin;

    return output_name != NULL && proxy[2] != NULL ? output_name(proxy[2]) : NULL;
}

const char *flbgo_filter_name(void *instance)
{
    return filter_name != NULL ? filter_name(instance) : NULL;
}

void *flbgo_host_alloc(size_t n)
{
    return host_malloc != NULL ? host_malloc(n) : malloc(n);
}

void flbgo_host_free(void *p)
{
    if (host_free != NULL) {
        host_free(p);
    }
    else {
        free(p);
    }
}
