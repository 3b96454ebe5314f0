#include "state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int read_whole(struct strbuf *out, int fd, size_t limit)
{
	char chunk[4096];
	ssize_t n;

	while ((n = read(fd, chunk, sizeof chunk)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if ((size_t)n > limit - out->len)
			return -EFBIG;
		strbuf_add(out, chunk, (size_t)n);
	}
	return 0;
}

int state_file_read(struct strbuf *out, const char *path, size_t limit)
{
	struct stat status;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK), error = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &status) != 0)
		error = -errno;
	else if (!S_ISREG(status.st_mode) || status.st_uid != geteuid() || (status.st_mode & (S_IWGRP | S_IWOTH)))
		error = -EPERM;
	else
		error = read_whole(out, fd, limit);
	close(fd);
	return error;
}

static int write_temporary(const char *path, const struct strbuf *text)
{
	const char *bytes = strbuf_str(text);
	size_t left = text->len;
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600), error = 0;

	if (fd < 0)
		return -errno;
	while (left > 0 && error == 0) {
		ssize_t n = write(fd, bytes, left);

		if (n < 0 && errno != EINTR) {
			error = -errno;
		} else if (n > 0) {
			bytes += n;
			left -= (size_t)n;
		}
	}
	if (error == 0 && fsync(fd) != 0)
		error = -errno;
	if (close(fd) != 0 && error == 0)
		error = -errno;
	return error;
}

/* A rename is on disk when its directory is. */
static int flush_directory(const char *path)
{
	const char *slash = strrchr(path, '/');
	struct strbuf directory = STRBUF_EMPTY;
	int fd, error = 0;

	strbuf_add(&directory, slash ? path : ".", slash ? (size_t)(slash - path) + 1 : 1);
	fd = open(strbuf_str(&directory), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	strbuf_free(&directory);
	if (fd < 0)
		return -errno;
	if (fsync(fd) != 0 && errno != EINVAL)
		error = -errno;
	close(fd);
	return error;
}

int state_file_write(const char *path, const struct strbuf *text)
{
	struct strbuf temporary = STRBUF_EMPTY;
	int error;

	strbuf_addf(&temporary, "%s.new", path);
	/* What a process that was killed has left; nobody else is at work, by the lock. */
	unlink(strbuf_str(&temporary));
	error = write_temporary(strbuf_str(&temporary), text);
	if (error == 0 && rename(strbuf_str(&temporary), path) != 0)
		error = -errno;
	if (error)
		unlink(strbuf_str(&temporary));
	else
		error = flush_directory(path);
	strbuf_free(&temporary);
	return error;
}

int state_file_remove(const char *path)
{
	return unlink(path) == 0 || errno == ENOENT ? 0 : -errno;
}
