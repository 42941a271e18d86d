/* Memory that is lent to plugins. */
#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_CHUNKS 256

static struct chunk chunks[MAX_CHUNKS];
static int chunk_count;

struct chunk *chunk_find(const char *name)
{
    int i;

    for (i = 0; i < chunk_count; i++) {
        if (strcmp(chunks[i].name, name) == 0) {
            return &chunks[i];
        }
    }
    return NULL;
}

static size_t pages(size_t n)
{
    size_t page = sysconf(_SC_PAGESIZE);

    return (n + page - 1) / page * page;
}

static int read_all(int fd, char *to, size_t size)
{
    ssize_t n;

    while (size > 0) {
        n = read(fd, to, size);
        if (n <= 0) {
            return -1;
        }
        to += n;
        size -= n;
    }
    return 0;
}

/*
 * The bytes lie in a shared mapping of a file, as the host's do with filesystem storage, and end where a page ends; the
 * page behind cannot be touched. The host's own bytes end in the middle of a page of zeros, where reading too far goes
 * unnoticed until the day when it does not.
 */
int chunk_load(int argc, char **argv)
{
    const char *name = argv[1], *path = argv[2];
    struct chunk *c = &chunks[chunk_count];
    size_t page = sysconf(_SC_PAGESIZE);
    struct stat st;
    char *area;
    int from;

    (void) argc;
    if (chunk_count == MAX_CHUNKS || chunk_find(name) != NULL) {
        return fail("too many chunks, or two named %s", name);
    }
    from = open(path, O_RDONLY);
    if (from < 0 || fstat(from, &st) != 0) {
        return fail("%s: %s", path, strerror(errno));
    }
    memset(c, 0, sizeof(*c));
    snprintf(c->name, sizeof(c->name), "%s", name);
    c->size = st.st_size;
    c->map_size = pages(c->size > 0 ? c->size : 1);
    c->fd = memfd_create("chunk", MFD_CLOEXEC);
    area = mmap(NULL, c->map_size + page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (c->fd < 0 || area == MAP_FAILED || ftruncate(c->fd, c->map_size) != 0) {
        return fail("chunk memory: %s", strerror(errno));
    }
    c->map = mmap(area, c->map_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, c->fd, 0);
    if (c->map == MAP_FAILED) {
        return fail("chunk memory: %s", strerror(errno));
    }
    c->data = c->map + c->map_size - c->size;
    if (read_all(from, c->data, c->size) != 0) {
        return fail("%s: cannot be read", path);
    }
    close(from);
    if (mprotect(c->map, c->map_size, PROT_READ) != 0) {
        return fail("chunk memory: %s", strerror(errno));
    }
    chunk_count++;
    return ok();
}

/* A mapping without rights takes its place: left free, the addresses could become someone else's memory. */
int chunk_unmap(int argc, char **argv)
{
    struct chunk *c = chunk_find(argv[1]);

    (void) argc;
    if (c == NULL || mmap(c->map, c->map_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED) {
        return fail("no chunk %s, or it cannot be unmapped", argv[1]);
    }
    return ok();
}

int chunk_truncate(int argc, char **argv)
{
    struct chunk *c = chunk_find(argv[1]);

    (void) argc;
    if (c == NULL || ftruncate(c->fd, 0) != 0) {
        return fail("no chunk %s, or it cannot be truncated", argv[1]);
    }
    return ok();
}
