/* flb_log_print as the host has it: no level is looked at, and the message is built in 4 KB of the caller's stack. */
#include "host.h"

#include <stdarg.h>
#include <stdio.h>

EXPORT struct flb_worker *flb_worker_get(void);

EXPORT void flb_log_print(int level, const char *file, int number, const char *fmt, ...)
{
    struct flb_worker *w = flb_worker_get();
    char message[4096 - sizeof(size_t)];
    va_list args;

    (void) file;
    (void) number;
    va_start(args, fmt);
    vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);
    line_begin("log");
    line_number("level", level);
    line_text("thread", w != NULL ? w->name : "foreign");
    line_text("text", message);
    line_end();
}
