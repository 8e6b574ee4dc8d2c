/* Names of temporary files, which say whose they are: ".NAME.HOST-PID-START-SERIAL.vftmp", so that what a killed process
   left behind can be told from what a live one is writing. Not for making or removing the files. */
#define _POSIX_C_SOURCE 200809L
#include "files/file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <unistd.h>

#define SUFFIX ".vftmp"

enum { KEPT_OF_NAME = 180 }; /* bytes; the rest of a name has at most 56 */

/* Host name and process-id namespace: the same number names the same process only where both agree. */
static uint32_t host_word(void) {
    struct utsname system;
    char text[sizeof system.nodename + 64] = "";
    size_t used = 0;
    if (uname(&system) == 0) {
        used = strnlen(system.nodename, sizeof system.nodename);
        memcpy(text, system.nodename, used);
    }
    ssize_t link = readlink("/proc/self/ns/pid", text + used, 64);
    if (link > 0) used += (size_t)link;
    return (uint32_t)vf__hash_bytes(text, used);
}

/* When a process began, in the kernel's ticks since boot: process ids come round again, this does not. 0: not known.
   *ended: it has, and only its parent has not asked how (a killed process whose parent was killed too, for a while). */
static uint64_t start_of(long pid, bool *ended) {
    char path[64], text[1024];
    *ended = false;
    (void)snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    int handle = open(path, O_RDONLY | O_CLOEXEC);
    if (handle < 0) return 0;
    ssize_t size = read(handle, text, sizeof text - 1);
    (void)close(handle);
    if (size <= 0) return 0;
    text[size] = '\0';
    const char *at = strrchr(text, ')'); /* the program's name comes before, and may hold anything */
    if (at != NULL && at[1] == ' ') *ended = at[2] == 'Z' || at[2] == 'X' || at[2] == 'x';
    for (int field = 2; at != NULL && field < 22; field++)
        at = strchr(at + 1, ' ');
    return at != NULL ? strtoull(at + 1, NULL, 10) : 0;
}

void vf__temporary_name(char *out, const char *name, uint32_t serial) {
    size_t kept = strlen(name);
    if (kept > KEPT_OF_NAME)
        for (kept = KEPT_OF_NAME; kept > 0 && ((unsigned char)name[kept] & 0xc0) == 0x80;)
            kept--; /* not within a character */
    long pid = (long)getpid();
    bool ended;
    (void)snprintf(out, VF__NAME_MAX + 1, ".%.*s.%08lx-%ld-%llx-%08lx" SUFFIX, (int)kept, name,
                   (unsigned long)host_word(), pid, (unsigned long long)start_of(pid, &ended), (unsigned long)serial);
}

/* Reads digits of a base, then `after`; NULL where that is not what stands there. */
static const char *number(const char *at, int base, char after, unsigned long long *value) {
    char *end;
    if ((*at < '0' || *at > '9') && (base != 16 || *at < 'a' || *at > 'f'))
        return NULL; /* no sign, no blanks */
    errno = 0;
    *value = strtoull(at, &end, base);
    return errno == 0 && *end == after ? end + 1 : NULL;
}

enum vf_leftover vf_file_leftover(const char *name) {
    unsigned long long host, pid, start, serial;
    size_t length = name != NULL ? strlen(name) : 0, tail = sizeof SUFFIX - 1;
    if (length > VF__NAME_MAX || length <= tail || name[0] != '.' ||
        strcmp(name + length - tail, SUFFIX) != 0)
        return VF_LEFTOVER_NONE;
    size_t dot = length - tail;
    while (name[--dot] != '.') /* the first byte is one */
        ;
    if (dot == 0) return VF_LEFTOVER_NONE;
    const char *at = number(name + dot + 1, 16, '-', &host);
    if (at != NULL) at = number(at, 10, '-', &pid);
    if (at != NULL) at = number(at, 16, '-', &start);
    if (at != NULL) at = number(at, 16, '.', &serial);
    if (at != name + length - tail + 1 || pid == 0 || pid > INT32_MAX) return VF_LEFTOVER_NONE;
    if (host != host_word()) return VF_LEFTOVER_ELSEWHERE;
    if (kill((pid_t)pid, 0) != 0 && errno == ESRCH) return VF_LEFTOVER_DEAD;
    bool ended;
    uint64_t now = start_of((long)pid, &ended);
    return ended || (now != 0 && start != 0 && now != start) ? VF_LEFTOVER_DEAD : VF_LEFTOVER_LIVE;
}
