/* log.h: where messages go when nobody has a terminal to read them. */
#ifndef PAGEFS_LOG_H
#define PAGEFS_LOG_H

/* From now on each line written to stderr becomes a message of syslog(3): ident pagefs,
 * facility daemon, level error. Where that cannot be set up stderr stays what it is. */
void log_to_syslog(void);

#endif
