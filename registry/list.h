/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_LIST_H
#define REGISTRY_LIST_H

/*
 * "imgpull tags" and "imgpull referrers": what a registry has of a repository, and what there is
 * about an image. Whole commands: argv[0] is the verb; they print their errors and give the exit
 * status.
 */
int tags_main(int argc, char **argv);
int referrers_main(int argc, char **argv);

#endif
