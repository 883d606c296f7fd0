/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the order and the threads in which stages run, and for all of them
 * ending when one fails. What a stage does is its caller's.
 *
 * A thread that has begun a stage stays with it: what it starts on the way is bound
 * to the life of the thread.
 */
#include "builder/graph.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/mem.h"

enum node_state {
	NODE_WAITING,
	NODE_TAKEN,
	NODE_DONE,
};

struct node {
	enum node_state state;
	size_t *needs;
	size_t need_count;
};

struct graph {
	size_t count;
	size_t jobs;
	graph_fn execute;
	void *context;
	int failed_fd; /* an eventfd: readable from the first error on */
	int stop_fd;   /* an epoll of that and of the user's wish */

	pthread_mutex_t lock; /* protects all below; nothing is called while it is held */
	pthread_cond_t changed;
	struct node *nodes;
	size_t done;
	size_t busy; /* stages at work, without those that wait for another */
	size_t idle; /* threads that have nothing to do */
	bool has_failed;
	struct err *first; /* the error, when it has */
	pthread_t *threads;
	size_t thread_count;
};

static int watch(int epoll_fd, int fd, struct err *err)
{
	struct epoll_event event = { .events = EPOLLIN };

	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
		return err_sys(err, "watch for a reason to stop");
	return 0;
}

static int open_stop_fd(struct graph *graph, int interrupt_fd, struct err *err)
{
	graph->failed_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	graph->stop_fd = epoll_create1(EPOLL_CLOEXEC);
	if (graph->failed_fd < 0 || graph->stop_fd < 0)
		return err_sys(err, "watch for a reason to stop");
	if (watch(graph->stop_fd, graph->failed_fd, err) < 0)
		return -1;
	return interrupt_fd < 0 ? 0 : watch(graph->stop_fd, interrupt_fd, err);
}

struct graph *graph_new(size_t stage_count, size_t jobs, int interrupt_fd, struct err *err)
{
	struct graph *graph = mem_alloc(sizeof(*graph));

	graph->count = stage_count;
	graph->jobs = jobs == 0 || jobs > GRAPH_JOBS_MAX ? GRAPH_JOBS_MAX : jobs;
	graph->failed_fd = graph->stop_fd = -1;
	graph->nodes = mem_array(stage_count, sizeof(*graph->nodes));
	graph->first = mem_alloc(sizeof(*graph->first));
	pthread_mutex_init(&graph->lock, NULL);
	pthread_cond_init(&graph->changed, NULL);
	if (open_stop_fd(graph, interrupt_fd, err) < 0) {
		graph_free(graph);
		return NULL;
	}
	return graph;
}

void graph_free(struct graph *graph)
{
	if (!graph)
		return;
	for (size_t i = 0; i < graph->count; i++)
		free(graph->nodes[i].needs);
	free(graph->nodes);
	free(graph->first);
	free(graph->threads);
	pthread_cond_destroy(&graph->changed);
	pthread_mutex_destroy(&graph->lock);
	fd_close(&graph->stop_fd);
	fd_close(&graph->failed_fd);
	free(graph);
}

void graph_add_need(struct graph *graph, size_t stage, size_t need)
{
	struct node *node = &graph->nodes[stage];

	assert(need < stage && stage < graph->count);
	node->needs = mem_resize(node->needs, node->need_count + 1, sizeof(size_t));
	node->needs[node->need_count++] = need;
}

int graph_stop_fd(const struct graph *graph)
{
	return graph->stop_fd;
}

/* ---- all below with the lock held ------------------------------------------- */

static bool is_over(const struct graph *graph)
{
	return graph->has_failed || graph->done == graph->count;
}

static bool is_ready(const struct graph *graph, const struct node *node)
{
	if (node->state != NODE_WAITING)
		return false;
	for (size_t i = 0; i < node->need_count; i++)
		if (graph->nodes[node->needs[i]].state != NODE_DONE)
			return false;
	return true;
}

/* The lowest one first: by that alone no stage waits for one that never begins. */
static bool take(struct graph *graph, size_t *out_stage)
{
	if (graph->busy >= graph->jobs)
		return false;
	for (size_t i = 0; i < graph->count; i++) {
		if (!is_ready(graph, &graph->nodes[i]))
			continue;
		graph->nodes[i].state = NODE_TAKEN;
		graph->busy++;
		*out_stage = i;
		return true;
	}
	return false;
}

