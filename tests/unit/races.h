/* races.h: tests in which a few threads meet on the same pages; run by test_threads.c. */
#ifndef TEST_RACES_H
#define TEST_RACES_H

void a_page_is_read_wholly_old_or_wholly_new(void **state);
void a_page_read_while_a_shrink_takes_it_is_there_or_not(void **state);
void of_many_frees_of_one_page_exactly_one_succeeds(void **state);

#endif
