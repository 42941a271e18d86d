/* What only C can do for package host; see native.c. */
#ifndef FLBGO_NATIVE_H
#define FLBGO_NATIVE_H

#include <stddef.h>

/* Resolves the host's functions and saves the fault handlers. Call once before anything else; idempotent. */
void flbgo_host_start(void);

/* 1 for Fluent Bit 2.2 and later, 0 for older hosts. */
int flbgo_host_modern(void);

/*
 * To be called first in every call from the host, on the calling thread. Puts the fault handlers back if the host
 * replaced them, and returns the level up to which the host logs (0 off, 1 error, 2 warn, 3 info, 4 debug, 5 trace),
 * or -1 where the thread does not know it.
 */
int flbgo_host_enter(void);

/* Logs one line the way the host does. Only on a thread of the host. */
void flbgo_host_log(int level, const char *line);

/* A filter option, or NULL. The string belongs to the host. */
const char *flbgo_filter_property(const char *key, void *instance);

/* The host's name for an output or filter instance (its alias, or kafka_batch.0), or NULL. */
const char *flbgo_output_name(void *plugin);
const char *flbgo_filter_name(void *instance);

/* malloc and free as the host has them: it frees what a filter returns. */
void *flbgo_host_alloc(size_t n);
void flbgo_host_free(void *p);

#endif
