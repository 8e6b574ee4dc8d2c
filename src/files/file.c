/* The order of operations that keeps a file whole under its final name, whatever fails or whenever the power goes:
   write a temporary file in the same folder, sync it, close it, rename it, sync the folder. Not for talking to the
   operating system: that is struct vf__io's part (disk.c, or a test's disk). */
#define _POSIX_C_SOURCE 200809L
#include "files/file.h"

#include <errno.h>
#include <time.h>

enum { TRIES = 1000 }; /* of an interrupted call; so many in a row are no accident */
enum { NAMES = 100 };  /* of temporary files that were taken */

enum file_state { WRITING, FAILED, COMMITTED };

struct vf_file {
    struct vf_context ctx;
    struct vf__io io;
    enum file_state state;
    struct vf_error first;                /* why it FAILED */
    int handle;                           /* -1: closed */
    bool there;                           /* the temporary file exists, as far as is known */
    size_t n_path, n_folder, n_temporary; /* sizes of the blocks below */
    char *path, *folder, *temporary;
};

/* ---- errors ---- */

/* strerror_r gives a number (POSIX), or the text where GNU's own was asked for (_GNU_SOURCE on a command line). */
static const char *posix_text(int failed, const char *buffer) {
    return failed == 0 ? buffer : "unknown error";
}
static const char *gnu_text(const char *text, const char *buffer) {
    (void)buffer;
    return text;
}
#define TEXT_OF(result, buffer) _Generic((result), int: posix_text, char *: gnu_text)(result, buffer)

static const char *reason(int code, char *buffer, size_t size) {
    switch (code) {
    case ENOSPC:
        return "no space is left on the device; free some, or write elsewhere";
    case EDQUOT:
        return "the disk quota is used up; free some, or write elsewhere";
    case EFBIG:
        return "it would be larger than the process (ulimit -f) or the file system allows";
    case EACCES:
    case EPERM:
        return "permission denied";
    case EROFS:
        return "the file system is read-only";
    case EISDIR:
        return "there is a folder of that name";
    case ENOTDIR:
        return "a part of its path is a file, not a folder";
    case ENOENT:
        return "the folder, or the temporary file in it, is gone";
    case ENAMETOOLONG:
        return "the name is too long";
    case EIO:
        return "input/output error of the device";
    case EMFILE:
    case ENFILE:
        return "too many files are open";
    case EINTR:
        return "interrupted again and again";
    default:
        return TEXT_OF(strerror_r(code, buffer, size), buffer);
    }
}

/* The end of a long path says more than its beginning. */
static const char *shown(const char *path, const char **mark) {
    size_t length = strlen(path), most = 240;
    *mark = length > most ? "..." : "";
    return length > most ? path + length - most : path;
}

static enum vf_status refuse(const char *path, int code, const char *step, const char *outcome,
                             struct vf_error *err) {
    char buffer[128];
    const char *mark, *tail = shown(path, &mark);
    return vf__fail(err, VF_ERROR_IO, NULL, -1, "%s%s: %s: %s (%s)", mark, tail, outcome,
                    reason(code, buffer, sizeof buffer), step);
}

/* ---- one operation, tried again where it was interrupted ---- */

#define UNINTERRUPTED(code, call)                                                                            \
    do {                                                                                                     \
        int tries__ = 0;                                                                                     \
        do                                                                                                   \
            (code) = (call);                                                                                 \
        while ((code) == EINTR && ++tries__ < TRIES);                                                        \
    } while (0)

static int write_whole(const struct vf__io *io, int handle, const uint8_t *data, size_t size) {
    while (size > 0) {
        size_t written = 0;
        int code;
        UNINTERRUPTED(code, io->write(io->state, handle, data, size, &written));
        if (code != 0) return code;
        if (written == 0 || written > size) return EIO; /* an endless loop otherwise */
        data += written;
        size -= written;
    }
    return 0;
}

/* A close that was interrupted has closed (Linux), or may have: it must not be repeated. The bytes are durable by then,
   or are to be thrown away. */