static void fail(struct graph *graph, const struct err *err)
{
	const uint64_t one = 1;
	ssize_t written;

	if (graph->has_failed)
		return;
	graph->has_failed = true;
	*graph->first = *err;
	written = write(graph->failed_fd, &one, sizeof(one));
	assert(written == sizeof(one)); /* of a counter that is written once */
	(void)written;
}

static void *thread_main(void *graph);

/* When there is more to begin than there are threads with nothing to do. */
static void add_thread(struct graph *graph)
{
	size_t ready = 0;
	int error;

	if (graph->busy >= graph->jobs)
		return;
	for (size_t i = 0; i < graph->count && ready <= graph->idle; i++)
		ready += is_ready(graph, &graph->nodes[i]);
	if (ready <= graph->idle)
		return;
	graph->threads =
		mem_resize(graph->threads, graph->thread_count + 1, sizeof(*graph->threads));
	error = pthread_create(&graph->threads[graph->thread_count], NULL, thread_main, graph);
	if (error == 0) {
		graph->thread_count++;
		return;
	}
	/* a thread that is at work comes back for it; if there is none, it never runs */
	if (graph->busy == 0 && graph->idle == 0) {
		struct err err = ERR_INIT;

		errno = error;
		err_sys(&err, "start a thread");
		fail(graph, &err);
	}
}

static void run_stage(struct graph *graph, size_t stage)
{
	struct err err = ERR_INIT;
	int result;

	pthread_mutex_unlock(&graph->lock);
	result = graph->execute(graph->context, stage, &err);
	pthread_mutex_lock(&graph->lock);
	graph->busy--;
	if (result < 0) {
		fail(graph, &err);
	} else {
		graph->nodes[stage].state = NODE_DONE;
		graph->done++;
	}
	pthread_cond_broadcast(&graph->changed);
}

static void work(struct graph *graph)
{
	size_t stage;

	while (!is_over(graph)) {
		if (take(graph, &stage)) {
			add_thread(graph);
			run_stage(graph, stage);
			continue;
		}
		graph->idle++;
		pthread_cond_wait(&graph->changed, &graph->lock);
		graph->idle--;
	}
}

/* ---- */

static void *thread_main(void *context)
{
	struct graph *graph = context;

	pthread_mutex_lock(&graph->lock);
	work(graph);
	pthread_mutex_unlock(&graph->lock);
	return NULL;
}

int graph_run(struct graph *graph, graph_fn execute, void *context, struct err *err)
{
	graph->execute = execute;
	graph->context = context;
	pthread_mutex_lock(&graph->lock);
	work(graph);
	/* nobody makes a thread any more, once it is over and the last stage has ended */
	for (size_t i = 0; i < graph->thread_count; i++) {
		pthread_t thread = graph->threads[i];

		pthread_mutex_unlock(&graph->lock);
		pthread_join(thread, NULL);
		pthread_mutex_lock(&graph->lock);
	}
	pthread_mutex_unlock(&graph->lock);
	if (!graph->has_failed)
		return 0;
	*err = *graph->first;
	return -1;
}

bool graph_is_done(struct graph *graph, size_t stage)
{
	bool is_done;

	pthread_mutex_lock(&graph->lock);
	is_done = graph->nodes[stage].state == NODE_DONE;
	pthread_mutex_unlock(&graph->lock);
	return is_done;
}

int graph_wait(struct graph *graph, size_t stage, struct err *err)
{
	const struct node *node = &graph->nodes[stage];
	bool has_failed;

	pthread_mutex_lock(&graph->lock);
	if (node->state != NODE_DONE && !graph->has_failed) {
		/* another one may take the place meanwhile */
		graph->busy--;
		add_thread(graph);
		pthread_cond_broadcast(&graph->changed);
		while (!graph->has_failed && node->state != NODE_DONE)
			pthread_cond_wait(&graph->changed, &graph->lock);
		while (!graph->has_failed && graph->busy >= graph->jobs)
			pthread_cond_wait(&graph->changed, &graph->lock);
		graph->busy++;
	}
	has_failed = graph->has_failed;
	pthread_mutex_unlock(&graph->lock);
	return has_failed ? err_set(err, ERR_INTERRUPTED, "interrupted") : 0;
}
