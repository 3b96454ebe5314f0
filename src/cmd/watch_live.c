#include "watch_live.h"

#include "watch_rules.h"

#include <peerwall/nft_watch.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* A packet of which nothing was heard for so long is through, or was lost outside of the rules. Milliseconds. */
#define QUIET_LIMIT 250
/* Rules that change all the time are read anew no oftener than this. */
#define READ_LIMIT 1000
#define OPEN_MAX 4096

struct live_packet {
	uint32_t id;
	bool done; /* its last event has come */
	bool gaps; /* events were lost while it was on its way */
	int64_t heard;
	struct arena arena;
	struct nft_event_list events;
};

struct watcher {
	struct live_command *command;
	struct nft_watch watch;
	struct watch_rules *rules;
	bool legacy;
	int64_t rules_read;
	struct live_packet *open[OPEN_MAX]; /* in the order of their first events */
	size_t open_count;
	unsigned long seen, printed;
	bool lost;      /* the kernel threw events away */
	bool congested; /* and may have done so among those that are still to be received */
	bool reader_gone;
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- signals ---- */

/* Written to by the handler, so that poll() cannot miss it. */
static int stop_pipe[2] = {-1, -1};
/* The table goes at once, even while nobody takes what is printed. */
static struct nft_watch *volatile stopped_watch;

static void note_signal(int number)
{
	int error = errno;

	(void)number;
	if (stopped_watch)
		nft_watch_stop(stopped_watch);
	if (write(stop_pipe[1], "", 1) < 0) {
		/* It is full: it was noted before. */
	}
	errno = error;
}

static int catch_signals(void)
{
	struct sigaction action = {.sa_handler = note_signal}, alarm = {.sa_handler = note_signal, .sa_flags = SA_RESTART};

	if (pipe2(stop_pipe, O_CLOEXEC | O_NONBLOCK) != 0)
		return -errno;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	/* The end of the time cuts off no line that is being written. */
	sigaction(SIGALRM, &alarm, NULL);
	return 0;
}

static void set_alarm(unsigned milliseconds)
{
	struct itimerval timer = {.it_value = {milliseconds / 1000, (milliseconds % 1000) * 1000L}};

	setitimer(ITIMER_REAL, &timer, NULL);
}

/* ---- packets ---- */

static const char *copy(const char *text, struct arena *arena)
{
	return text ? arena_strdup(arena, text) : NULL;
}

static void keep_event(struct live_packet *packet, const struct nft_event *event, enum nft_event_kind kind)
{
	struct arena *arena = &packet->arena;
	struct nft_event kept = *event;

	kept.kind = kind;
	kept.family = copy(event->family, arena);
	kept.table = copy(event->table, arena);
	kept.chain = copy(event->chain, arena);
	kept.target = copy(event->target, arena);
	kept.header.packet.in = copy(event->header.packet.in, arena);
	kept.header.out = copy(event->header.out, arena);
	vec_push(arena, &packet->events.items, kept);
	packet->heard = now_ms();
}

static void free_packet(struct live_packet *packet)
{
	arena_free(&packet->arena);
	free(packet);
}

/* Of the legacy tables only the way in and out is seen: in the table after the last one, it ended. */
static void note_end(struct watcher *watcher, struct live_packet *packet)
{
	const struct nft_event *last = &packet->events.items.data[packet->events.items.len - 1];
	struct nft_event end = *last;
	const char *table;

	if (!watcher->legacy || packet->gaps || (last->kind != NFT_EVENT_PACKET && last->kind != NFT_EVENT_PASSED))
		return;
	table = nft_watch_next_table(last->chain, last->table);
	if (!table)
		return;
	end.table = table;
	keep_event(packet, &end, NFT_EVENT_VANISHED);
}

static void refresh_rules(struct watcher *watcher)
{
	struct watch_rules *rules;
	int64_t now = now_ms();

	if (watcher->legacy || now - watcher->rules_read < READ_LIMIT || !watch_rules_are_old(watcher->rules))
		return;
	watcher->rules_read = now;
	rules = watch_rules_read(watcher->command);
	if (rules) {
		watch_rules_free(watcher->rules);
		watcher->rules = rules;
		return;
	}
	print_clean(stderr, "peerwall: warning: the rules have changed, and cannot be read anew: %s", watcher->command->failure.message);
	watcher->command->failure = FAILURE_INIT(&watcher->command->input.arena);
}

static void print_packet(struct watcher *watcher, struct live_packet *packet)
{
	struct traced_list packets;

	note_end(watcher, packet);
	refresh_rules(watcher);
	traced_collect(&packets, &packet->events, &packet->arena);
	vec_each(traced, &packets.items) {
		struct watch_report report = {.packet = *traced, .number = ++watcher->printed,
					      .sources = &watcher->command->input.sources, .arena = &packet->arena};

		(*traced)->gaps = packet->gaps;
		traced_explain(*traced, &watcher->rules->traced, &packet->arena);
		watcher->reader_gone |= !watch_print(watcher->command, &report);
	}
}

/* Those that are through, or all. */
static void print_packets(struct watcher *watcher, bool all)
{
	int64_t now = now_ms();
	size_t kept = 0;

	for (size_t i = 0; i < watcher->open_count; i++) {
		struct live_packet *packet = watcher->open[i];

		if (!all && !packet->done && now - packet->heard < QUIET_LIMIT) {
			watcher->open[kept++] = packet;
			continue;
		}
		if (!watcher->reader_gone)
			print_packet(watcher, packet);
		free_packet(packet);
	}
	watcher->open_count = kept;
}

static struct live_packet *find_packet(struct watcher *watcher, uint32_t id)
{
	for (size_t i = watcher->open_count; i > 0; i--)
		if (watcher->open[i - 1]->id == id && !watcher->open[i - 1]->done)
			return watcher->open[i - 1];
	return NULL;
}

/* Its number may have belonged to one before it. */
static struct live_packet *begin_packet(struct watcher *watcher, const struct nft_event *event)
{
	struct live_packet *packet = find_packet(watcher, event->id);

