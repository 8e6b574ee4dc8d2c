/* Each operation that saving a file asks of the system, refused in every way that systems have: what is tried again, what is
   taken as it is, and what is said. And the memory of large blocks. Not for what a disk then holds: test_file.c has that. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"

#include "files/file.h"

#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- a system that does as it is told ----------------------------------------------------------------------------- */

enum op { CREATE, WRITE, SYNC, CLOSE, RENAME, REMOVE, MAKE_FOLDER, OPEN_FOLDER, N_OPS };

struct told {
    enum op op;
    int code, from, times; /* calls from .. from + times - 1 of op give code */
    int no_folder;         /* creations that find no folder */
    size_t write_most;     /* bytes a write takes; 0: all */
    bool write_lies;       /* and says that it took more than there were */
    int calls[N_OPS];
    char folders[4][64];
    int n_folders;
};

static int ask(struct told *t, enum op op) {
    int call = t->calls[op]++;
    return op == t->op && call >= t->from && call < t->from + t->times ? t->code : 0;
}
static int io_create(void *state, const char *path, int *handle) {
    struct told *t = state;
    (void)path;
    *handle = 3;
    if (t->no_folder > 0) return t->no_folder--, ENOENT;
    return ask(t, CREATE);
}
static int io_write(void *state, int handle, const void *data, size_t size, size_t *written) {
    struct told *t = state;
    (void)handle;
    (void)data;
    *written = t->write_lies ? size + 1 : t->write_most != 0 && size > t->write_most ? t->write_most : size;
    return ask(t, WRITE);
}
static int io_sync(void *state, int handle) {
    (void)handle;
    return ask(state, SYNC);
}
static int io_close(void *state, int handle) {
    (void)handle;
    return ask(state, CLOSE);
}
static int io_rename(void *state, const char *from, const char *to) {
    (void)from;
    (void)to;
    return ask(state, RENAME);
}
static int io_remove(void *state, const char *path) {
    (void)path;
    return ask(state, REMOVE);
}
static int io_make_folder(void *state, const char *path) {
    struct told *t = state;
    if (t->n_folders < 4) (void)snprintf(t->folders[t->n_folders++], 64, "%s", path);
    return ask(t, MAKE_FOLDER);
}
static int io_open_folder(void *state, const char *path, int *handle) {
    (void)path;
    *handle = 4;
    return ask(state, OPEN_FOLDER);
}

static struct vf_error said;

static enum vf_status save(struct told *t, const char *path) {
    const struct vf__io io = {t,         io_create, io_write,       io_sync,       io_close,
                              io_rename, io_remove, io_make_folder, io_open_folder};
    struct vf_file *file = NULL;
    memset(&said, 0, sizeof said);
    enum vf_status status = vf__file_open(NULL, &io, path, &file, &said);
    if (status == VF_OK) status = vf_file_write(file, "0123456789", 10, &said);
    if (status == VF_OK) status = vf_file_commit(file, &said);
    if (status != VF_OK && file != NULL) { /* what failed first is what every later call says */
        struct vf_error later = {0};
        CHECK_I64(vf_file_commit(file, &later), status);
        CHECK(strcmp(later.message, said.message) == 0);
        CHECK_I64(vf_file_write(file, "", 0, NULL), status);
    }
    if (status == VF_OK) {
        CHECK_STATUS(vf_file_write(file, "more", 4, &check_error), VF_ERROR_STATE);
        CHECK_STATUS(vf_file_commit(file, NULL), VF_ERROR_STATE);
    }
    vf_file_close(file);
    return status;
}

/* ---- one operation at a time ------------------------------------------------------------------------------------------ */

