/*
 * The host's malloc. The official images link an allocator of their own under the name malloc, so a block that a plugin
 * took from libc and the host frees would be a foreign one. So it is here: every block has a head and a tail, and free
 * ends the program where they are not what malloc wrote.
 */
#include "host.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef HOST_ASAN

void plugin_enter(void) {}
void plugin_leave(void) {}
int memory_owns(void *p, size_t size) { (void) p; (void) size; return 1; }
long memory_live(void) { return 0; }

#else

extern void *__libc_memalign(size_t align, size_t size);
extern void *__libc_malloc(size_t size);
extern void __libc_free(void *p);

#define ALIVE 0x464c4221616c6976ULL
#define FREED 0x464c422166726565ULL
#define TAIL 16
#define TAIL_BYTE 0x5c
#define LARGE 4096 /* threads that a Go runtime starts inside a call leave small blocks behind */

struct head {
    uint64_t magic;
    uint64_t size;
    void *start; /* of libc's block */
    uint64_t from_plugin;
};

static __thread int inside;
static long live;

void plugin_enter(void)
{
    inside++;
}

void plugin_leave(void)
{
    inside--;
}

static int counted(const struct head *h)
{
    return h->from_plugin && h->size >= LARGE;
}

static void *block(size_t align, size_t size)
{
    size_t room = align > sizeof(struct head) ? align : sizeof(struct head);
    char *start, *p;
    struct head *h;

    if (size > SIZE_MAX / 2) {
        errno = ENOMEM;
        return NULL;
    }
    start = align <= 16 ? __libc_malloc(room + size + TAIL) : __libc_memalign(align, room + size + TAIL);
    if (start == NULL) {
        errno = ENOMEM;
        return NULL;
    }
    p = start + room;
    h = (struct head *) p - 1;
    h->magic = ALIVE;
    h->size = size;
    h->start = start;
    h->from_plugin = inside > 0;
    memset(p + size, TAIL_BYTE, TAIL);
    if (counted(h)) {
        __atomic_add_fetch(&live, 1, __ATOMIC_RELAXED);
    }
    return p;
}

static void violation(const char *what)
{
    line_begin("violation");
    line_text("what", what);
    line_end();
    _exit(99);
}

static void check(struct head *h)
{
    unsigned char *tail = (unsigned char *) (h + 1) + h->size;
    int i;

    if (h->magic == FREED) {
        violation("a block is freed twice");
    }
    if (h->magic != ALIVE) {
        violation("a block is freed that is not from the host's malloc");
    }
    for (i = 0; i < TAIL; i++) {
        if (tail[i] != TAIL_BYTE) {
            violation("something wrote behind the end of a block");
        }
    }
}

EXPORT void *malloc(size_t size)
{
    return block(16, size);
}

EXPORT void free(void *p)
{
    struct head *h = (struct head *) p - 1;

    if (p == NULL) {
        return;
    }
    check(h);
    if (counted(h)) {
        __atomic_sub_fetch(&live, 1, __ATOMIC_RELAXED);
    }
    h->magic = FREED;
    __libc_free(h->start);
}

EXPORT void *calloc(size_t n, size_t size)
{
    void *p;

    if (size != 0 && n > SIZE_MAX / size) {
        errno = ENOMEM;
        return NULL;
    }
    p = block(16, n * size);
    if (p != NULL) {
        memset(p, 0, n * size);
    }
    return p;
}

EXPORT void *realloc(void *p, size_t size)
{
    struct head *h = (struct head *) p - 1;
    void *q = block(16, size);

    if (p == NULL || q == NULL) {
        return q;
    }
    memcpy(q, p, h->size < size ? h->size : size);
    free(p);
    return q;
}

EXPORT void *memalign(size_t align, size_t size)
{
    return block(align, size);
}

EXPORT void *aligned_alloc(size_t align, size_t size)
{
    return block(align, size);
}

EXPORT int posix_memalign(void **p, size_t align, size_t size)
{
    *p = block(align, size);
    return *p != NULL ? 0 : ENOMEM;
}

EXPORT size_t malloc_usable_size(void *p)
{
    return p != NULL ? ((struct head *) p - 1)->size : 0;
}

int memory_owns(void *p, size_t size)
{
    struct head *h = (struct head *) p - 1;

    return h->magic == ALIVE && h->from_plugin && h->size >= size;
}

long memory_live(void)
{
    return __atomic_load_n(&live, __ATOMIC_RELAXED);
}

#endif
