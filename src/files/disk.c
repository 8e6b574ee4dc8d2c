/* The operating system's files, as struct vf__io asks for them.
   Not for retries or clean-up: src/files/file.c has those, once for every disk. */
#define _POSIX_C_SOURCE 200809L
#if defined(__APPLE__)
#define _DARWIN_C_SOURCE /* F_FULLFSYNC */
#endif
#include "files/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define WRITE_MAX ((size_t)1 << 30) /* some systems refuse, others cut, more than 2 GiB at once */

static int opened(int handle, int *out) {
    if (handle < 0) return errno;
    *out = handle;
    return 0;
}

static int system_create(void *state, const char *path, int *handle) {
    (void)state;
    return opened(open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666), handle);
}

static int system_write(void *state, int handle, const void *data, size_t size, size_t *written) {
    (void)state;
    ssize_t n = write(handle, data, size < WRITE_MAX ? size : WRITE_MAX);
    if (n < 0) return errno;
    *written = (size_t)n;
    return 0;
}

static int system_sync(void *state, int handle) {
    (void)state;
#if defined(F_FULLFSYNC)
    if (fcntl(handle, F_FULLFSYNC) == 0) return 0; /* on macOS fsync leaves bytes in the drive's cache */
#endif
    return fsync(handle) == 0 ? 0 : errno;
}

static int system_close(void *state, int handle) {
    (void)state;
    return close(handle) == 0 ? 0 : errno;
}

static int system_rename(void *state, const char *from, const char *to) {
    (void)state;
    return rename(from, to) == 0 ? 0 : errno;
}

static int system_remove(void *state, const char *path) {
    (void)state;
    return unlink(path) == 0 ? 0 : errno;
}

static int system_make_folder(void *state, const char *path) {
    (void)state;
    return mkdir(path, 0777) == 0 ? 0 : errno;
}

static int system_open_folder(void *state, const char *path, int *handle) {
    (void)state;
    return opened(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), handle);
}

const struct vf__io vf__io_system = {.create = system_create,
                                     .write = system_write,
                                     .sync = system_sync,
                                     .close = system_close,
                                     .rename = system_rename,
                                     .remove = system_remove,
                                     .make_folder = system_make_folder,
                                     .open_folder = system_open_folder};
