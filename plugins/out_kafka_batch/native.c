/* The entries that a host could reach in a process that did not load Go: see gate.h. */
#include "gate.h"

#include "_cgo_export.h"

int FLBPluginInit(void *plugin)
{
    if (!flbgo_same_process()) {
        flbgo_say_forked("output:kafka_batch");
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
