#include "unit.h"

#include <peerwall/lock.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char directory[] = "/tmp/peerwall-lock-XXXXXX";
static char path[128], path_link[128], subdirectory[128];

static void setup(void)
{
	sprintf(directory, "/tmp/peerwall-lock-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(path, sizeof path, "%s/lock", directory);
	snprintf(path_link, sizeof path_link, "%s/link", directory);
	snprintf(subdirectory, sizeof subdirectory, "%s/run", directory);
}

static void teardown(void)
{
	unlink(path);
	unlink(path_link);
	rmdir(subdirectory);
	rmdir(directory);
}

START_TEST(an_exclusive_lock_keeps_others_out)
{
	struct lock one, two;

	ck_assert_int_eq(lock_acquire(&one, path, LOCK_EXCLUSIVE, 0), 0);
	ck_assert_int_eq(lock_acquire(&two, path, LOCK_EXCLUSIVE, 100), -ETIMEDOUT);
	ck_assert_int_eq(two.fd, -1);
	ck_assert_int_eq(lock_acquire(&two, path, LOCK_SHARED, 0), -ETIMEDOUT);
	lock_release(&one);
	lock_release(&one);
	ck_assert_int_eq(lock_acquire(&two, path, LOCK_EXCLUSIVE, 0), 0);
	lock_release(&two);
}
END_TEST

START_TEST(who_looks_leaves_nothing_behind)
{
	struct lock lock;

	ck_assert_int_eq(lock_acquire(&lock, path, LOCK_SHARED, 0), -ENOENT);
	ck_assert_int_eq(lock_directory_check(subdirectory), -ENOENT);
	ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

START_TEST(a_file_that_is_cleared_away_is_noticed)
{
	struct lock lock, other;

	ck_assert_int_eq(lock_acquire(&lock, path, LOCK_EXCLUSIVE, 0), 0);
	ck_assert(lock_is_in_place(&lock, path));
	ck_assert_int_eq(unlink(path), 0);
	ck_assert(!lock_is_in_place(&lock, path));
	ck_assert_int_eq(lock_acquire(&other, path, LOCK_EXCLUSIVE, 0), 0);
	ck_assert(!lock_is_in_place(&lock, path));
	lock_release(&lock);
	lock_release(&other);
}
END_TEST

START_TEST(readers_share)
{
	struct lock one, two, three;

	ck_assert_int_eq(lock_acquire(&one, path, LOCK_EXCLUSIVE, 0), 0);
	lock_release(&one);
	ck_assert_int_eq(lock_acquire(&one, path, LOCK_SHARED, 0), 0);
	ck_assert_int_eq(lock_acquire(&two, path, LOCK_SHARED, 0), 0);
	ck_assert_int_eq(lock_acquire(&three, path, LOCK_EXCLUSIVE, 0), -ETIMEDOUT);
	lock_release(&one);
	lock_release(&two);
}
END_TEST

START_TEST(a_lock_ends_with_its_process)
{
	struct lock lock;
	pid_t child = fork();

	if (child == 0) {
		lock_acquire(&lock, path, LOCK_EXCLUSIVE, 0);
		usleep(200000);
		_exit(0);
	}
	usleep(100000);
	ck_assert_int_eq(lock_acquire(&lock, path, LOCK_EXCLUSIVE, 5000), 0);
	lock_release(&lock);
	waitpid(child, NULL, 0);
}
END_TEST

START_TEST(links_and_missing_directories_are_errors)
{
	struct lock lock;

	ck_assert_int_eq(symlink("/etc/passwd", path_link), 0);
	ck_assert_int_eq(lock_acquire(&lock, path_link, LOCK_EXCLUSIVE, 0), -ELOOP);
	ck_assert_int_eq(lock_acquire(&lock, "/nonexistent/lock", LOCK_EXCLUSIVE, 0), -ENOENT);
}
END_TEST

START_TEST(a_directory_that_others_may_write_is_refused)
{
	ck_assert_int_eq(lock_directory_prepare(subdirectory), 0);
	ck_assert_int_eq(lock_directory_prepare(subdirectory), 0);
	ck_assert_int_eq(chmod(subdirectory, 0777), 0);
	ck_assert_int_eq(lock_directory_prepare(subdirectory), -EPERM);
	ck_assert_int_eq(symlink(directory, path_link), 0);
	ck_assert_int_eq(lock_directory_prepare(path_link), -ENOTDIR);
	ck_assert_int_eq(lock_directory_prepare("/nonexistent/run"), -ENOENT);
}
END_TEST

Suite *unit_suite(void)
{
	Suite *suite = suite_create("lock");
	TCase *tests = tcase_create("lock");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 20);
	tcase_add_test(tests, an_exclusive_lock_keeps_others_out);
	tcase_add_test(tests, who_looks_leaves_nothing_behind);
	tcase_add_test(tests, a_file_that_is_cleared_away_is_noticed);
	tcase_add_test(tests, readers_share);
	tcase_add_test(tests, a_lock_ends_with_its_process);
	tcase_add_test(tests, links_and_missing_directories_are_errors);
	tcase_add_test(tests, a_directory_that_others_may_write_is_refused);
	suite_add_tcase(suite, tests);
	return suite;
}