static int close_once(const struct vf__io *io, int handle) {
    int code = io->close(io->state, handle);
    return code == EINTR || code == EINPROGRESS ? 0 : code;
}

/* Some file systems have no such thing as syncing a folder, and some folders may be written but not read. */
static bool is_unsupported(int code) {
    return code == EINVAL || code == ENOTSUP || code == EOPNOTSUPP || code == ENOSYS || code == EACCES ||
           code == EPERM;
}

static int sync_folder(const struct vf__io *io, const char *folder) {
    int handle, code;
    UNINTERRUPTED(code, io->open_folder(io->state, folder, &handle));
    if (code != 0) return is_unsupported(code) ? 0 : code;
    UNINTERRUPTED(code, io->sync(io->state, handle));
    int closed = close_once(io, handle);
    if (code == 0) code = closed;
    return is_unsupported(code) ? 0 : code;
}

/* ---- folders ---- */

/* Where the path of the folder above ends within `path`; NULL where `path` has none, or it is the root. */
static char *parent_end(char *path) {
    char *slash = strrchr(path, '/');
    while (slash != NULL && slash > path && slash[-1] == '/')
        slash--;
    return slash == path ? NULL : slash;
}

/* Makes a folder and those above it, each durably. `path` is written to meanwhile. */
static int make_folder(const struct vf__io *io, char *path) {
    char *slash = parent_end(path);
    int code;
    UNINTERRUPTED(code, io->make_folder(io->state, path));
    if (slash != NULL) *slash = '\0';
    if (code == ENOENT && slash != NULL) {
        code = make_folder(io, path);
        *slash = '/';
        if (code == 0) UNINTERRUPTED(code, io->make_folder(io->state, path));
        *slash = '\0';
    }
    if (code == EEXIST) code = 0; /* somebody else made it just now, and may not have synced it yet */
    if (code == 0) code = sync_folder(io, slash != NULL ? path : path[0] == '/' ? "/" : ".");
    if (slash != NULL) *slash = '/';
    return code;
}

/* ---- open ---- */

static enum vf_status copy_text(const struct vf_context *ctx, const char *text, size_t length, char **out,
                                size_t *size, struct vf_error *err) {
    *size = length + 1;
    *out = vf__alloc(ctx, *size, 1);
    if (*out == NULL) return vf__fail_memory(err, *size);
    memcpy(*out, text, length);
    (*out)[length] = '\0';
    return VF_OK;
}

static enum vf_status name_parts(struct vf_file *file, const char *path, struct vf_error *err) {
    const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;
    if (*name == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "\"%.200s\" names no file", path);
    size_t folder = slash == NULL ? 0 : slash == path ? 1 : (size_t)(slash - path);
    enum vf_status status = copy_text(&file->ctx, path, strlen(path), &file->path, &file->n_path, err);
    if (status == VF_OK)
        status = folder > 0 ? copy_text(&file->ctx, path, folder, &file->folder, &file->n_folder, err)
                            : copy_text(&file->ctx, ".", 1, &file->folder, &file->n_folder, err);
    if (status != VF_OK) return status;
    file->n_temporary = (size_t)(name - path) + VF__NAME_MAX + 1;
    file->temporary = vf__alloc(&file->ctx, file->n_temporary, 1);
    if (file->temporary == NULL) return vf__fail_memory(err, file->n_temporary);
    memcpy(file->temporary, path, (size_t)(name - path));
    return VF_OK;
}

