#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEMPORARY_NAMES_MAX 100

struct strbuf *output_add(struct output *output, const char *name, mode_t mode)
{
	vec_push(output->arena, &output->files, (struct output_file){.name = name, .mode = mode});
	return &output->files.data[output->files.len - 1].content;
}

void output_free(struct output *output)
{
	vec_each(file, &output->files)
		strbuf_free(&file->content);
}

static int write_all(int fd, const char *bytes, size_t size)
{
	while (size) {
		ssize_t written = write(fd, bytes, size);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -errno;
		bytes += written;
		size -= (size_t)written;
	}
	return 0;
}

static int write_temporary(struct output *output, struct output_file *file, int directory)
{
	const char *name;
	int fd, error;

	/* A process of the same id, in another container say, may have been killed here and left its files. */
	for (unsigned attempt = 0;; attempt++) {
		name = arena_printf(output->arena, ".%s.%ld.%u.tmp", file->name, (long)getpid(), attempt);
		fd = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, file->mode);
		if (fd >= 0)
			break;
		if (errno != EEXIST || attempt == TEMPORARY_NAMES_MAX)
			return -errno;
	}
	file->temporary = name;
	error = write_all(fd, strbuf_str(&file->content), file->content.len);
	if (!error && fsync(fd) < 0 && errno != EINVAL)
		error = -errno;
	if (close(fd) < 0 && !error)
		error = -errno;
	return error;
}

/* What stands in the way of a rename is found before the first of them. */
static int check_place(const struct output_file *file, int directory)
{
	struct stat status;

	if (fstatat(directory, file->name, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	return S_ISDIR(status.st_mode) ? -EISDIR : 0;
}

static int write_files(struct output *output, int directory, const char **failed)
{
	vec_each(file, &output->files) {
		int error = check_place(file, directory);

		if (error) {
			*failed = file->name;
			return error;
		}
	}
	vec_each(file, &output->files) {
		int error = write_temporary(output, file, directory);

		if (error) {
			*failed = file->name;
			return error;
		}
	}
	vec_each(file, &output->files) {
		if (renameat(directory, file->temporary, directory, file->name) < 0) {
			*failed = file->name;
			return -errno;
		}
		file->temporary = NULL;
	}
	return 0;
}

int output_write(struct output *output, const char *path, const char **failed)
{
	int directory, error;
	bool made = mkdir(path, 0755) == 0;

	*failed = path;
	if (!made && errno != EEXIST)
		return -errno;
	directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory < 0)
		return -errno;
	error = write_files(output, directory, failed);
	vec_each(file, &output->files)
		if (file->temporary)
			unlinkat(directory, file->temporary, 0);
	close(directory);
	if (error && made)
		rmdir(path);
	return error;
}
