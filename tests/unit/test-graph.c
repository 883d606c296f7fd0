/* SPDX-License-Identifier: Apache-2.0 */
/* Stages in threads: the order, what runs at the same time, how all stops; and claims on keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "builder/claims.h"
#include "builder/graph.h"
#include "common/mem.h"

#define MANY 300

/* What the stages of a test do, and what they saw. */
struct scene {
	struct graph *graph;
	pthread_mutex_t lock; /* protects all below */
	size_t order[MANY];   /* stages as they ended */
	size_t ended;
	size_t at_work;
	size_t most_at_work;
	size_t fail_at;
	bool wait_for_others; /* on the way, a stage waits for all lower ones */
};

static bool has_ended(struct scene *scene, size_t stage)
{
	for (size_t i = 0; i < scene->ended; i++)
		if (scene->order[i] == stage)
			return true;
	return false;
}

static void enter(struct scene *scene, int by)
{
	pthread_mutex_lock(&scene->lock);
	scene->at_work += (size_t)by;
	if (scene->at_work > scene->most_at_work)
		scene->most_at_work = scene->at_work;
	pthread_mutex_unlock(&scene->lock);
}

static int execute(void *context, size_t stage, struct err *err)
{
	struct scene *scene = context;

	enter(scene, 1);
	usleep(1000);
	if (scene->wait_for_others && stage > 0) {
		enter(scene, -1);
		for (size_t i = stage; i-- > 0;)
			if (graph_wait(scene->graph, i, err) < 0)
				return -1;
		enter(scene, 1);
		pthread_mutex_lock(&scene->lock);
		assert_int_equal(scene->ended, stage);
		pthread_mutex_unlock(&scene->lock);
	}
	pthread_mutex_lock(&scene->lock);
	scene->order[scene->ended++] = stage;
	pthread_mutex_unlock(&scene->lock);
	enter(scene, -1);
	if (scene->fail_at > 0 && stage == scene->fail_at)
		return err_set(err, ERR_STEP, "stage %zu", stage);
	return 0;
}

static int run(struct scene *scene, struct err *err)
{
	int result;

	pthread_mutex_init(&scene->lock, NULL);
	result = graph_run(scene->graph, execute, scene, err);
	pthread_mutex_destroy(&scene->lock);
	assert_int_equal(scene->at_work, 0);
	return result;
}

static void test_in_order(void **state)
{
	struct scene scene = { .fail_at = 0 };
	struct err err = ERR_INIT;

	scene.graph = graph_new(20, 1, -1, &err);
	graph_add_need(scene.graph, 7, 3);
	assert_int_equal(run(&scene, &err), 0);
	assert_int_equal(scene.ended, 20);
	assert_int_equal(scene.most_at_work, 1);
	for (size_t i = 0; i < 20; i++)
		assert_int_equal(scene.order[i], i);
	graph_free(scene.graph);
}

static void test_at_the_same_time(void **state)
{
	struct scene scene = { .fail_at = 0 };
	struct err err = ERR_INIT;

	scene.graph = graph_new(MANY, 0, -1, &err);
	assert_int_equal(run(&scene, &err), 0);
	assert_int_equal(scene.ended, MANY);
	assert_true(scene.most_at_work > 1);
	assert_true(scene.most_at_work <= GRAPH_JOBS_MAX);
	graph_free(scene.graph);
}

static void test_limit(void **state)
{
	struct scene scene = { .fail_at = 0 };
	struct err err = ERR_INIT;

	scene.graph = graph_new(MANY, 3, -1, &err);
	assert_int_equal(run(&scene, &err), 0);
	assert_int_equal(scene.ended, MANY);
	assert_int_equal(scene.most_at_work, 3);
	graph_free(scene.graph);
}

/* A tree: each stage needs the one at half its number. */
static void test_needs(void **state)
{
	struct scene scene = { .fail_at = 0 };
	struct err err = ERR_INIT;
	size_t at[MANY];

	scene.graph = graph_new(MANY, 8, -1, &err);
	for (size_t i = 1; i < MANY; i++)
		graph_add_need(scene.graph, i, i / 2);
	assert_int_equal(run(&scene, &err), 0);
	assert_int_equal(scene.ended, MANY);
	for (size_t i = 0; i < MANY; i++)
		at[scene.order[i]] = i;
	for (size_t i = 1; i < MANY; i++)
		assert_true(at[i / 2] < at[i]);
	graph_free(scene.graph);
}

