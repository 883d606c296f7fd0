/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for the directories where people keep the certificates of their registries. */
#include "registry/certs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/strlist.h"

#define PEM_MAX_BYTES ((size_t)1 << 20)

void certs_release(struct certs *certs)
{
	free(certs->ca);
	free(certs->cert);
	if (certs->key)
		explicit_bzero(certs->key, strlen(certs->key));
	free(certs->key);
	*certs = (struct certs)CERTS_INIT;
}

static bool ends_with(const char *name, const char *end)
{
	size_t len = strlen(name);
	size_t end_len = strlen(end);

	return len > end_len && strcmp(name + len - end_len, end) == 0;
}

/* Append a PEM file. */
static int read_pem(int dir_fd, const char *name, struct strbuf *out, struct err *err)
{
	auto_close int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
	size_t start = out->len;

	if (fd < 0)
		return err_sys(err, "open '%s'", name);
	if (fd_read_all(fd, PEM_MAX_BYTES, out, name, err) < 0)
		return -1;
	if (strlen(out->data) != out->len || !strstr(out->data + start, "-----BEGIN "))
		return err_set(err, ERR_INPUT, "'%s' holds no PEM", name);
	strbuf_putc(out, '\n');
	return 0;
}

static int read_pair(int dir_fd, const char *cert_name, struct certs *out, struct err *err)
{
	auto_free char *key_name = str_format("%.*s.key", (int)(strlen(cert_name) - 5), cert_name);
	auto_strbuf struct strbuf cert = STRBUF_INIT;
	auto_strbuf struct strbuf key = STRBUF_INIT;

	if (out->cert) {
		log_warn("'%s' is passed over: one certificate of ours is sent", cert_name);
		return 0;
	}
	if (faccessat(dir_fd, key_name, F_OK, 0) < 0)
		return err_set(err, ERR_INPUT, "'%s' has no key '%s' beside it", cert_name,
			       key_name);
	if (read_pem(dir_fd, cert_name, &cert, err) < 0 ||
	    read_pem(dir_fd, key_name, &key, err) < 0)
		return -1;
	out->cert = strbuf_steal(&cert);
	out->key = strbuf_steal(&key);
	return 0;
}

/* A key without a certificate is a mistake that would show as a refusal of the server's. */
static int check_key(const struct strlist *names, const char *key_name, struct err *err)
{
	auto_free char *cert_name = str_format("%.*s.cert", (int)(strlen(key_name) - 4), key_name);

	if (strlist_has(names, cert_name))
		return 0;
	return err_set(err, ERR_INPUT, "'%s' has no certificate '%s' beside it", key_name,
		       cert_name);
}

static int read_names(int dir_fd, const struct strlist *names, struct certs *out, struct err *err)
{
	auto_strbuf struct strbuf ca = STRBUF_INIT;

	for (size_t i = 0; i < names->count; i++) {
		const char *name = names->items[i];
		int result = 0;

		if (ends_with(name, ".crt"))
			result = read_pem(dir_fd, name, &ca, err);
		else if (ends_with(name, ".cert"))
			result = read_pair(dir_fd, name, out, err);
		else if (ends_with(name, ".key"))
			result = check_key(names, name, err);
		if (result < 0)
			return -1;
	}
	if (ca.len > 0)
		out->ca = strbuf_steal(&ca);
	return 0;
}

static int read_dir(DIR *dir, struct certs *out, struct err *err)
{
	auto_strlist struct strlist names = STRLIST_INIT;
	const struct dirent *entry;

	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			strlist_add(&names, entry->d_name);
	strlist_sort(&names);
	return read_names(dirfd(dir), &names, out, err);
}

/* The first of the usual ones that is there; NULL when none is, or it may not be read. */
static DIR *find_dir(const char *host, char **out_path)
{
	const char *config = getenv("XDG_CONFIG_HOME");
	const char *home = getenv("HOME");
	char *paths[3] = { NULL };
	DIR *dir = NULL;

	if (config && config[0] != '\0')
		paths[0] = str_format("%s/containers/certs.d/%s", config, host);
	else if (home && home[0] != '\0')
		paths[0] = str_format("%s/.config/containers/certs.d/%s", home, host);
	paths[1] = str_format("/etc/containers/certs.d/%s", host);
	paths[2] = str_format("/etc/docker/certs.d/%s", host);
	for (size_t i = 0; i < 3; i++) {
		if (!dir && paths[i] && (dir = opendir(paths[i])))
			*out_path = ptr_steal(&paths[i]);
		free(paths[i]);
	}
	return dir;
}

int certs_load(const char *dir_path, const char *host, struct certs *out, struct err *err)
{
	auto_certs struct certs certs = CERTS_INIT;
	auto_free char *path = str_dup(dir_path);
	DIR *dir = NULL;
	int result;

	/* a host is no path: it was made of a name's grammar, or of registries.conf */
	if (!dir_path && host[0] != '.' && !strchr(host, '/'))
		dir = find_dir(host, &path);
	if (dir_path && !(dir = opendir(dir_path))) {
		err_sys(err, "read '%s'", dir_path);
		err->kind = ERR_USAGE;
		return -1;
	}
	if (!dir)
		return 0;
	result = read_dir(dir, &certs, err);
	closedir(dir);
	if (result < 0)
		return err_prefix(err, "certificates in '%s'", path);
	*out = certs;
	certs = (struct certs)CERTS_INIT;
	return 0;
}

int certs_add(const struct strlist *ca, const char *cert, const char *key, struct certs *certs,
	      struct err *err)
{
	auto_certs struct certs ours = CERTS_INIT;
	auto_strbuf struct strbuf all = STRBUF_INIT;
	auto_strbuf struct strbuf cert_pem = STRBUF_INIT;
	auto_strbuf struct strbuf key_pem = STRBUF_INIT;

	if (certs->ca)
		strbuf_puts(&all, certs->ca);
	for (size_t i = 0; i < ca->count; i++)
		if (read_pem(AT_FDCWD, ca->items[i], &all, err) < 0)
			return -1;
	if (ca->count > 0) {
		free(certs->ca);
		certs->ca = strbuf_steal(&all);
	}
	if (!cert)
		return 0;
	if (read_pem(AT_FDCWD, cert, &cert_pem, err) < 0 ||
	    read_pem(AT_FDCWD, key, &key_pem, err) < 0)
		return -1;
	ours.cert = ptr_steal(&certs->cert);
	ours.key = ptr_steal(&certs->key);
	certs->cert = strbuf_steal(&cert_pem);
	certs->key = strbuf_steal(&key_pem);
	return 0;
}
