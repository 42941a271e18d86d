/*
 * The host's own fault handlers. Fluent Bit installs them before it loads plugins, and again, over whatever the plugins
 * installed, in the handler of SIGHUP and SIGCONT. signal() sets no SA_ONSTACK: the handler runs on the stack that
 * faulted, and a Go runtime does not see the fault at all.
 */
#include "host.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static void fatal(int signal)
{
    static const char segv[] = "fatal signal=SIGSEGV\n";
    static const char fpe[] = "fatal signal=SIGFPE\n";
    ssize_t n = signal == SIGSEGV ? write(STDOUT_FILENO, segv, sizeof(segv) - 1)
                                  : write(STDOUT_FILENO, fpe, sizeof(fpe) - 1);

    (void) n;
    abort();
}

void signals_install(void)
{
    signal(SIGSEGV, fatal);
    signal(SIGFPE, fatal);
}
