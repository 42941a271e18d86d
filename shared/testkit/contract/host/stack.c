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

/* Not on the stack of whom it describes, and one for each thread: a coroutine here never leaves its thread. */
static __thread struct coroutine co;

static void start(void)
{
    co.f(co.arg);
}

size_t on_coroutine(void (*f)(void *), void *arg)
{
    size_t page = sysconf(_SC_PAGESIZE);
    unsigned char *area = mmap(NULL, page + STACK_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    unsigned char *stack = area + page;
    size_t untouched = 0;

    if (area == MAP_FAILED || mprotect(stack, STACK_SIZE, PROT_READ | PROT_WRITE) != 0) {
        perror("coroutine stack");
        abort();
    }
    memset(stack, PAINT, STACK_SIZE);
    co.f = f;
    co.arg = arg;
    getcontext(&co.here);
    co.here.uc_stack.ss_sp = stack;
    co.here.uc_stack.ss_size = STACK_SIZE;
    co.here.uc_link = &co.back;
    makecontext(&co.here, start, 0);
    swapcontext(&co.back, &co.here);
    while (untouched < STACK_SIZE && stack[untouched] == PAINT) {
        untouched++;
    }
    munmap(area, page + STACK_SIZE);
    return STACK_SIZE - untouched;
}

#endif