/* All stages wait for all lower ones on the way: with any number of jobs it comes to its end. */
static void test_waits(void **state)
{
	for (size_t jobs = 1; jobs <= 4; jobs++) {
		struct scene scene = { .wait_for_others = true };
		struct err err = ERR_INIT;

		scene.graph = graph_new(40, jobs, -1, &err);
		assert_int_equal(run(&scene, &err), 0);
		assert_int_equal(scene.ended, 40);
		assert_true(scene.most_at_work <= jobs);
		graph_free(scene.graph);
	}
}

static void test_failure(void **state)
{
	struct scene scene = { .fail_at = 5 };
	struct err err = ERR_INIT;
	struct pollfd stop = { .events = POLLIN };

	scene.graph = graph_new(MANY, 4, -1, &err);
	for (size_t i = 10; i < MANY; i++)
		graph_add_need(scene.graph, i, 5);
	stop.fd = graph_stop_fd(scene.graph);
	assert_int_equal(poll(&stop, 1, 0), 0);
	assert_int_equal(run(&scene, &err), -1);
	assert_int_equal(err.kind, ERR_STEP);
	assert_string_equal(err.text, "stage 5");
	assert_int_equal(poll(&stop, 1, 0), 1);
	for (size_t i = 10; i < MANY; i++)
		assert_false(has_ended(&scene, i));
	graph_free(scene.graph);
}

/* One that waits for a stage that fails gets away, and its own error is not the one told. */
static void test_failure_of_what_is_waited_for(void **state)
{
	struct scene scene = { .fail_at = 1, .wait_for_others = true };
	struct err err = ERR_INIT;

	scene.graph = graph_new(30, 4, -1, &err);
	assert_int_equal(run(&scene, &err), -1);
	assert_string_equal(err.text, "stage 1");
	assert_int_equal(scene.ended, 2);
	graph_free(scene.graph);
}

static void test_interrupt(void **state)
{
	struct err err = ERR_INIT;
	int wish = eventfd(0, EFD_CLOEXEC);
	struct graph *graph = graph_new(1, 1, wish, &err);
	struct pollfd stop = { .fd = graph_stop_fd(graph), .events = POLLIN };

	assert_int_equal(poll(&stop, 1, 0), 0);
	assert_int_equal(eventfd_write(wish, 1), 0);
	assert_int_equal(poll(&stop, 1, 0), 1);
	graph_free(graph);
	close(wish);
}

/* ---- claims ---- */

struct claimer {
	struct claims *claims;
	const struct digest *keys;
	size_t *holders; /* of each key; not protected but by the claim */
};

static void *claim_and_count(void *context)
{
	struct claimer *claimer = context;

	for (int round = 0; round < 200; round++) {
		claims_take(claimer->claims, &claimer->keys[0], claimer);
		claims_take(claimer->claims, &claimer->keys[0], claimer);
		claims_take(claimer->claims, &claimer->keys[1 + round % 2], claimer);
		claimer->holders[0]++;
		claimer->holders[1 + round % 2]++;
		claims_drop(claimer->claims, claimer);
	}
	return NULL;
}

static void test_claims(void **state)
{
	const struct digest keys[] = { { { 1 } }, { { 2 } }, { { 3 } } };
	struct claimer claimers[4];
	pthread_t threads[4];
	struct claims claims;
	size_t holders[3] = { 0 };

	claims_init(&claims);
	for (size_t i = 0; i < 4; i++) {
		claimers[i] = (struct claimer){ &claims, keys, holders };
		assert_int_equal(pthread_create(&threads[i], NULL, claim_and_count, &claimers[i]),
				 0);
	}
	for (size_t i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(holders[0], 800);
	assert_int_equal(holders[1], 400);
	assert_int_equal(holders[2], 400);
	assert_int_equal(claims.count, 0);
	claims_release(&claims);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_order),
		cmocka_unit_test(test_at_the_same_time),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_needs),
		cmocka_unit_test(test_waits),
		cmocka_unit_test(test_failure),
		cmocka_unit_test(test_failure_of_what_is_waited_for),
		cmocka_unit_test(test_interrupt),
		cmocka_unit_test(test_claims),
	};

	return cmocka_run_group_tests_name("graph", tests, NULL, NULL);
}