	if (packet)
		packet->done = true;
	if (watcher->seen == watcher->command->watch.count || watcher->open_count == OPEN_MAX)
		return NULL;
	packet = checked_realloc(NULL, sizeof *packet);
	*packet = (struct live_packet){.id = event->id, .gaps = watcher->congested, .arena = ARENA_EMPTY};
	watcher->open[watcher->open_count++] = packet;
	watcher->seen++;
	return packet;
}

/* Of our own table: the packet is at a hook, whatever tables there are. */
static void keep_hook(struct live_packet *packet, const struct nft_event *event, const char *chain, enum nft_event_kind kind)
{
	struct nft_event hook = *event;

	hook.family = event->header.packet.family == FAMILY_IPV4 ? "ip" : "ip6";
	hook.table = kind == NFT_EVENT_PASSED ? event->table : "";
	hook.chain = chain;
	keep_event(packet, &hook, kind);
}

static void take_event(void *context, enum watch_mark mark, const struct nft_event *event)
{
	struct watcher *watcher = context;
	struct live_packet *packet = mark == WATCH_OURS ? begin_packet(watcher, event) : find_packet(watcher, event->id);

	if (!packet)
		return;
	switch (mark) {
	case WATCH_OURS:
		keep_hook(packet, event, event->header.packet.in ? "PREROUTING" : "OUTPUT", NFT_EVENT_PACKET);
		return;
	case WATCH_SEEN:
		/* That of the hook where it was marked comes right behind. */
		if (*event->table || strcmp(event->chain, packet->events.items.data[0].chain) != 0)
			keep_hook(packet, event, event->chain, *event->table ? NFT_EVENT_PASSED : NFT_EVENT_PACKET);
		return;
	case WATCH_END:
		keep_hook(packet, event, event->chain, NFT_EVENT_END);
		packet->done = true;
		return;
	case WATCH_FOREIGN:
		keep_event(packet, event, event->kind);
		packet->done = (event->kind == NFT_EVENT_RULE || event->kind == NFT_EVENT_POLICY) && event->verdict == NFT_DROPS;
		return;
	}
}

/* ---- the run ---- */

static bool is_over(const struct watcher *watcher)
{
	return watcher->reader_gone || (watcher->seen == watcher->command->watch.count && watcher->open_count == 0);
}

/* False when a signal came, or the time is over. */
static bool wait_for_events(struct watcher *watcher)
{
	struct pollfd polled[2] = {{.fd = watcher->watch.events, .events = POLLIN}, {.fd = stop_pipe[0], .events = POLLIN}};

	(void)poll(polled, 2, watcher->open_count ? QUIET_LIMIT / 2 : -1);
	return !polled[1].revents;
}

/* What the kernel threw away is missing among what is already in the queue, or right behind it. */
static void note_loss(struct watcher *watcher)
{
	watcher->lost = watcher->congested = true;
	for (size_t i = 0; i < watcher->open_count; i++)
		watcher->open[i]->gaps = true;
}

static int follow(struct watcher *watcher)
{
	bool wanted = true;

	while (wanted && !is_over(watcher)) {
		int error;

		wanted = wait_for_events(watcher);
		error = nft_watch_receive(&watcher->watch, take_event, watcher);
		watcher->congested = false;
		if (error == -ENOBUFS) {
			note_loss(watcher);
		} else if (error) {
			print_error("the kernel's trace cannot be read: %s", strerror(-error));
			return EXIT_SYSTEM;
		}
		print_packets(watcher, false);
	}
	print_packets(watcher, true);
	return EXIT_FINE;
}

static void print_start(const struct watcher *watcher)
{
	const struct watch_options *options = &watcher->command->watch;

	fprintf(stderr, "peerwall: watching for %g s, %u packets at most\n", options->limit / 1000.0, options->count);
	if (watcher->legacy)
		fputs("peerwall: with the legacy backend it shows in which table a packet ends; `peerwall trace` works out by which rule\n",
		      stderr);
}

static void print_end(const struct watcher *watcher)
{
	fprintf(stderr, "peerwall: %lu packet%s\n", watcher->printed, watcher->printed == 1 ? "" : "s");
	if (watcher->lost)
		fputs("peerwall: warning: the kernel told more than could be taken in: packets are missing, or have gaps\n", stderr);
}

static int open_failed(int error)
{
	if (error == -EOPNOTSUPP || error == -EINVAL)
		print_error("this kernel cannot watch: it needs nf_tables of Linux 5.12 or later, with the inet family (%s)",
			    strerror(-error));
	else
		print_error("the kernel refuses to trace packets: %s", strerror(-error));
	return EXIT_SYSTEM;
}

int watch_live(struct live_command *command, const struct watch_match_list *matches)
{
	struct watcher *watcher = arena_zalloc(&command->input.arena, sizeof *watcher);
	int error, code;

	watcher->command = command;
	error = catch_signals();
	if (error) {
		print_error("no pipe can be opened: %s", strerror(-error));
		return EXIT_SYSTEM;
	}
	watcher->rules = watch_rules_read(command);
	if (!watcher->rules)
		return failure_exit_code(&command->failure);
	watcher->legacy = watcher->rules->live.backend == BACKEND_LEGACY;
	error = nft_watch_open(&watcher->watch, matches, command->watch.rate, watcher->legacy);
	if (error) {
		watch_rules_free(watcher->rules);
		return open_failed(error);
	}
	stopped_watch = &watcher->watch;
	set_alarm(command->watch.limit);
	/* To make the table was one commit. */
	watcher->rules->generation += watcher->rules->has_generation;
	print_start(watcher);
	code = follow(watcher);
	stopped_watch = NULL;
	nft_watch_close(&watcher->watch);
	print_end(watcher);
	watch_rules_free(watcher->rules);
	return code;
}
