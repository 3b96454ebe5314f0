/*
 * process.h - runs one tool to its end and captures what it says.
 *
 * Purpose: the only place that starts processes. A tool is an absolute path, started without a shell, in a
 * process group of its own (so that a terminal's interrupt does not reach it), with default signals, none
 * of them blocked, an environment that is made here, and no descriptors but 0, 1 and 2 and those it is to keep.
 * It is killed when we die, however that comes: what it was told to do is not to be done later, when nobody expects it.
 * Its input is fed and its output read at the same time, so that neither can wait for the other.
 * Units: milliseconds, bytes.
 * Errors: process_run() returns 0 once the tool ran, however it ended, or -errno if it could not be started;
 * -EINVAL for a path that is not absolute.
 * State after failure: no process is left behind; a tool over its time or its output limit was killed with its group.
 * Ownership: process_result_free() releases the captured text, after failures too.
 */
#ifndef PEERWALL_PROCESS_H
#define PEERWALL_PROCESS_H

#include <peerwall/strbuf.h>

#include <stdbool.h>
#include <stddef.h>

#define PROCESS_KEEPS_MAX 2

struct process {
	const char *path;        /* absolute */
	const char *const *argv; /* ends in NULL; argv[0] is the tool's own name */
	const char *lock_file;   /* goes into the environment as XTABLES_LOCKFILE; NULL for none */
	const char *input;       /* for its standard input; NULL for none */
	size_t input_size;
	size_t output_limit;     /* of standard output; of standard error the first 64 KiB are kept */
	unsigned time_limit;     /* 0 is no limit */
	/* Held open by the tool as well: locks, which last until the tool has ended, too, whatever became of us. NULL,
	   or a descriptor below 0: none. */
	const int *keeps[PROCESS_KEEPS_MAX];
};

enum process_end { PROCESS_EXITED, PROCESS_SIGNALLED, PROCESS_TIMED_OUT, PROCESS_OUTPUT_TOO_LARGE };

struct process_result {
	enum process_end end;
	int code; /* the exit status, or the signal's number */
	struct strbuf out;
	struct strbuf err;
};

int process_run(struct process_result *result, const struct process *process);

/* Did it exit with status 0? */
bool process_succeeded(const struct process_result *result);

/* "exited with status 4", "was killed by signal 9 (Killed)", "did not finish within 30 seconds". */
void process_describe_end(struct strbuf *out, const struct process *process, const struct process_result *result);

/*
 * What the tool said on standard error, as one line of printable ASCII: its lines joined by "; ", hints at
 * its own --help left out, cut at some hundred bytes. Nothing is added if it said nothing.
 */
void process_describe_message(struct strbuf *out, const struct process_result *result);

void process_result_free(struct process_result *result);

#endif
