/* A disk that exists only here: it keeps a journal of what was asked of it, can refuse any operation, and can be
   asked what a power cut at any moment may have left. Not for the real one: test_file.c uses that too.

   What a power cut may leave: everything synced before it; and of the rest any subset of the 4-byte sectors that were
   written, and any subset of the changes of names (a rename whose file was never linked under its first name included).
   That is weaker than every journalling file system. */
#ifndef VF_TESTS_DISK_H
#define VF_TESTS_DISK_H

#include "files/file.h"
#include "check.h"

#include <errno.h>

enum { DISK_FILES = 16, DISK_BYTES = 96, DISK_SECTOR = 4, DISK_NAMES = 16, DISK_OPS = 512, DISK_NAME = 320 };

enum disk_kind { CREATE, WRITE, SYNC, CLOSE, RENAME, REMOVE, MAKE_FOLDER, OPEN_FOLDER, N_KINDS };

struct disk_op { /* one that took effect; a write is one for each sector */
    enum disk_kind kind;
    int file; /* number of the file, or -1: a folder */
    char name[DISK_NAME], to[DISK_NAME];
    size_t at, size;
    uint8_t bytes[DISK_SECTOR];
};

struct disk_names {
    int n;
    struct {
        char name[DISK_NAME];
        int file; /* -1: a folder */
    } entry[DISK_NAMES];
};

struct disk {
    /* what happens */
    long calls, fail_at;          /* 0: never */
    bool for_ever;                /* from then on, too ... */
    unsigned kinds;               /* ... of these kinds only (bits) */
    int code;                     /* errno of a failure */
    bool though_done;             /* a refusal comes after the deed: a lost answer, as of a network's file system */
    long refused;                 /* how many there were */
    long interrupt_every;         /* every n-th call is EINTR; 0: none */
    size_t most;                  /* a write takes at most so many bytes; 0: all */
    bool sync_lies, folders_mute; /* sync says yes and does nothing; folders cannot be synced */
    int taken;                    /* so many temporary names exist already */
    /* what is there */
    struct disk_names names;
    uint8_t data[DISK_FILES][DISK_BYTES];
    size_t size[DISK_FILES];
    int n_files;
    int handle[DISK_FILES]; /* file of each handle, -1 of a folder's; -2: closed */
    char folder[DISK_FILES][DISK_NAME];
    int n_handles;
    struct disk_op ops[DISK_OPS];
    int n_ops;
};

/* ---- names ---- */

static inline int disk_find(const struct disk_names *names, const char *name) {
    for (int i = 0; i < names->n; i++)
        if (strcmp(names->entry[i].name, name) == 0) return i;
    return -1;
}
static inline void disk_unlink(struct disk_names *names, const char *name) {
    int i = disk_find(names, name);
    if (i >= 0) names->entry[i] = names->entry[--names->n];
}
static inline void disk_link(struct disk_names *names, const char *name, int file) {
    disk_unlink(names, name);
    if (names->n == DISK_NAMES) abort();
    (void)snprintf(names->entry[names->n].name, DISK_NAME, "%s", name);
    names->entry[names->n++].file = file;
}
static inline void disk_parent(const char *name, char *out) {
    (void)snprintf(out, DISK_NAME, "%s", name);
    char *slash = strrchr(out, '/');
    if (slash == NULL)
        (void)snprintf(out, DISK_NAME, ".");
    else
        slash[slash == out ? 1 : 0] = '\0';
}
static inline bool disk_has_folder(const struct disk *disk, const char *name) {
    if (strcmp(name, ".") == 0 || strcmp(name, "/") == 0) return true;
    int i = disk_find(&disk->names, name);
    return i >= 0 && disk->names.entry[i].file == -1;
}

/* ---- operations ---- */

static inline struct disk_op *disk_note(struct disk *disk, enum disk_kind kind, int file, const char *name) {
    if (disk->n_ops == DISK_OPS) abort();
    struct disk_op *op = &disk->ops[disk->n_ops++];
    *op = (struct disk_op){.kind = kind, .file = file};
    (void)snprintf(op->name, DISK_NAME, "%s", name != NULL ? name : "");
    return op;
}

static inline int disk_refuses(struct disk *disk, enum disk_kind kind) {
    disk->calls++;
    if (disk->interrupt_every != 0 && disk->calls % disk->interrupt_every == 0) return EINTR;
    if (disk->fail_at == 0 || (disk->kinds != 0 && (disk->kinds >> kind & 1) == 0)) return 0;
    bool refuses = disk->calls == disk->fail_at || (disk->for_ever && disk->calls > disk->fail_at);
    disk->refused += refuses;
    return refuses ? disk->code : 0;
}
/* Whether the deed is not done. An interrupted call never is. */
static inline bool disk_stops(const struct disk *disk, int code) {
    return code != 0 && (code == EINTR || !disk->though_done);
}

