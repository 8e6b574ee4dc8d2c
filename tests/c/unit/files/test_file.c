/* Files that are whole under their final name: every operation failing, every power cut, and the real disk.
   Not for running out of memory: fault/test_file_faults.c. */
#define _DEFAULT_SOURCE
#include "disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define OLD "the old file"
#define NEW "the new file, which is longer than the old"

static struct disk start, disk; /* large: not on the stack */
static long refused, states;    /* operations that failed, states after a power cut: figures for `make faults` */

static void begin(const char *old) {
    refused += disk.refused;
    memset(&start, 0, sizeof start);
    disk_link(&start.names, "out", -1);
    if (old != NULL) disk_put(&start, "out/day.parquet", old);
    disk = start;
}

/* Writes NEW in three parts to `name` and commits; gives the first status that is no success. */
static enum vf_status save(const char *name, struct vf_error *err) {
    struct vf__io io = disk_io(&disk);
    struct vf_file *file = NULL;
    static const size_t ends[] = {0, 7, 7, 20, sizeof NEW - 1};
    struct vf_error again = {0};
    enum vf_status status = vf__file_open(NULL, &io, name, &file, err);
    if (status != VF_OK) {
        CHECK(file == NULL);
        return status;
    }
    CHECK(vf_file_leftover(strrchr(vf__file_temporary(file), '/') + 1) == VF_LEFTOVER_LIVE);
    for (int i = 0; status == VF_OK && i < 4; i++)
        status = vf_file_write(file, &NEW[ends[i]], ends[i + 1] - ends[i], err);
    if (status == VF_OK) status = vf_file_commit(file, err);
    if (status != VF_OK) { /* the first error is what every later call says */
        CHECK(vf_file_write(file, "x", 1, &again) == status && strcmp(again.message, err->message) == 0);
        CHECK(vf_file_write(file, NULL, 0, NULL) == status);
        CHECK(vf_file_commit(file, &again) == status && strcmp(again.message, err->message) == 0);
    } else {
        CHECK(vf_file_write(file, "x", 1, &again) == VF_ERROR_STATE && strstr(again.message, name) != NULL);
        CHECK(vf_file_commit(file, NULL) == VF_ERROR_STATE);
    }
    vf_file_close(file);
    return status;
}

/* ---- one operation fails ---- */

static void check_outcome(enum vf_status status, const struct vf_error *err, const char *old,
                          bool can_remove) {
    CHECK_I64(disk_open_handles(&disk), 0);
    bool whole_all_the_same = status != VF_OK && strstr(err->message, "written whole") != NULL;
    CHECK(disk_holds(&disk, "out/day.parquet", status == VF_OK || whole_all_the_same ? NEW : old));
    if (can_remove) CHECK_I64(disk.names.n, 1 + (old != NULL || status == VF_OK || whole_all_the_same));
    if (status == VF_OK) return;
    CHECK(status == VF_ERROR_IO && err->code == status && err->row == -1);
    CHECK(strstr(err->message, "out/day.parquet: ") == err->message);
}

static void every_operation_fails(void) {
    static const int codes[] = {ENOSPC, EDQUOT, EIO, EFBIG, EACCES, EROFS};
    static const unsigned space = 1u << WRITE | 1u << SYNC | 1u << CLOSE;
    struct vf_error none = {0};
    begin(OLD);
    disk.most = 9;
    CHECK_STATUS(save("out/day.parquet", &none), VF_OK);
    long clean = disk.calls;
    for (int old = 0; old < 2; old++)
        for (size_t c = 0; c < sizeof codes / sizeof codes[0]; c++)
            for (int mode = 0; mode < 3;
                 mode++) /* once; every call from then on; every call that needs space */
                for (long at = 1;; at++) {
                    struct vf_error err = {0};
                    begin(old ? OLD : NULL);
                    disk.fail_at = at;
                    disk.code = codes[c];
                    disk.for_ever = mode > 0;
                    disk.kinds = mode == 2 ? space : 0;
                    disk.most = 9;
                    enum vf_status status = save("out/day.parquet", &err);
                    check_outcome(status, &err, old ? OLD : NULL, mode != 1);
                    if (codes[c] == ENOSPC && status != VF_OK)
                        CHECK(strstr(err.message, "no space is left") != NULL);
                    if (disk.calls < at) {
                        CHECK(status == VF_OK && at > 10);
                        break;
                    }
                    /* The last three calls are the folder's: one that must not be read is taken as it is. (The
                       call before, the rename, needs no space.) */
                    bool tolerated = codes[c] == EACCES && at > clean - (mode == 2 ? 4 : 3);
                    CHECK(status == (tolerated ? VF_OK : VF_ERROR_IO));
                }
}

