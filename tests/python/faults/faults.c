/* Loaded before the C library (LD_PRELOAD), it refuses the N-th allocation or file operation that _core asks for, keeps
   count of the blocks that _core holds, and writes down what _core does to files. Calls of anybody else pass: Python and
   Polars could not go on without memory, and are not what is tested.
   Not for the C library alone: tests/c has an allocator and a disk of its own. Linux with glibc. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *block, size_t size);
extern void __libc_free(void *block);

/* ---- what is refused ---- */

static uintptr_t watched_from, watched_to; /* where _core's code lies */

struct rule {
    long calls, fail_at, failed;
    bool for_ever;
};
static struct rule memory, files;
static int files_code;
static unsigned files_refused; /* kinds, as bits */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static bool watched(const void *caller) {
    return (uintptr_t)caller >= watched_from && (uintptr_t)caller < watched_to;
}
#define WATCHED watched(__builtin_return_address(0))

/* Under the lock. */
static bool refuses(struct rule *rule) {
    rule->calls++;
    bool fails = rule->fail_at != 0 &&
                 (rule->calls == rule->fail_at || (rule->for_ever && rule->calls > rule->fail_at));
    rule->failed += fails;
    return fails;
}

void faults_watch(uintptr_t from, uintptr_t to) {
    watched_from = from;
    watched_to = to;
}
/* fail_at 0: never; counts begin anew. */
void faults_memory(long fail_at, bool for_ever) {
    (void)pthread_mutex_lock(&lock);
    memory = (struct rule){.fail_at = fail_at, .for_ever = for_ever};
    (void)pthread_mutex_unlock(&lock);
}
void faults_files(long fail_at, bool for_ever, int code) {
    (void)pthread_mutex_lock(&lock);
    files = (struct rule){.fail_at = fail_at, .for_ever = for_ever};
    files_code = code;
    files_refused = 0;
    (void)pthread_mutex_unlock(&lock);
}
long faults_memory_calls(void) {
    return memory.calls;
}
long faults_memory_failed(void) {
    return memory.failed;
}
long faults_files_calls(void) {
    return files.calls;
}
long faults_files_failed(void) {
    return files.failed;
}

unsigned faults_files_refused(void) {
    return files_refused;
}

/* ---- blocks that _core holds ---- */

enum { SLOTS = 1 << 20 };
static uintptr_t held[SLOTS]; /* 0: never used, 1: given back */
static long n_held;

long faults_held(void) {
    return n_held;
}

