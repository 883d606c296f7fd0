/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_DISPOSITION_H
#define REGISTRY_DISPOSITION_H

/*
 * The file name that a Content-Disposition header suggests (RFC 6266), as one
 * clean component of a path; NULL when there is none, or none that is clean.
 *
 *   type { ";" name "=" ( token | quoted ) }     filename* goes before filename
 */
char *disposition_filename(const char *header);

/*
 * The last component of @path, which may be written with "/" or "\"; NULL when it is empty, "."
 * or "..", longer than a name can be, or has a control character. Also what a URL's path ends with.
 */
char *disposition_clean_name(const char *path);

/* "%41" → "A", at most what is well-formed; NULL when a NUL comes out. */
char *disposition_percent_decode(const char *text);

#endif
