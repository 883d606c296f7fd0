/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for how an insecure registry is spoken to: with https, or without when it does not speak
 * it. One errand finds out, and all others wait for it: who was refused by a registry that has
 * answered another one already could not tell that from a registry that is down.
 */
#include <stdlib.h>

#include "registry/courier-internal.h"

static void wake_others(struct courier_endpoint *endpoint, struct courier *courier)
{
	for (struct errand *other = courier->errands; other; other = other->next)
		if (other->endpoint == endpoint && other->state == ERRAND_WAITING &&
		    !other->token_wanted)
			other->state = ERRAND_READY;
}

bool scheme_wait(struct errand *errand)
{
	struct courier_endpoint *endpoint = errand->endpoint;

	if (endpoint->scheme != SCHEME_UNKNOWN || errand->token || errand->url ||
	    errand->request->path[0] != '/' || endpoint->prober == errand)
		return false;
	if (!endpoint->prober) {
		endpoint->prober = errand;
		return false;
	}
	errand->state = ERRAND_WAITING;
	return true;
}

void scheme_found(struct errand *errand)
{
	struct courier_endpoint *endpoint = errand->endpoint;

	if (endpoint->scheme != SCHEME_UNKNOWN)
		return;
	endpoint->scheme = errand->tried;
	scheme_give_up(errand);
}

void scheme_give_up(struct errand *errand)
{
	struct courier_endpoint *endpoint = errand->endpoint;

	if (endpoint->prober != errand)
		return;
	endpoint->prober = NULL;
	wake_others(endpoint, errand->courier);
}

bool scheme_try_plain(struct errand *errand)
{
	struct courier_endpoint *endpoint = errand->endpoint;
	curl_off_t shaken_us = 0;

	/* it spoke https, and had something against us */
	curl_easy_getinfo(errand->exchange.curl, CURLINFO_APPCONNECT_TIME_T, &shaken_us);
	if (!endpoint->values->is_insecure || endpoint->has_answered || shaken_us > 0 ||
	    errand->tried != SCHEME_HTTPS || !errand->exchange.is_at_home || errand->token)
		return false;
	errand->tried = SCHEME_HTTP;
	scheme_found(errand);
	free(errand->url);
	errand->url = NULL;
	errand->state = ERRAND_READY;
	return true;
}