/* Which steps fail, one by one, and what each says. */
static void steps_are_named(void) {
    static const struct {
        enum disk_kind kind;
        int nth;
        const char *step;
    } steps[] = {{CREATE, 1, "creating"}, {WRITE, 2, "writing"},   {SYNC, 1, "syncing it"},
                 {CLOSE, 1, "closing"},   {RENAME, 1, "its name"}, {SYNC, 2, "syncing its folder"}};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        struct vf_error err = {0};
        long calls = 0;
        for (int hit = 0; hit < steps[i].nth;) { /* the call at which that kind comes for the nth time */
            begin(OLD);
            disk.kinds = 1u << steps[i].kind;
            disk.fail_at = ++calls;
            disk.code = EIO;
            hit += save("out/day.parquet", &err) != VF_OK;
            if (calls > 100) break;
        }
        CHECK(strstr(err.message, steps[i].step) != NULL);
        CHECK(strstr(err.message, "input/output error") != NULL);
    }
}

static void interrupted_and_short(void) {
    for (long every = 2; every < 8; every++)
        for (size_t most = 1; most < 12; most += 2) {
            struct vf_error err = {0};
            begin(OLD);
            disk.interrupt_every = every;
            disk.most = most;
            CHECK_STATUS(save("out/day.parquet", &err), VF_OK);
            check_outcome(VF_OK, &err, OLD, true);
        }
    for (long at = 1; at < 40; at++) { /* one interruption, anywhere, is gone on from */
        struct vf_error err = {0};
        begin(OLD);
        disk.fail_at = at;
        disk.code = EINTR;
        CHECK_STATUS(save("out/day.parquet", &err), VF_OK);
        check_outcome(VF_OK, &err, OLD, true);
    }
    struct vf_error err = {0}; /* and interruptions without end do come to one */
    begin(OLD);
    disk.fail_at = 3;
    disk.for_ever = true;
    disk.code = EINTR;
    CHECK_STATUS(save("out/day.parquet", &err), VF_ERROR_IO);
    CHECK(strstr(err.message, "interrupted") != NULL && disk_holds(&disk, "out/day.parquet", OLD));
}

static int write_nothing(void *state, int handle, const void *data, size_t size, size_t *written) {
    (void)state, (void)handle, (void)data, (void)size;
    *written = 0;
    return 0;
}

static void a_write_of_nothing_ends(void) {
    struct vf__io io = disk_io(&disk);
    struct vf_file *file = NULL;
    begin(OLD);
    io.write = write_nothing;
    CHECK_OK(vf__file_open(NULL, &io, "out/day.parquet", &file, &check_error));
    CHECK_STATUS(vf_file_write(file, "x", 1, &check_error), VF_ERROR_IO);
    vf_file_close(file);
    CHECK(disk.names.n == 2);
}

static void names_that_are_taken(void) {
    struct vf_error err = {0};
    begin(OLD);
    disk.taken = 5;
    CHECK_STATUS(save("out/day.parquet", &err), VF_OK);
    begin(OLD);
    disk.taken = 1000;
    CHECK_STATUS(save("out/day.parquet", &err), VF_ERROR_IO);
    CHECK(disk_holds(&disk, "out/day.parquet", OLD));
}

static void a_folder_is_no_file(void) {
    struct vf_error err = {0};
    begin(NULL);
    disk_link(&disk.names, "out/day.parquet", -1);
    CHECK_STATUS(save("out/day.parquet", &err), VF_ERROR_IO);
    CHECK(strstr(err.message, "there is a folder of that name") != NULL);
    CHECK(disk.names.n == 2);
}

static void paths_that_name_no_file(void) {
    static const char *const paths[] = {"", "/", "out/", "out/.", "out/..", ".", NULL};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct vf__io io = disk_io(&disk);
        struct vf_file *file = NULL;
        begin(NULL);
        CHECK_STATUS(vf__file_open(NULL, &io, paths[i], &file, &check_error), VF_ERROR_ARGUMENT);
        CHECK(file == NULL && disk.calls == 0);
    }
    vf_file_close(NULL);
}

