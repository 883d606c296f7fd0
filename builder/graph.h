/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUILDER_GRAPH_H
#define BUILDER_GRAPH_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"

/*
 * What runs when. A graph has stages, numbered so that each needs lower numbers only.
 * Every stage runs in one thread from its beginning to its end, as soon as what it
 * needs is done. Threads come only when there is something for them to do: a graph in
 * which one stage follows the other runs in the calling thread.
 *
 * A stage may also wait on its way for another one with a lower number (graph_wait).
 * While it does it is not counted among those at work, so whatever it waits for finds
 * its place. The lowest stage that is not done always has all that it needs: with any
 * number of jobs the graph comes to its end. With one job the stages run in the order of
 * their numbers.
 *
 * The first error stops everything: no other stage begins, those at work are told
 * by graph_stop_fd, and graph_run returns when the last one has ended.
 */
struct graph;

/* More are never at work at the same time: each has its descriptors, and a container. */
#define GRAPH_JOBS_MAX 32

typedef int (*graph_fn)(void *context, size_t stage, struct err *err);

/*
 * @jobs: how many stages may be at work; 0: as many as can. @interrupt_fd: readable when the user
 * wants to stop, or -1; borrowed.
 */
struct graph *graph_new(size_t stage_count, size_t jobs, int interrupt_fd, struct err *err);
void graph_free(struct graph *graph);
#define auto_graph __attribute__((cleanup(graph_auto_free)))
static inline void graph_auto_free(struct graph **graph)
{
	graph_free(*graph);
}

/* Before graph_run: @stage begins after @need, which is lower. */
void graph_add_need(struct graph *graph, size_t stage, size_t need);

/* Readable from the first error on, and when the user wants to stop; borrowed. */
int graph_stop_fd(const struct graph *graph);

/* Run all stages by @execute. The error of the one that failed first. */
int graph_run(struct graph *graph, graph_fn execute, void *context, struct err *err);

/* In @execute: is @stage done? */
bool graph_is_done(struct graph *graph, size_t stage);
/* In @execute: return when @stage, a lower one, is done; ERR_INTERRUPTED when all stops. */
int graph_wait(struct graph *graph, size_t stage, struct err *err);

#endif