static inline int disk_open(struct disk *disk, int file, int *handle) {
    if (disk->n_handles == DISK_FILES) return EMFILE;
    disk->handle[disk->n_handles] = file;
    *handle = 100 + disk->n_handles++;
    return 0;
}
static inline int *disk_handle(struct disk *disk, int handle) {
    int i = handle - 100;
    if (i < 0 || i >= disk->n_handles || disk->handle[i] == -2) abort(); /* used after it was closed */
    return &disk->handle[i];
}

static inline int disk_create(void *state, const char *path, int *handle) {
    struct disk *disk = state;
    char parent[DISK_NAME];
    int code = disk_refuses(disk, CREATE);
    if (disk_stops(disk, code)) return code;
    disk_parent(path, parent);
    if (!disk_has_folder(disk, parent)) return ENOENT;
    if (disk->taken > 0 && disk->taken--) return EEXIST;
    if (disk_find(&disk->names, path) >= 0) return EEXIST;
    if (disk->n_files == DISK_FILES) abort();
    int file = disk->n_files++;
    disk_link(&disk->names, path, file);
    (void)disk_note(disk, CREATE, file, path);
    return code != 0 ? code : disk_open(disk, file, handle);
}

static inline int disk_write(void *state, int handle, const void *data, size_t size, size_t *written) {
    struct disk *disk = state;
    int code = disk_refuses(disk, WRITE);
    if (disk_stops(disk, code)) return code;
    int file = *disk_handle(disk, handle);
    if (disk->most != 0 && size > disk->most) size = disk->most;
    if (disk->size[file] + size > DISK_BYTES) abort();
    for (size_t done = 0; done < size;) {
        size_t at = disk->size[file], n = DISK_SECTOR - at % DISK_SECTOR;
        if (n > size - done) n = size - done;
        struct disk_op *op = disk_note(disk, WRITE, file, NULL);
        op->at = at;
        op->size = n;
        memcpy(op->bytes, (const uint8_t *)data + done, n);
        memcpy(disk->data[file] + at, op->bytes, n);
        disk->size[file] += n;
        done += n;
    }
    *written = size;
    return code;
}

static inline int disk_sync(void *state, int handle) {
    struct disk *disk = state;
    int code = disk_refuses(disk, SYNC), file = *disk_handle(disk, handle);
    if (disk_stops(disk, code)) return code;
    if (file == -1 && disk->folders_mute) return EINVAL;
    if (!disk->sync_lies) (void)disk_note(disk, SYNC, file, file == -1 ? disk->folder[handle - 100] : NULL);
    return code;
}

static inline int disk_close(void *state, int handle) {
    struct disk *disk = state;
    int *at = disk_handle(disk, handle), file = *at;
    *at = -2; /* also when it fails, as Linux does */
    (void)disk_note(disk, CLOSE, file, NULL);
    return disk_refuses(disk, CLOSE);
}

static inline int disk_rename(void *state, const char *from, const char *to) {
    struct disk *disk = state;
    int code = disk_refuses(disk, RENAME), i = disk_find(&disk->names, from),
        old = disk_find(&disk->names, to);
    if (disk_stops(disk, code)) return code;
    if (i < 0) return ENOENT;
    int file = disk->names.entry[i].file;
    if (old >= 0 && disk->names.entry[old].file == -1) return EISDIR;
    disk_unlink(&disk->names, from);
    disk_link(&disk->names, to, file);
    (void)snprintf(disk_note(disk, RENAME, file, from)->to, DISK_NAME, "%s", to);
    return code;
}

static inline int disk_remove(void *state, const char *path) {
    struct disk *disk = state;
    int code = disk_refuses(disk, REMOVE);
    if (disk_stops(disk, code)) return code;
    if (disk_find(&disk->names, path) < 0) return ENOENT;
    disk_unlink(&disk->names, path);
    (void)disk_note(disk, REMOVE, 0, path);
    return code;
}

static inline int disk_make_folder(void *state, const char *path) {
    struct disk *disk = state;
    char parent[DISK_NAME];
    int code = disk_refuses(disk, MAKE_FOLDER);
    if (disk_stops(disk, code)) return code;
    if (disk_find(&disk->names, path) >= 0) return EEXIST;
    disk_parent(path, parent);
    if (!disk_has_folder(disk, parent)) return ENOENT;
    disk_link(&disk->names, path, -1);
    (void)disk_note(disk, MAKE_FOLDER, -1, path);
    return code;
}

static inline int disk_open_folder(void *state, const char *path, int *handle) {
    struct disk *disk = state;
    int code = disk_refuses(disk, OPEN_FOLDER);
    if (code != 0) return code;
    if (!disk_has_folder(disk, path)) return ENOENT;
    (void)snprintf(disk->folder[disk->n_handles], DISK_NAME, "%s", path);
    return disk_open(disk, -1, handle);
}

