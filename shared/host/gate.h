/*
 * The gate before Go.
 *
 * A Go runtime starts when its shared object is loaded. A host that forks afterwards (`-d`, `Daemon On`) keeps only
 * the forking thread: the runtime's other threads are gone, and the first call into Go that needs one of them waits
 * for ever. So every entry that such a host could use asks here first, in C, and is refused in any process but the
 * one that loaded the plugin.
 *
 * Who changes this file builds with `go build -a` once: Go's build cache looks at the headers of a package's own folder
 * only, and the plugins that include this one are in others.
 */
#ifndef FLBGO_GATE_H
#define FLBGO_GATE_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <stdio.h>
#include <sys/types.h>
#include <unistd.h>

static pid_t flbgo_loaded_in;

__attribute__((constructor)) static void flbgo_remember_process(void)
{
    flbgo_loaded_in = getpid();
}

static inline int flbgo_same_process(void)
{
    return getpid() == flbgo_loaded_in;
}

/* Says why an instance cannot start. `plugin` is "output:kafka_batch" and the like. */
static inline void flbgo_say_forked(const char *plugin)
{
    static const char fmt[] =
        "[%s] cannot run in daemon mode: the host forked after it had loaded this plugin, and Go does not survive "
        "that. Start Fluent Bit without -d / Daemon On and let systemd or a supervisor keep it in the background";
    void (*print)(int, const char *, int, const char *, ...) =
        (void (*)(int, const char *, int, const char *, ...)) dlsym(RTLD_DEFAULT, "flb_log_print");

    if (print != NULL) {
        print(1, NULL, 0, fmt, plugin);
        usleep(200 * 1000); /* old hosts log on a thread of their own and exit before it has written */
    }
    else {
        fprintf(stderr, fmt, plugin);
        fputc('\n', stderr);
    }
}

#endif
