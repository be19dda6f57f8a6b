/* caller.h: for the libraries that are preloaded into a daemon: who calls? */
#ifndef TEST_CALLER_H
#define TEST_CALLER_H

#include <stdbool.h>

/* Before caller_is_program(), in a constructor. */
void caller_find_program(void);
/* Is this address in the program itself, and not in one of its libraries? */
bool caller_is_program(const void *address);
/* From here on nobody is: what follows in a coverage run is the writing of its counts, by
 * code that is in the program, too (counts.c, which finds this function by its name). */
void caller_program_ends(void);

#endif