/* Interrupted a few times, an operation is tried again; for ever, it is given up; a close is never repeated. */
static void test_interruptions(void) {
    for (int op = 0; op < N_OPS; op++)
        for (int from = 0; from < (op == SYNC || op == CLOSE ? 2 : 1);
             from++) { /* of the file, then of its folder */
            struct told t = {.op = (enum op)op, .code = EINTR, .from = from, .times = 5};
            bool makes_folder = op == MAKE_FOLDER;
            if (makes_folder) t.no_folder = 1;
            CHECK_I64(save(&t, "a/x"), VF_OK);
            if (op != REMOVE) CHECK_I64(t.calls[op], op == CLOSE ? 2 : (op == SYNC ? 7 : 6));
            struct told ever = {.op = (enum op)op, .code = EINTR, .from = from, .times = 1 << 30};
            if (makes_folder) ever.no_folder = 1;
            bool fatal = op != CLOSE && op != REMOVE;
            CHECK_I64(save(&ever, "a/x"), fatal ? VF_ERROR_IO : VF_OK);
            if (fatal) CHECK(strstr(said.message, "interrupted again and again") != NULL);
            CHECK(ever.calls[op] < 2000);
        }
    struct told closing = {.op = CLOSE, .code = EINPROGRESS, .times = 1};
    CHECK_I64(save(&closing, "x"), VF_OK);
    /* the temporary file of one that failed is removed, however often that is interrupted */
    struct told both = {.op = REMOVE, .code = EINTR, .times = 5, .write_lies = true};
    CHECK_I64(save(&both, "x"), VF_ERROR_IO);
    CHECK_I64(both.calls[REMOVE], 6);
}

static void test_folders_that_cannot_be_synced(void) {
    static const int taken[] = {EINVAL, ENOTSUP, EOPNOTSUPP, ENOSYS, EACCES, EPERM},
                     told[] = {EIO, ENOSPC, EROFS};
    for (size_t k = 0; k < sizeof taken / sizeof *taken; k++) {
        struct told open = {.op = OPEN_FOLDER, .code = taken[k], .times = 1};
        struct told sync = {.op = SYNC, .code = taken[k], .from = 1, .times = 1};
        CHECK_I64(save(&open, "a/x"), VF_OK);
        CHECK_I64(save(&sync, "a/x"), VF_OK);
    }
    for (size_t k = 0; k < sizeof told / sizeof *told; k++) {
        struct told open = {.op = OPEN_FOLDER, .code = told[k], .times = 1};
        struct told sync = {.op = SYNC, .code = told[k], .from = 1, .times = 1};
        CHECK_I64(save(&open, "a/x"), VF_ERROR_IO);
        CHECK(strstr(said.message, "written whole, but may be undone") != NULL);
        CHECK_I64(save(&sync, "a/x"), VF_ERROR_IO);
        CHECK_I64(open.calls[REMOVE] + sync.calls[REMOVE], 0); /* it has its name already */
    }
    struct told closing = {.op = CLOSE, .code = EIO, .from = 1, .times = 1};
    CHECK_I64(save(&closing, "a/x"), VF_ERROR_IO);
}

static void test_writes_that_lie(void) {
    struct told little = {.op = N_OPS, .write_most = 3},
                none = {.op = N_OPS, .write_most = 0, .write_lies = true};
    CHECK_I64(save(&little, "x"), VF_OK);
    CHECK_I64(little.calls[WRITE], 4);
    CHECK_I64(save(&none, "x"), VF_ERROR_IO);
    CHECK(strstr(said.message, "input/output error") != NULL);
}

