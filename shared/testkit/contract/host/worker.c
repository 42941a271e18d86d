/* The host's threads: an engine, and workers with a queue each. */
#include "host.h"

#include <stdio.h>
#include <stdlib.h>

#define MAX_WORKERS 128

static __thread struct flb_worker *current;
static struct flb_worker engine = {.name = "engine", .level = 3};
static struct flb_worker *workers[MAX_WORKERS]; /* touched on the engine's thread only */
static int default_level = 3;

EXPORT struct flb_worker *flb_worker_get(void)
{
    return current;
}

EXPORT int flb_worker_log_level(struct flb_worker *w)
{
    return __atomic_load_n(&w->level, __ATOMIC_RELAXED);
}

void worker_is_engine(void)
{
    current = &engine;
}

void workers_level(int level)
{
    int i;

    default_level = level;
    __atomic_store_n(&engine.level, level, __ATOMIC_RELAXED);
    for (i = 0; i < MAX_WORKERS; i++) {
        if (workers[i] != NULL) {
            __atomic_store_n(&workers[i]->level, level, __ATOMIC_RELAXED);
        }
    }
}

static struct job *take(struct flb_worker *w)
{
    struct job *j;

    pthread_mutex_lock(&w->lock);
    while (w->first == NULL && w->running) {
        pthread_cond_wait(&w->wake, &w->lock);
    }
    j = w->first;
    if (j != NULL) {
        w->first = j->next;
        if (w->first == NULL) {
            w->last = NULL;
        }
    }
    pthread_mutex_unlock(&w->lock);
    return j;
}

static void *loop(void *arg)
{
    struct job *j;

    current = arg;
    while ((j = take(current)) != NULL) {
        j->run(j);
        free(j);
    }
    return NULL;
}

struct flb_worker *worker_start(const char *name)
{
    struct flb_worker *w;
    int i;

    for (i = 0; i < MAX_WORKERS && workers[i] != NULL; i++) {
    }
    if (i == MAX_WORKERS) {
        return NULL;
    }
    w = calloc(1, sizeof(*w));
    snprintf(w->name, sizeof(w->name), "%s", name);
    w->level = default_level;
    w->running = 1;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->wake, NULL);
    workers[i] = w;
    pthread_create(&w->thread, NULL, loop, w);
    return w;
}

void worker_stop(struct flb_worker *w)
{
    int i;

    pthread_mutex_lock(&w->lock);
    w->running = 0;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    for (i = 0; i < MAX_WORKERS; i++) {
        if (workers[i] == w) {
            workers[i] = NULL;
        }
    }
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->wake);
    free(w);
}

void worker_give(struct flb_worker *w, struct job *j)
{
    pthread_mutex_lock(&w->lock);
    j->next = NULL;
    if (w->last != NULL) {
        w->last->next = j;
    }
    else {
        w->first = j;
    }
    w->last = j;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
}
