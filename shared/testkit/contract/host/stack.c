/*
 * Coroutine stacks. An output is flushed on one: 24,576 bytes up to Fluent Bit 5.0, 64 KB since, and nothing stands
 * below it. Here a page that cannot be touched does, so that who needs more is found and not only unlucky.
 */
#include "host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#define STACK_SIZE 24576
#define PAINT 0xa5

#ifdef HOST_ASAN

/* The sanitizer puts more on a stack than a coroutine has. Its subject is the heap. */
size_t on_coroutine(void (*f)(void *), void *arg)
{
    f(arg);
    return 0;
}

#else

struct coroutine {
    ucontext_t here, back;
    void (*f)(void *);
    void *arg;
};

/* One stack for each thread, kept and not looked at: what a flush costs in the real host. */
static __thread unsigned char *kept;

/* Not on the stack of whom it describes, and one for each thread: a coroutine here never leaves its thread. */
static __thread struct coroutine co;

static void start(void)
{
    co.f(co.arg);
}

static unsigned char *new_stack(size_t page)
{
    unsigned char *area = mmap(NULL, page + STACK_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (area == MAP_FAILED || mprotect(area + page, STACK_SIZE, PROT_READ | PROT_WRITE) != 0) {
        perror("coroutine stack");
        abort();
    }
    return area + page;
}

static void run_on(unsigned char *stack, void (*f)(void *), void *arg)
{
    co.f = f;
    co.arg = arg;
    getcontext(&co.here);
    co.here.uc_stack.ss_sp = stack;
    co.here.uc_stack.ss_size = STACK_SIZE;
    co.here.uc_link = &co.back;
    makecontext(&co.here, start, 0);
    swapcontext(&co.back, &co.here);
}

size_t on_coroutine(void (*f)(void *), void *arg)
{
    size_t page = sysconf(_SC_PAGESIZE);
    size_t untouched = 0;
    unsigned char *stack;

    if (measuring) {
        if (kept == NULL) {
            kept = new_stack(page);
        }
        run_on(kept, f, arg);
        return 0;
    }
    stack = new_stack(page);
    memset(stack, PAINT, STACK_SIZE);
    run_on(stack, f, arg);
    while (untouched < STACK_SIZE && stack[untouched] == PAINT) {
        untouched++;
    }
    munmap(stack - page, page + STACK_SIZE);
    return STACK_SIZE - untouched;
}

#endif
