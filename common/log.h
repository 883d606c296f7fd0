/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

/*
 * Messages to stderr that are not errors: "PROGRAM: warning: text". One line
 * each, written with one write(2). The level is the project's only global.
 */
enum log_level {
	LOG_QUIET, /* warnings are still shown */
	LOG_INFO,
	LOG_DEBUG,
};

/* Called once by a command, before any thread. @program is borrowed for ever. */
void log_init(const char *program, enum log_level level);
const char *log_program(void);
enum log_level log_level(void);

void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
