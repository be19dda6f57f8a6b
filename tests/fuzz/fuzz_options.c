/* What follows -o: any text; what is accepted keeps its promises. */
#include "mount_options.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "input.h"
#include "message.h"

/* In the place of fs/message.c: formatted, and not printed. */
void message(const char *subject, const char *format, ...)
{
    char text[4096];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    (void)subject;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct options options = {0};
    char *const list = malloc(size + 1);

    require(list != NULL);
    memcpy(list, data, size);
    list[size] = '\0';
    if (mount_options_parse(list, &options) && mount_options_check(&options)) {
        require(options.umask <= 0777);
        require(options.create_pages != 1 && options.max_pages != 1);
        require(!options.create || (!options.read_only && !options.scratch));
        require(!(options.read_only && options.require_rw));
        require(!(options.read_only && options.scratch));
    }
    free(list);
    return 0;
}
