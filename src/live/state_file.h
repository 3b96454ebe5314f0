/*
 * state_file.h - peerwall's own small files: read whole, replaced in one step.
 *
 * Purpose: what has to outlive a process. A file is written under a temporary name, flushed to disk and renamed, so that
 * whatever ends the process, or the machine, leaves the old text or the new one. Files lie in a directory that only root
 * may write (lock_directory_prepare()); one in it that is not as peerwall makes them is not read.
 * Call with a lock held: two writers of one file would meet in its temporary name.
 * Errors: 0 or -errno; -EPERM for a file that belongs to somebody else or that others may write, -EFBIG over the limit.
 * State after failure: the file is as it was.
 */
#ifndef PEERWALL_STATE_FILE_H
#define PEERWALL_STATE_FILE_H

#include <peerwall/strbuf.h>

int state_file_read(struct strbuf *out, const char *path, size_t limit);
int state_file_write(const char *path, const struct strbuf *text);

/* One that is not there is no error. */
int state_file_remove(const char *path);

#endif