static void test_what_is_said(void) {
    static const struct {
        int code;
        const char *text;
    } reasons[] = {{ENOSPC, "no space is left"},
                   {EDQUOT, "quota"},
                   {EFBIG, "larger than"},
                   {EACCES, "permission denied"},
                   {EPERM, "permission denied"},
                   {EROFS, "read-only"},
                   {EISDIR, "a folder of that name"},
                   {ENOTDIR, "is a file, not a folder"},
                   {ENOENT, "is gone"},
                   {ENAMETOOLONG, "too long"},
                   {EIO, "input/output error"},
                   {EMFILE, "too many files"},
                   {ENFILE, "too many files"},
                   {ENXIO, "No such device or address"},
                   {99999, "nknown error" /* GNU: Unknown error 99999 */}};
    for (size_t k = 0; k < sizeof reasons / sizeof *reasons; k++) {
        struct told t = {.op = RENAME, .code = reasons[k].code, .times = 1};
        CHECK_I64(save(&t, "a/x"), VF_ERROR_IO);
        CHECK(strstr(said.message, reasons[k].text) != NULL &&
              strstr(said.message, "giving it its name") != NULL);
        CHECK_I64(t.calls[REMOVE], 1);
    }
    char path[400];
    memset(path, 'd', sizeof path);
    memcpy(path + 300, "/day.parquet", 13);
    struct told t = {.op = SYNC, .code = EIO, .times = 1};
    CHECK_I64(save(&t, path), VF_ERROR_IO);
    CHECK(strncmp(said.message, "...", 3) == 0 && strstr(said.message, "/day.parquet: ") != NULL);
    struct told names = {.op = CREATE, .code = EEXIST, .times = 1 << 30};
    CHECK_I64(save(&names, "x"), VF_ERROR_IO);
    CHECK(names.calls[CREATE] < 1000);
}

static void test_folders_are_made(void) {
    static const struct {
        const char *path, *made[3];
        int exists; /* which of the makings finds it there already: made by somebody else just now */
    } cases[] = {{"a/x", {"a"}, -1}, {"/a/x", {"/a"}, -1}, {"a//x", {"a/"}, -1},
                 {"x", {"."}, -1},   {"/x", {"/"}, -1},    {"a/x", {"a"}, 0}};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        struct told t = {.op = MAKE_FOLDER,
                         .code = EEXIST,
                         .from = cases[k].exists,
                         .times = cases[k].exists >= 0,
                         .no_folder = 1};
        CHECK_I64(save(&t, cases[k].path), VF_OK);
        CHECK(t.n_folders == 1 && strcmp(t.folders[0], cases[k].made[0]) == 0);
        CHECK_I64(t.calls[OPEN_FOLDER], 2); /* the folder above is synced, too */
    }
    /* two levels: the one above first; and what fails there is told */
    struct told two = {.op = MAKE_FOLDER, .code = ENOENT, .times = 1, .no_folder = 1};
    CHECK_I64(save(&two, "a/b/x"), VF_OK);
    CHECK(two.n_folders == 3 && strcmp(two.folders[1], "a") == 0 && strcmp(two.folders[2], "a/b") == 0);
    struct told denied = {.op = MAKE_FOLDER, .code = EACCES, .times = 1, .no_folder = 1};
    CHECK_I64(save(&denied, "a/b/x"), VF_ERROR_IO);
    CHECK(strstr(said.message, "making its folder") != NULL);
    struct told gone = {.op = MAKE_FOLDER, .code = ENOENT, .times = 1 << 30, .no_folder = 1};
    CHECK_I64(save(&gone, "a/b/x"), VF_ERROR_IO);
    struct told again = {.op = MAKE_FOLDER, .code = EINTR, .from = 2, .times = 1 << 30, .no_folder = 1};
    again.code = ENOENT;
    again.from = 0;
    again.times = 1;
    CHECK_I64(save(&again, "a/b/x"), VF_OK);
}

/* ---- names of temporary files --------------------------------------------------------------------------------------------- */

