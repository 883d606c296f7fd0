/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

int main(int argc, char **argv)
{
	printf("Hello, %s, from an image with one file\n", argc > 1 ? argv[1] : "nobody");
	return 0;
}