static inline struct vf__io disk_io(struct disk *disk) {
    return (struct vf__io){.state = disk,
                           .create = disk_create,
                           .write = disk_write,
                           .sync = disk_sync,
                           .close = disk_close,
                           .rename = disk_rename,
                           .remove = disk_remove,
                           .make_folder = disk_make_folder,
                           .open_folder = disk_open_folder};
}

static inline long disk_open_handles(const struct disk *disk) {
    long n = 0;
    for (int i = 0; i < disk->n_handles; i++)
        n += disk->handle[i] != -2;
    return n;
}

/* A file that was there, durably, before anything happened. */
static inline void disk_put(struct disk *disk, const char *name, const char *text) {
    int file = disk->n_files++;
    disk->size[file] = strlen(text);
    memcpy(disk->data[file], text, strlen(text));
    disk_link(&disk->names, name, file);
}

static inline bool disk_holds(const struct disk *disk, const char *name, const char *text) {
    int i = disk_find(&disk->names, name);
    if (i < 0 || disk->names.entry[i].file < 0) return text == NULL && i < 0;
    int file = disk->names.entry[i].file;
    return text != NULL && disk->size[file] == strlen(text) &&
           memcmp(disk->data[file], text, strlen(text)) == 0;
}

/* ---- power cuts ---- */

/* Whether the journal's op `i` is durable once `n_ops` have happened: a later sync, before the cut, covered it. */
static inline bool disk_durable(const struct disk *disk, int i, int n_ops) {
    const struct disk_op *op = &disk->ops[i];
    char parent[DISK_NAME];
    disk_parent(op->name, parent);
    for (int j = i + 1; j < n_ops; j++) {
        const struct disk_op *sync = &disk->ops[j];
        if (sync->kind != SYNC) continue;
        if (op->kind == WRITE ? sync->file == op->file : sync->file == -1 && strcmp(sync->name, parent) == 0)
            return true;
    }
    return false;
}

/* The disk after a cut: `start` and those of the first n_ops operations that `kept` says. */
static inline void disk_after(const struct disk *start, const struct disk *run, int n_ops, const bool *kept,
                              struct disk *out) {
    out->names = start->names;
    memcpy(out->data, start->data, sizeof out->data);
    memcpy(out->size, start->size, sizeof out->size);
    for (int i = 0; i < n_ops; i++) {
        const struct disk_op *op = &run->ops[i];
        if (!kept[i]) continue;
        if (op->kind == WRITE) {
            memcpy(out->data[op->file] + op->at, op->bytes, op->size);
            if (out->size[op->file] < op->at + op->size) out->size[op->file] = op->at + op->size;
        }
        if (op->kind == CREATE || op->kind == MAKE_FOLDER) disk_link(&out->names, op->name, op->file);
        if (op->kind == RENAME || op->kind == REMOVE) disk_unlink(&out->names, op->name);
        if (op->kind == RENAME) disk_link(&out->names, op->to, op->file);
    }
    for (int i = 0; i < out->names.n;
         i++) { /* what lies in a folder that was never linked is not to be found */
        char parent[DISK_NAME];
        disk_parent(out->names.entry[i].name, parent);
        if (disk_has_folder(out, parent)) continue;
        disk_unlink(&out->names, out->names.entry[i].name);
        i = -1;
    }
}

struct disk_cuts {
    long states, old, new, broken; /* of the name looked at */
    long not_new_at_end;           /* after the last operation, anything but the new file */
};

/* Every cut of `run`, which began as `start`, with every subset of what was not durable. NULL `old`: none was there. */
static inline struct disk_cuts disk_cut(const struct disk *start, const struct disk *run, const char *name,
                                        const char *old, const char *new) {
    static struct disk after;
    struct disk_cuts cuts = {0};
    for (int n = 0; n <= run->n_ops; n++) {
        int loose[DISK_OPS], n_loose = 0;
        bool kept[DISK_OPS];
        for (int i = 0; i < n; i++) {
            kept[i] = disk_durable(run, i, n);
            enum disk_kind kind = run->ops[i].kind;
            if (!kept[i] && kind != SYNC && kind != CLOSE) loose[n_loose++] = i;
        }
        if (n_loose > 20) abort();
        for (uint32_t subset = 0; subset < UINT32_C(1) << n_loose; subset++) {
            for (int b = 0; b < n_loose; b++)
                kept[loose[b]] = subset >> b & 1;
            disk_after(start, run, n, kept, &after);
            bool is_new = disk_holds(&after, name, new), is_old = disk_holds(&after, name, old);
            cuts.states++;
            cuts.new += is_new;
            cuts.old += is_old;
            cuts.broken += !is_new && !is_old;
            cuts.not_new_at_end += n == run->n_ops && !is_new;
        }
    }
    return cuts;
}

#endif