static void test_temporary_names(void) {
    static const char *const strangers[] = {"",
                                            ".vftmp",
                                            "x.vftmp",
                                            ".x.vftmp",
                                            ".x.00000000-1-1.vftmp",
                                            ".x.00000000-0-1-00000000.vftmp",
                                            ".x.00000000-99999999999-1-00000000.vftmp",
                                            ".x.00000000-+1-1-00000000.vftmp",
                                            ".x.zzzzzzzz-1-1-00000000.vftmp",
                                            ".x.00000000-1-1-00000000x.vftmp",
                                            ".x.ffffffffffffffffff-1-1-00000000.vftmp",
                                            "x.00000000-1-1-00000000.vftmp",
                                            ".x.00000000-1-1-00000000.tmp"};
    char name[VF__NAME_MAX + 1], longer[2 * VF__NAME_MAX + 60], text[300];
    for (size_t k = 0; k < sizeof strangers / sizeof *strangers; k++)
        CHECK_I64(vf_file_leftover(strangers[k]), VF_LEFTOVER_NONE);
    CHECK_I64(vf_file_leftover(NULL), VF_LEFTOVER_NONE);
    vf__temporary_name(name, "day.parquet", 7);
    CHECK(strncmp(name, ".day.parquet.", 13) == 0);
    CHECK_I64(vf_file_leftover(name), VF_LEFTOVER_LIVE);
    (void)snprintf(longer, sizeof longer, ".%0*d%s", VF__NAME_MAX - 40, 0, name);
    CHECK_I64(vf_file_leftover(longer), VF_LEFTOVER_NONE); /* no name of ours is that long */
    /* long names are cut between characters, or, where there are none, anywhere */
    for (int k = 0; k < 3; k++) {
        memset(text, 0, sizeof text);
        for (size_t i = 0; i + 3 < 290; i += 2)
            memcpy(text + i + (size_t)k % 2, k < 2 ? "\xc3\xa4" : "\x80\x80", 2);
        if (k == 1) text[0] = 'x';
        vf__temporary_name(name, text, 7);
        CHECK(strlen(name) <= VF__NAME_MAX);
        const char *dot = strchr(name + 1, '.');
        CHECK(dot != NULL && dot - name - 1 == (k == 0 ? 180 : k == 1 ? 179 : 0));
        CHECK_I64(vf_file_leftover(name), VF_LEFTOVER_LIVE);
    }
    /* a process that has ended, before and after its parent asked how */
    pid_t child = fork();
    if (child == 0) _exit(0);
    char own[32], other[32];
    (void)snprintf(own, sizeof own, "-%ld-", (long)getpid());
    (void)snprintf(other, sizeof other, "-%ld-", (long)child);
    vf__temporary_name(name, "x", 1);
    char *at = strstr(name, own);
    CHECK(at != NULL);
    if (at == NULL) return;
    (void)snprintf(longer, sizeof longer, "%.*s%s%s", (int)(at - name), name, other, at + strlen(own));
    siginfo_t info;
    CHECK_I64(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
    CHECK_I64(vf_file_leftover(longer), VF_LEFTOVER_DEAD);
    CHECK_I64(waitpid(child, NULL, 0), child);
    CHECK_I64(vf_file_leftover(longer), VF_LEFTOVER_DEAD);
    /* the same number, begun at another time; and one whose beginning nobody knew */
    char *start = at + strlen(own), *end = strchr(start, '-');
    CHECK(end != NULL);
    if (end == NULL) return;
    (void)snprintf(longer, sizeof longer, "%.*s1%s", (int)(start - name), name, end);
    CHECK_I64(vf_file_leftover(longer), VF_LEFTOVER_DEAD);
    (void)snprintf(longer, sizeof longer, "%.*s0%s", (int)(start - name), name, end);
    CHECK_I64(vf_file_leftover(longer), VF_LEFTOVER_LIVE);
}

/* ---- the system's own answers -------------------------------------------------------------------------------------------------- */

static void test_the_system_says_no(void) {
    const struct vf__io *io = &vf__io_system;
    size_t written;
    int handle;
    CHECK_I64(io->write(NULL, -1, "x", 1, &written), EBADF);
    CHECK_I64(io->sync(NULL, -1), EBADF);
    CHECK_I64(io->close(NULL, -1), EBADF);
    CHECK_I64(io->remove(NULL, "/no/such/file"), ENOENT);
    CHECK_I64(io->rename(NULL, "/no/such/file", "/no/such/other"), ENOENT);
    CHECK_I64(io->make_folder(NULL, "/no/such/folder"), ENOENT);
    CHECK_I64(io->open_folder(NULL, "/no/such/folder", &handle), ENOENT);
    CHECK_I64(io->create(NULL, "/no/such/file", &handle), ENOENT);
}

/* ---- large blocks ------------------------------------------------------------------------------------------------------------- */

static void fill(uint8_t *block, size_t size) {
    for (size_t i = 0; i < size; i += 4096)
        block[i] = (uint8_t)(i >> 12);
    block[size - 1] = 0x5a;
}
static bool filled(const uint8_t *block, size_t size, size_t whole) {
    for (size_t i = 0; i < size; i += 4096)
        if (block[i] != (uint8_t)(i >> 12) && i != whole - 1) return false;
    return true;
}

static void test_blocks_of_every_size(void) {
    static const size_t sizes[] = {0,
                                   1,
                                   4096,
                                   ((size_t)4 << 20) - 1,
                                   (size_t)4 << 20,
                                   ((size_t)4 << 20) + 1,
                                   (size_t)9 << 20,
                                   (size_t)64 << 20};
    enum { N = sizeof sizes / sizeof *sizes, WIDE = sizeof(size_t) > 4 /* else half of it may well be had */ };
    struct vf_context ctx = vf__context(NULL);
    for (size_t from = 0; from < N; from++)
        for (size_t to = 0; to < N; to++) {
            uint8_t *block = vf__alloc(&ctx, sizes[from], 1);
            CHECK(block != NULL);
            if (block == NULL) continue;
            if (sizes[from] > 0) fill(block, sizes[from]);
            uint8_t *moved = vf__resize(&ctx, block, sizes[from], sizes[to], 1);
            CHECK(moved != NULL);
            if (moved == NULL) continue;
            CHECK(filled(moved, sizes[from] < sizes[to] ? sizes[from] : sizes[to], sizes[from]));
            /* what cannot be had leaves what is there */
            CHECK(vf__resize(&ctx, moved, sizes[to], SIZE_MAX - 1, 1) == NULL);
            if (WIDE) CHECK(vf__resize(&ctx, moved, sizes[to], SIZE_MAX / 2, 1) == NULL);
            CHECK(vf__resize(&ctx, moved, sizes[to], SIZE_MAX / 2, 3) == NULL);
            if (sizes[to] > 0) fill(moved, sizes[to]);
            vf__free(&ctx, moved, sizes[to], 1);
        }
    CHECK(vf__alloc(&ctx, SIZE_MAX - 1, 1) == NULL);
    CHECK(vf__alloc(&ctx, SIZE_MAX - ((size_t)2 << 20), 1) == NULL); /* which whole huge pages go past */
    if (WIDE) CHECK(vf__alloc(&ctx, SIZE_MAX / 2, 1) == NULL);
    CHECK(vf__alloc(&ctx, SIZE_MAX / 2, 3) == NULL);
    /* many at once, each with its own bytes */
    uint8_t *blocks[8];
    for (size_t k = 0; k < 8; k++) {
        size_t size = ((size_t)5 << 20) + k * 4096;
        blocks[k] = vf__alloc(&ctx, size, 1);
        CHECK(blocks[k] != NULL);
        memset(blocks[k], (int)k, size);
    }
    for (size_t k = 0; k < 8; k++) {
        size_t size = ((size_t)5 << 20) + k * 4096;
        CHECK(blocks[k][0] == k && blocks[k][size - 1] == k && blocks[k][size / 2] == k);
        vf__free(&ctx, blocks[k], size, 1);
    }
}

int main(void) {
    test_interruptions();
    test_folders_that_cannot_be_synced();
    test_writes_that_lie();
    test_what_is_said();
    test_folders_are_made();
    test_temporary_names();
    test_the_system_says_no();
    test_blocks_of_every_size();
    return check_report("io");
}
