/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STORAGE_DB_FILES_INTERNAL_H
#define STORAGE_DB_FILES_INTERNAL_H

/*
 * How SQLite gets at files, by the name that its opening takes. Paths are used as they are and to
 * the end; they may lead through /proc/self/fd.
 */
const char *db_files(void);
/* The same, but every file is opened for reading, and none is made. */
const char *db_files_for_reading(void);

#endif