static int create(struct vf_file *file) {
    char *name = file->temporary + (file->n_temporary - VF__NAME_MAX - 1);
    const char *slash = strrchr(file->path, '/');
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    uint64_t word = (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec + (uintptr_t)file;
    int code = EEXIST;
    for (uint32_t i = 0; code == EEXIST && i < NAMES; i++) {
        vf__temporary_name(name, slash != NULL ? slash + 1 : file->path, (uint32_t)vf__mix(word + i));
        UNINTERRUPTED(code, file->io.create(file->io.state, file->temporary, &file->handle));
    }
    return code;
}

enum vf_status vf__file_open(const struct vf_context *ctx, const struct vf__io *io, const char *path,
                             struct vf_file **out, struct vf_error *err) {
    struct vf_context context = vf__context(ctx);
    if (path == NULL || path[0] == '\0')
        return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "the path of the file to write is empty");
    struct vf_file *file = vf__zalloc(&context, 1, sizeof *file);
    if (file == NULL) return vf__fail_memory(err, sizeof *file);
    file->ctx = context;
    file->io = *io;
    file->handle = -1;
    enum vf_status status = name_parts(file, path, err);
    if (status == VF_OK) {
        int code = create(file);
        const char *step = "creating a temporary file beside it";
        if (code == ENOENT) {
            step = "making its folder";
            code = make_folder(io, file->folder);
            if (code == 0) code = create(file);
        }
        file->there = code == 0;
        if (code != 0) status = refuse(path, code, step, "it cannot be written", err);
    }
    if (status != VF_OK)
        vf_file_close(file);
    else
        *out = file;
    return status;
}

const char *vf__file_temporary(const struct vf_file *file) {
    return file->temporary;
}

/* ---- write, commit, close ---- */

/* Closes and removes the temporary file: on a full disk its space is free again at once. */
static void discard(struct vf_file *file) {
    if (file->handle >= 0) (void)close_once(&file->io, file->handle);
    file->handle = -1;
    int code = ENOENT;
    if (file->there) UNINTERRUPTED(code, file->io.remove(file->io.state, file->temporary));
    if (code == 0 || code == ENOENT) file->there = false;
}

/* What failed first is what every later call says. */
static enum vf_status fail(struct vf_file *file, int code, const char *step, const char *outcome,
                           struct vf_error *err) {
    enum vf_status status = refuse(file->path, code, step, outcome, &file->first);
    file->state = FAILED;
    discard(file);
    if (err != NULL) *err = file->first;
    return status;
}

static enum vf_status check_writing(const struct vf_file *file, struct vf_error *err) {
    if (file->state == WRITING) return VF_OK;
    if (file->state == FAILED) {
        if (err != NULL) *err = file->first;
        return file->first.code;
    }
    const char *mark, *tail = shown(file->path, &mark);
    return vf__fail(err, VF_ERROR_STATE, NULL, -1, "%s%s: it was committed already", mark, tail);
}

#define UNTOUCHED "it could not be written, and what was there before is as it was"

enum vf_status vf_file_write(struct vf_file *file, const void *data, size_t size, struct vf_error *err) {
    enum vf_status status = check_writing(file, err);
    if (status != VF_OK) return status;
    int code = write_whole(&file->io, file->handle, data, size);
    return code == 0 ? VF_OK : fail(file, code, "writing", UNTOUCHED, err);
}

enum vf_status vf_file_commit(struct vf_file *file, struct vf_error *err) {
    const struct vf__io *io = &file->io;
    enum vf_status status = check_writing(file, err);
    if (status != VF_OK) return status;
    int code;
    UNINTERRUPTED(code,
                  io->sync(io->state, file->handle)); /* one that failed is never tried again: the second
                                                               would succeed, without the bytes */
    if (code != 0) return fail(file, code, "syncing it to the disk", UNTOUCHED, err);
    int handle = file->handle;
    file->handle = -1;
    code = close_once(io, handle);
    if (code != 0) return fail(file, code, "closing", UNTOUCHED, err);
    UNINTERRUPTED(code, io->rename(io->state, file->temporary, file->path));
    if (code != 0) return fail(file, code, "giving it its name", UNTOUCHED, err);
    file->there = false;
    code = sync_folder(io, file->folder);
    if (code != 0)
        return fail(file, code, "syncing its folder",
                    "it is written whole, but may be undone if the power fails now", err);
    file->state = COMMITTED;
    return VF_OK;
}

void vf_file_close(struct vf_file *file) {
    if (file == NULL) return;
    discard(file);
    struct vf_context ctx = file->ctx;
    vf__free(&ctx, file->path, file->n_path, 1);
    vf__free(&ctx, file->folder, file->n_folder, 1);
    vf__free(&ctx, file->temporary, file->n_temporary, 1);
    vf__free(&ctx, file, 1, sizeof *file);
}