/* ---- the power goes ---- */

/* Every state that a cut may leave of what was just saved: each holds the old file or the new one. */
static struct disk_cuts cuts_of(const char *name, const char *old) {
    struct disk_cuts cuts = disk_cut(&start, &disk, name, old, NEW);
    CHECK_I64(cuts.broken, 0);
    states += cuts.states;
    return cuts;
}

static void every_power_cut(void) {
    long before_all = states;
    for (int old = 0; old < 2; old++)
        for (size_t most = 4; most <= 16; most += 12) {
            struct vf_error err = {0};
            const char *before = old ? OLD : NULL;
            begin(before);
            disk.most = most;
            CHECK_STATUS(save("out/day.parquet", &err), VF_OK);
            struct disk_cuts cuts = cuts_of("out/day.parquet", before);
            CHECK_I64(cuts.not_new_at_end, 0); /* committed is durable */
            CHECK(cuts.old > 0 && cuts.new > 0);
        }
    CHECK(states - before_all > 10000);
}

/* ... after any operation failed: once or for good, undone or done all the same, over an old file or where there was
   none, in a folder that is there or is to be made. */
static void every_power_cut_of_every_failure(void) {
    for (int way = 0; way < 16; way++)
        for (long at = 1;; at++) {
            struct vf_error err = {0};
            const char *old = way & 4 ? OLD : NULL;
            const char *name = way & 8 ? "out/day.parquet" : "out/q1/day.parquet";
            begin(NULL);
            if (old != NULL && !(way & 8)) disk_link(&start.names, "out/q1", -1);
            if (old != NULL) disk_put(&start, name, old);
            disk = start;
            disk.most = 16;
            disk.fail_at = at;
            disk.for_ever = way & 1;
            disk.though_done = way & 2;
            disk.code = EIO;
            enum vf_status status = save(name, &err);
            CHECK_I64(disk_open_handles(&disk), 0);
            struct disk_cuts cuts = cuts_of(name, old);
            if (status == VF_OK) CHECK_I64(cuts.not_new_at_end, 0);
            if (status == VF_OK || (way & 2) == 0)
                CHECK(disk_holds(&disk, name, status == VF_OK || strstr(err.message, "written whole") ? NEW : old));
            else
                CHECK(disk_holds(&disk, name, NEW) || disk_holds(&disk, name, old));
            if (disk.calls < at) break;
        }
}

static void folders_are_durable_too(void) {
    struct vf_error err = {0};
    begin(NULL);
    CHECK_STATUS(save("out/2024/q1/day.parquet", &err), VF_OK);
    struct disk_cuts cuts = disk_cut(&start, &disk, "out/2024/q1/day.parquet", NULL, NEW);
    CHECK(cuts.broken == 0 && cuts.not_new_at_end == 0 && cuts.new > 0);
    begin(NULL);
    CHECK_STATUS(save("a/b/day.parquet", &err), VF_OK); /* from the working folder */
    CHECK(disk_cut(&start, &disk, "a/b/day.parquet", NULL, NEW).not_new_at_end == 0);
    begin(NULL);
    CHECK_STATUS(save("/a/day.parquet", &err), VF_OK); /* from the root */
    CHECK(disk_cut(&start, &disk, "/a/day.parquet", NULL, NEW).not_new_at_end == 0);
    for (long at = 1;; at++) { /* a folder that cannot be made, or synced */
        begin(NULL);
        disk.fail_at = at;
        disk.code = EIO;
        enum vf_status status = save("out/2024/q1/day.parquet", &err);
        if (disk.calls < at) break;
        CHECK(status == VF_OK || strstr(err.message, "out/2024/q1/day.parquet: ") == err.message);
        CHECK(disk_holds(&disk, "out/2024/q1/day.parquet", NULL) ||
              disk_holds(&disk, "out/2024/q1/day.parquet", NEW));
        CHECK_I64(disk_open_handles(&disk), 0);
        for (int i = 0; i < disk.names.n; i++)
            CHECK(strstr(disk.names.entry[i].name, ".vftmp") == NULL);
    }
}

