/* Runs a fuzz target over files: the committed corpus, or the file of a crash. What libFuzzer's main does with files, for
   any compiler. Not for finding anything new. */
#define _POSIX_C_SOURCE 200809L
#include "fuzz.h"

#include <dirent.h>
#include <sys/stat.h>

static long n_files;

static void run_file(const char *path) {
    FILE *file = fopen(path, "rb");
    REQUIRE(file != NULL);
    REQUIRE(fseek(file, 0, SEEK_END) == 0);
    long size = ftell(file);
    REQUIRE(size >= 0 && fseek(file, 0, SEEK_SET) == 0);
    uint8_t *data = malloc((size_t)size); /* of exactly that size: reading past the input shows */
    REQUIRE(data != NULL || size == 0);
    REQUIRE(fread(data, 1, (size_t)size, file) == (size_t)size);
    fclose(file);
    fprintf(stderr, "%s\n", path); /* the last one printed is the one that failed */
    (void)LLVMFuzzerTestOneInput(data, (size_t)size);
    free(data);
    n_files++;
}

static void run_path(const char *path) {
    struct stat status;
    REQUIRE(stat(path, &status) == 0);
    if (!S_ISDIR(status.st_mode)) {
        run_file(path);
        return;
    }
    DIR *folder = opendir(path);
    REQUIRE(folder != NULL);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        char inner[4096];
        if (entry->d_name[0] == '.') continue;
        REQUIRE((size_t)snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name) < sizeof inner);
        run_path(inner);
    }
    closedir(folder);
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++)
        run_path(argv[i]);
    printf("%ld inputs replayed\n", n_files);
    return n_files > 0 ? 0 : 1; /* a corpus that is not there must not pass */
}