static size_t slot_of(uintptr_t block) {
    return (size_t)((uint64_t)(block >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> 44);
}

static void hold(void *block) {
    if (block == NULL) return;
    size_t i = slot_of((uintptr_t)block);
    while (held[i] > 1)
        i = (i + 1) % SLOTS;
    held[i] = (uintptr_t)block;
    n_held++;
}

static void let_go(const void *block) {
    if (block == NULL || n_held == 0) return;
    for (size_t i = slot_of((uintptr_t)block); held[i] != 0; i = (i + 1) % SLOTS)
        if (held[i] == (uintptr_t)block) {
            held[i] = held[(i + 1) % SLOTS] == 0 ? 0 : 1;
            n_held--;
            return;
        }
}

void *malloc(size_t size) {
    if (!WATCHED) return __libc_malloc(size);
    (void)pthread_mutex_lock(&lock);
    void *block = refuses(&memory) ? NULL : __libc_malloc(size);
    hold(block);
    (void)pthread_mutex_unlock(&lock);
    if (block == NULL) errno = ENOMEM;
    return block;
}

void *calloc(size_t n, size_t size) {
    if (!WATCHED) return __libc_calloc(n, size);
    (void)pthread_mutex_lock(&lock);
    void *block = refuses(&memory) ? NULL : __libc_calloc(n, size);
    hold(block);
    (void)pthread_mutex_unlock(&lock);
    if (block == NULL) errno = ENOMEM;
    return block;
}

void *realloc(void *old, size_t size) {
    if (!WATCHED) return __libc_realloc(old, size);
    (void)pthread_mutex_lock(&lock);
    void *block = NULL;
    if (!refuses(&memory)) {
        let_go(old);
        block = __libc_realloc(old, size);
        hold(block != NULL ? block : old);
    }
    (void)pthread_mutex_unlock(&lock);
    if (block == NULL) errno = ENOMEM;
    return block;
}

void free(void *block) {
    if (block != NULL && watched_to != 0) {
        (void)pthread_mutex_lock(&lock);
        let_go(block);
        (void)pthread_mutex_unlock(&lock);
    }
    __libc_free(block);
}

void *mmap(void *at, size_t size, int access, int flags, int handle, off_t offset) {
    static void *(*next)(void *, size_t, int, int, int, off_t);
    if (next == NULL) *(void **)&next = dlsym(RTLD_NEXT, "mmap");
    if (WATCHED) {
        (void)pthread_mutex_lock(&lock);
        bool fails = refuses(&memory);
        (void)pthread_mutex_unlock(&lock);
        if (fails) {
            errno = ENOMEM;
            return MAP_FAILED;
        }
    }
    return next(at, size, access, flags, handle, offset);
}

/* ---- files ---- */

enum kind { CREATE, WRITE, SYNC, CLOSE, RENAME, REMOVE, MAKE_FOLDER, OPEN_FOLDER };

struct op { /* one that took effect */
    enum kind kind;
    int handle;
    const char *name, *to; /* given back by faults_forget */
    const void *data;
    size_t size;
};
enum { OPS = 1 << 16 };
static struct op ops[OPS];
static size_t n_ops;
static bool noting;
static bool ours[1 << 16]; /* handles of files that are written, and of folders that are synced */

void faults_note(bool on) {
    (void)pthread_mutex_lock(&lock);
    for (size_t i = 0; i < n_ops; i++) {
        __libc_free((void *)ops[i].name);
        __libc_free((void *)ops[i].to);
        __libc_free((void *)ops[i].data);
    }
    n_ops = 0;
    noting = on;
    (void)pthread_mutex_unlock(&lock);
}
size_t faults_n_ops(void) {
    return n_ops;
}
const struct op *faults_op(size_t i) {
    return &ops[i];
}

static const void *copy_of(const void *data, size_t size) {
    void *copy = data != NULL ? __libc_malloc(size + 1) : NULL;
    if (copy != NULL) memcpy(copy, data, size);
    return copy;
}
static const char *text_of(const char *text) {
    return text != NULL ? copy_of(text, strlen(text) + 1) : NULL;
}

static void note(enum kind kind, int handle, const char *name, const char *to, const void *data, size_t size) {
    (void)pthread_mutex_lock(&lock);
    if (noting) {
        if (n_ops == OPS) abort();
        ops[n_ops++] = (struct op){kind, handle, text_of(name), text_of(to), copy_of(data, size), size};
    }
    (void)pthread_mutex_unlock(&lock);
}

static bool file_refused(enum kind kind) {
    (void)pthread_mutex_lock(&lock);
    bool fails = refuses(&files);
    if (fails) files_refused |= 1u << kind;
    (void)pthread_mutex_unlock(&lock);
    if (fails) errno = files_code;
    return fails;
}

#define NEXT(result, name, ...)                                                                              \
    static result (*next)(__VA_ARGS__);                                                                      \
    if (next == NULL) *(void **)&next = dlsym(RTLD_NEXT, name)

int open(const char *path, int flags, ...) {
    NEXT(int, "open", const char *, int, ...);
    mode_t mode = 0;
    if ((flags & O_CREAT) != 0) {
        va_list args;
        va_start(args, flags);
        mode = va_arg(args, mode_t);
        va_end(args);
    }
    bool folder = (flags & O_DIRECTORY) != 0;
    if (!WATCHED || (!folder && (flags & O_CREAT) == 0)) return next(path, flags, mode);
    if (file_refused(folder ? OPEN_FOLDER : CREATE)) return -1;
    int handle = next(path, flags, mode);
    if (handle >= 0 && handle < 1 << 16) ours[handle] = true;
    if (handle >= 0) note(folder ? OPEN_FOLDER : CREATE, handle, path, NULL, NULL, 0);
    return handle;
}

ssize_t write(int handle, const void *data, size_t size) {
    NEXT(ssize_t, "write", int, const void *, size_t);
    if (!WATCHED) return next(handle, data, size);
    if (file_refused(WRITE)) return -1;
    ssize_t written = next(handle, data, size);
    if (written > 0) note(WRITE, handle, NULL, NULL, data, (size_t)written);
    return written;
}

int fsync(int handle) {
    NEXT(int, "fsync", int);
    if (!WATCHED) return next(handle);
    if (file_refused(SYNC)) return -1;
    note(SYNC, handle, NULL, NULL, NULL, 0); /* the real one costs time and is not looked at */
    return 0;
}

int close(int handle) {
    NEXT(int, "close", int);
    if (!WATCHED || handle < 0 || handle >= 1 << 16 || !ours[handle]) return next(handle);
    bool fails = file_refused(CLOSE); /* a close that fails has closed */
    ours[handle] = false;
    int code = next(handle);
    note(CLOSE, handle, NULL, NULL, NULL, 0);
    if (!fails) return code;
    errno = files_code;
    return -1;
}

int rename(const char *from, const char *to) {
    NEXT(int, "rename", const char *, const char *);
    if (!WATCHED) return next(from, to);
    if (file_refused(RENAME)) return -1;
    int code = next(from, to);
    if (code == 0) note(RENAME, -1, from, to, NULL, 0);
    return code;
}

int unlink(const char *path) {
    NEXT(int, "unlink", const char *);
    if (!WATCHED) return next(path);
    if (file_refused(REMOVE)) return -1;
    int code = next(path);
    if (code == 0) note(REMOVE, -1, path, NULL, NULL, 0);
    return code;
}

int mkdir(const char *path, mode_t mode) {
    NEXT(int, "mkdir", const char *, mode_t);
    if (!WATCHED) return next(path, mode);
    if (file_refused(MAKE_FOLDER)) return -1;
    int code = next(path, mode);
    if (code == 0) note(MAKE_FOLDER, -1, path, NULL, NULL, 0);
    return code;
}