/* The model must be able to say no: without the syncs it finds files that are neither old nor new. */
static void the_model_finds_what_is_wrong(void) {
    struct vf_error err = {0};
    begin(OLD);
    disk.sync_lies = true;
    CHECK_STATUS(save("out/day.parquet", &err), VF_OK);
    struct disk_cuts cuts = disk_cut(&start, &disk, "out/day.parquet", OLD, NEW);
    CHECK(cuts.broken > 1000 && cuts.not_new_at_end > 0);
    begin(OLD);
    disk.folders_mute = true; /* whole it is all the same, but it may be the old one */
    CHECK_STATUS(save("out/day.parquet", &err), VF_OK);
    cuts = disk_cut(&start, &disk, "out/day.parquet", OLD, NEW);
    CHECK(cuts.broken == 0 && cuts.not_new_at_end > 0);
}

/* ---- the real disk ---- */

static char folder[] = "vf_test_file_XXXXXX";
static char path[512];

static const char *in_folder(const char *name) {
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static enum vf_status put(const char *to, const char *text, size_t times, struct vf_error *err) {
    struct vf_file *file = NULL;
    enum vf_status status = vf_file_open(NULL, to, &file, err);
    for (size_t i = 0; status == VF_OK && i < times; i++)
        status = vf_file_write(file, text, strlen(text), err);
    if (status == VF_OK) status = vf_file_commit(file, err);
    vf_file_close(file);
    return status;
}

static bool holds(const char *name, const char *text) {
    char buffer[4096] = "";
    int handle = open(in_folder(name), O_RDONLY);
    if (handle < 0) return text == NULL;
    ssize_t n = read(handle, buffer, sizeof buffer - 1);
    (void)close(handle);
    return text != NULL && n == (ssize_t)strlen(text) && memcmp(buffer, text, strlen(text)) == 0;
}

static int entries(void) {
    char command[600];
    (void)snprintf(command, sizeof command, "exit $(ls -A %s | wc -l)", folder);
    return WEXITSTATUS(system(command));
}

static void real_files(void) {
    struct vf_error err = {0};
    struct stat status;
    CHECK_OK(put(in_folder("day.parquet"), OLD, 1, &check_error));
    CHECK(holds("day.parquet", OLD));
    CHECK_OK(put(in_folder("day.parquet"), NEW, 1, &check_error));
    CHECK(holds("day.parquet", NEW) && entries() == 1);
    mode_t mask = umask(027);
    CHECK_OK(put(in_folder("day.parquet"), OLD, 0, &check_error)); /* nothing written: an empty file */
    (void)umask(mask);
    CHECK(holds("day.parquet", "") && stat(in_folder("day.parquet"), &status) == 0 &&
          (status.st_mode & 0777) == 0640);
    CHECK_OK(put(in_folder("a//b/day.parquet"), OLD, 1, &check_error));
    CHECK(holds("a/b/day.parquet", OLD));
    CHECK_STATUS(put(in_folder("a"), OLD, 1, &err), VF_ERROR_IO);
    CHECK(strstr(err.message, "there is a folder of that name") != NULL);
    CHECK_STATUS(put(in_folder("day.parquet/x"), OLD, 1, &err), VF_ERROR_IO);
    CHECK(strstr(err.message, "is a file, not a folder") != NULL);
    char name[300];
    memset(name, 'x', sizeof name);
    memcpy(name + 240, "\xc3\xa4\xc3\xa4.parquet", 13);
    CHECK_OK(
        put(in_folder(name), NEW, 1, &check_error)); /* as long as a name may be: the temporary's is cut */
    CHECK(holds(name, NEW));
    CHECK(unlink(in_folder(name)) == 0);
    memset(name, 'x', 290);
    name[290] = '\0';
    CHECK_STATUS(put(in_folder(name), NEW, 1, &err), VF_ERROR_IO);
    CHECK(strstr(err.message, "the name is too long") != NULL);
    CHECK(entries() == 2);
}

/* Runs a child and gives its exit code. */
static int child(void (*body)(void)) {
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        body();
        _exit(check__failed == 0 ? 0 : 1);
    }
    int status = 0;
    CHECK(waitpid(pid, &status, 0) == pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static void limited_body(void) {
    struct rlimit limit = {.rlim_cur = 1000, .rlim_max = 1000};
    struct vf_error err = {0};
    (void)signal(SIGXFSZ, SIG_IGN);
    (void)setrlimit(RLIMIT_FSIZE, &limit);
    CHECK_STATUS(put(in_folder("day.parquet"), NEW, 1000, &err), VF_ERROR_IO);
    CHECK(strstr(err.message, "ulimit -f") != NULL);
}

static void file_size_limit(void) {
    CHECK_OK(put(in_folder("day.parquet"), OLD, 1, &check_error));
    int before = entries();
    CHECK_I64(child(limited_body), 0);
    CHECK(holds("day.parquet", OLD) && entries() == before);
}

static void unprivileged_body(void) {
    struct vf_error err = {0};
    if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) _exit(2);
    CHECK_STATUS(put(in_folder("day.parquet"), NEW, 1, &err), VF_ERROR_IO);
    CHECK(strstr(err.message, "permission denied") != NULL);
    CHECK_STATUS(put(in_folder("new/day.parquet"), NEW, 1, &err), VF_ERROR_IO);
    CHECK(strstr(err.message, "permission denied") != NULL);
}

static void read_only_folder(void) {
    CHECK(chmod(folder, 0555) == 0);
    CHECK_I64(child(unprivileged_body), 0);
    CHECK(chmod(folder, 0755) == 0);
    CHECK(holds("day.parquet", OLD));
}

/* ---- leftovers of killed processes ---- */

/* A reason that has no sentence of ours comes in the system's words, whichever strerror_r it has. */
static void other_reasons_in_the_system_s_words(void) {
    struct vf_file *file = NULL;
    CHECK(symlink("loop", in_folder("loop")) == 0);
    CHECK_STATUS(vf_file_open(NULL, in_folder("loop/day.parquet"), &file, &check_error), VF_ERROR_IO);
    CHECK(strstr(check_error.message, strerror(ELOOP)) != NULL);
    CHECK(unlink(in_folder("loop")) == 0);
}

static void killed_processes_leave_what_can_be_told(void) {
    int pipes[2];
    char name[VF__NAME_MAX + 1] = "";
    CHECK(pipe(pipes) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct vf_file *file = NULL;
        if (vf_file_open(NULL, in_folder("killed.parquet"), &file, NULL) != VF_OK) _exit(1);
        (void)vf_file_write(file, NEW, sizeof NEW - 1, NULL);
        const char *temporary = strrchr(vf__file_temporary(file), '/') + 1;
        if (write(pipes[1], temporary, strlen(temporary) + 1) < 0) _exit(1);
        for (;;)
            (void)pause();
    }
    CHECK(read(pipes[0], name, sizeof name - 1) > 0);
    CHECK(strstr(name, ".killed.parquet.") == name && holds(name, NEW));
    CHECK(vf_file_leftover(name) == VF_LEFTOVER_LIVE);
    siginfo_t how;
    CHECK(kill(pid, SIGKILL) == 0 && waitid(P_PID, (id_t)pid, &how, WEXITED | WNOWAIT) == 0);
    CHECK(vf_file_leftover(name) == VF_LEFTOVER_DEAD); /* killed, and nobody has asked how it ended yet */
    CHECK(waitpid(pid, NULL, 0) == pid);
    CHECK(vf_file_leftover(name) == VF_LEFTOVER_DEAD);
    CHECK(holds("killed.parquet", NULL));
    CHECK(unlink(in_folder(name)) == 0);
    (void)close(pipes[0]);
    (void)close(pipes[1]);
}

/* Saves two files in turn, each of one letter, until it is killed. */
static void save_for_ever(void) {
    static char letters[2][700];
    memset(letters[0], 'a', 699);
    memset(letters[1], 'b', 699);
    for (size_t i = 0;; i++)
        if (put(in_folder("killed.parquet"), letters[i % 2], 5 + i % 2 * 3, NULL) != VF_OK) _exit(1);
}

/* Nothing, or 5 * 699 times a, or 8 * 699 times b. */
static bool is_whole(const char *name) {
    static char buffer[8192];
    int handle = open(in_folder(name), O_RDONLY);
    if (handle < 0) return errno == ENOENT;
    ssize_t n = read(handle, buffer, sizeof buffer);
    (void)close(handle);
    if (n != 5 * 699 && n != 8 * 699) return false;
    for (ssize_t i = 0; i < n; i++)
        if (buffer[i] != (n == 5 * 699 ? 'a' : 'b')) return false;
    return true;
}

/* Removes what dead processes left; gives how many files that were, or -1 for one that is nobody's. */
static int sweep(void) {
    DIR *directory = opendir(folder);
    int n = 0;
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        enum vf_leftover whose = vf_file_leftover(entry->d_name);
        if (whose == VF_LEFTOVER_LIVE || whose == VF_LEFTOVER_ELSEWHERE) n = -1000;
        if (whose == VF_LEFTOVER_DEAD) n += unlink(in_folder(entry->d_name)) == 0;
    }
    (void)closedir(directory);
    return n;
}

