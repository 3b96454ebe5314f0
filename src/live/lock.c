#include <peerwall/lock.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PAUSE_MS 50

int lock_acquire(struct lock *lock, const char *path, enum lock_kind kind, unsigned time_limit)
{
	int operation = (kind == LOCK_SHARED ? LOCK_SH : LOCK_EX) | LOCK_NB;
	unsigned waited = 0;
	int create = kind == LOCK_SHARED ? 0 : O_CREAT;
	int fd = open(path, O_RDONLY | create | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, 0600);

	*lock = LOCK_FREE;
	if (fd < 0)
		return -errno;
	while (flock(fd, operation) != 0) {
		int error = errno;

		if (error == EINTR)
			continue;
		if (error != EWOULDBLOCK || waited >= time_limit) {
			close(fd);
			return error == EWOULDBLOCK ? -ETIMEDOUT : -error;
		}
		nanosleep(&(struct timespec){0, PAUSE_MS * 1000000L}, NULL);
		waited += PAUSE_MS;
	}
	lock->fd = fd;
	return 0;
}

bool lock_is_in_place(const struct lock *lock, const char *path)
{
	struct stat held, there;

	return lock->fd >= 0 && fstat(lock->fd, &held) == 0 && lstat(path, &there) == 0 && held.st_dev == there.st_dev &&
	       held.st_ino == there.st_ino;
}

void lock_release(struct lock *lock)
{
	if (lock->fd >= 0)
		close(lock->fd);
	*lock = LOCK_FREE;
}

int lock_directory_prepare(const char *path)
{
	return mkdir(path, 0700) != 0 && errno != EEXIST ? -errno : lock_directory_check(path);
}

int lock_directory_check(const char *path)
{
	struct stat status;

	if (lstat(path, &status) != 0)
		return -errno;
	if (!S_ISDIR(status.st_mode))
		return -ENOTDIR;
	if (status.st_uid != geteuid() || (status.st_mode & (S_IWGRP | S_IWOTH)))
		return -EPERM;
	return 0;
}
