/* Makes the n-th call that touches certain files fail, once or from then on.

   Preloaded into a process. What fails is said from outside, through a file that both map:
   a test can begin and end a fault while the process runs. Built by faults.py. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

/* The same fields, in the same order, as FIELDS in faults.py. */
struct order {
  atomic_int countdown; /* calls until the fault, 0: none */
  int error;            /* errno of the fault */
  int lasting;          /* whether all calls after the n-th fail as well */
  atomic_int failed;    /* calls that failed */
  char where[256];      /* part of the path of the files that are meant */
};

static struct order *order;

__attribute__((constructor)) static void begin(void) {
  int file = open(getenv("FAULTS_ORDER"), O_RDWR | O_CLOEXEC);
  order = mmap(NULL, sizeof *order, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
}

static int fails_at(const char *path) {
  if (!order || order == MAP_FAILED || atomic_load(&order->countdown) == 0) return 0;
  if (!strstr(path, order->where)) return 0;
  int left = atomic_fetch_sub(&order->countdown, 1);
  if (left != 1 && !(order->lasting && left < 1)) return 0;
  if (order->lasting) atomic_store(&order->countdown, 1);
  atomic_fetch_add(&order->failed, 1);
  errno = order->error;
  return 1;
}

static int fails(int descriptor) {
  char link[64], path[4096];
  if (!order || order == MAP_FAILED || atomic_load(&order->countdown) == 0) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return fails_at(path);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void *data, size_t size) {
  return fails(fd) ? -1 : REAL(write)(fd, data, size);
}
ssize_t writev(int fd, const struct iovec *parts, int count) {
  return fails(fd) ? -1 : REAL(writev)(fd, parts, count);
}
ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
  return fails(fd) ? -1 : REAL(pwrite)(fd, data, size, at);
}
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
  return fails(fd) ? -1 : REAL(pwrite64)(fd, data, size, at);
}
int fsync(int fd) { return fails(fd) ? -1 : REAL(fsync)(fd); }
int fdatasync(int fd) { return fails(fd) ? -1 : REAL(fdatasync)(fd); }
int ftruncate(int fd, off_t size) { return fails(fd) ? -1 : REAL(ftruncate)(fd, size); }
int ftruncate64(int fd, off64_t size) { return fails(fd) ? -1 : REAL(ftruncate64)(fd, size); }
int rename(const char *from, const char *to) {
  return fails_at(to) ? -1 : REAL(rename)(from, to);
}

static int mode_of(int flags, va_list rest) {
  return flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, int) : 0;
}
int open(const char *path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  int mode = mode_of(flags, rest);
  va_end(rest);
  return flags & O_CREAT && fails_at(path) ? -1 : REAL(open)(path, flags, mode);
}
int open64(const char *path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  int mode = mode_of(flags, rest);
  va_end(rest);
  return flags & O_CREAT && fails_at(path) ? -1 : REAL(open64)(path, flags, mode);
}