static void killed_at_any_moment(void) {
    int before = entries(), left = 0;
    unsigned seed = 1;
    for (int round = 0; round < 80; round++) {
        pid_t pids[2]; /* two at once, over one file */
        for (int i = 0; i < 2; i++) {
            pids[i] = fork();
            if (pids[i] == 0) save_for_ever();
        }
        seed = seed * 1664525u + 1013904223u;
        struct timespec wait = {.tv_nsec = (long)(seed >> 10) % 4000000};
        (void)nanosleep(&wait, NULL);
        CHECK(is_whole("killed.parquet"));
        for (int i = 0; i < 2; i++)
            CHECK(kill(pids[i], SIGKILL) == 0 && waitpid(pids[i], NULL, 0) == pids[i]);
        CHECK(is_whole("killed.parquet"));
        int swept = sweep();
        CHECK(swept >= 0 && swept <= 2);
        left += swept;
    }
    CHECK(left > 8); /* or the moments were none */
    (void)unlink(in_folder("killed.parquet"));
    CHECK_I64(entries(), before);
}

static void leftovers_by_name(void) {
    static const char *const others[] = {"",
                                         ".",
                                         "day.parquet",
                                         ".vftmp",
                                         "x.vftmp",
                                         ".x.tmp",
                                         "..vftmp",
                                         ".x..vftmp",
                                         ".x.1-2-3-4-5.vftmp",
                                         ".x.g-2-3-4.vftmp",
                                         ".x.1--2-3-4.vftmp",
                                         ".x.1-2-3-.vftmp",
                                         ".x.1-0-3-4.vftmp",
                                         ".x. 1-2-3-4.vftmp",
                                         ".x.1-+2-3-4.vftmp",
                                         ".x.1-99999999999-3-4.vftmp",
                                         ".x.1-2-3-99999999999999999999.vftmp"};
    char mine[VF__NAME_MAX + 1], edited[VF__NAME_MAX + 32];
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        CHECK_I64(vf_file_leftover(others[i]), VF_LEFTOVER_NONE);
    CHECK(vf_file_leftover(NULL) == VF_LEFTOVER_NONE);
    CHECK(vf_file_leftover(".x.12345678-1-1-1.vftmp") == VF_LEFTOVER_ELSEWHERE);
    vf__temporary_name(mine, "day.parquet", 0xabc);
    CHECK(vf_file_leftover(mine) == VF_LEFTOVER_LIVE && strstr(mine, "-00000abc.vftmp") != NULL);
    /* a later process that was given the same number began at another time */
    const char *end = strrchr(mine, '-'), *start_text = end;
    while (start_text[-1] != '-')
        start_text--;
    (void)snprintf(edited, sizeof edited, "%.*s%x%s", (int)(start_text - mine), mine, 0x123, end);
    CHECK(vf_file_leftover(edited) == VF_LEFTOVER_DEAD);
    vf__temporary_name(mine, "\xe6\x97\xa5\xe6\x97\xa5", 1);
    CHECK(vf_file_leftover(mine) == VF_LEFTOVER_LIVE);
}

int main(void) {
    every_operation_fails();
    steps_are_named();
    interrupted_and_short();
    a_write_of_nothing_ends();
    names_that_are_taken();
    a_folder_is_no_file();
    paths_that_name_no_file();
    every_power_cut();
    every_power_cut_of_every_failure();
    folders_are_durable_too();
    the_model_finds_what_is_wrong();
    CHECK(mkdtemp(folder) != NULL);
    real_files();
    file_size_limit();
    read_only_folder();
    other_reasons_in_the_system_s_words();
    killed_processes_leave_what_can_be_told();
    killed_at_any_moment();
    leftovers_by_name();
    char command[64];
    (void)snprintf(command, sizeof command, "rm -r %s", folder);
    CHECK(system(command) == 0);
    printf("file: %ld operations failed, %ld states after power cuts\n", refused, states);
    return check_report("file");
}
