/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_LOGIN_H
#define REGISTRY_LOGIN_H

/*
 * "imgpull login" and "imgpull logout": credentials that the registry accepts are kept in the file
 * where all programs of this family, and podman's, find them. Whole commands: argv[0] is the
 * verb; they print their errors and give the exit status.
 */
int login_main(int argc, char **argv);
int logout_main(int argc, char **argv);

#endif
