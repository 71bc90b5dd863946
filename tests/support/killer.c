/* Kills its own process (SIGKILL) instead of the KILL_AT-th change of the file system, which is done by half where it
   is a write to a file. Loaded with LD_PRELOAD. Sockets, pipes and terminals are no changes of the file system. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static int turn, count;

/* The programs that this one starts are left alone. */
__attribute__((constructor)) static void begin(void) {
  const char *at = getenv("KILL_AT");
  turn = at ? atoi(at) : 0;
  unsetenv("KILL_AT");
  unsetenv("LD_PRELOAD");
}

static int is_turn(void) { return turn && __atomic_add_fetch(&count, 1, __ATOMIC_SEQ_CST) == turn; }

static void die(void) {
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void *bytes, size_t size) {
  struct stat status;
  if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && is_turn()) {
    REAL(write)(fd, bytes, size / 2);
    die();
  }
  return REAL(write)(fd, bytes, size);
}

#define BEFORE(name, params, args) \
  int name params {                \
    if (is_turn()) die();          \
    return REAL(name) args;        \
  }

BEFORE(rename, (const char *from, const char *to), (from, to))
BEFORE(unlink, (const char *path), (path))
BEFORE(mkdir, (const char *path, mode_t mode), (path, mode))
BEFORE(ftruncate, (int fd, off_t size), (fd, size))
BEFORE(ftruncate64, (int fd, off64_t size), (fd, size))
BEFORE(fsync, (int fd), (fd))
BEFORE(fdatasync, (int fd), (fd))
