/* See horizons.h: one reading of them for forward returns and as-of look-ups.
   Not for defaults, which callers have. */
#include "mark/horizons.h"

#include <inttypes.h>
#include <stdio.h>

#define NAME_BYTES 48

enum vf_status vf__horizons_check(const int64_t *horizons_ns, size_t n, enum vf_mark_method method, bool positive,
                                  struct vf_error *err) {
    if (n == 0 || horizons_ns == NULL)
        return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "no horizon was given; one or more are needed");
    if (n > INT32_MAX) return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "%zu horizons are too many", n);
    if (method != VF_MARK_BACKWARD && method != VF_MARK_FORWARD && method != VF_MARK_NEAREST)
        return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1,
                        "method %d; backward (0), forward (1) and nearest (2) are accepted", (int)method);
    for (size_t i = 0; i < n; i++) {
        int64_t h = horizons_ns[i];
        if (positive && h <= 0)
            return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1,
                            "horizon %zu is %" PRId64 " ns; horizons greater than 0 are accepted", i + 1, h);
        for (size_t j = 0; j < i; j++)
            if (horizons_ns[j] == h)
                return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1,
                                "horizons %zu and %zu are both %" PRId64 " ns; each may be given once", j + 1,
                                i + 1, h);
    }
    return VF_OK;
}

/* Its bytes, '\0' included. */
static size_t name_of(const char *prefix, int64_t horizon_ns, char out[NAME_BYTES]) {
    uint64_t size = horizon_ns < 0 ? 0 - (uint64_t)horizon_ns : (uint64_t)horizon_ns;
    int n = snprintf(out, NAME_BYTES, "%s%s%" PRIu64 ".%09" PRIu64, prefix, horizon_ns < 0 ? "-" : "",
                     size / 1000000000, size % 1000000000);
    while (out[n - 1] == '0')
        n--;
    if (out[n - 1] == '.') n--;
    out[n] = '\0';
    return (size_t)n + 1;
}

enum vf_status vf__horizons_names(const struct vf_context *ctx, const int64_t *horizons_ns, size_t n,
                                  const char *given, const char *prefix, char **names, size_t *bytes,
                                  struct vf_error *err) {
    size_t total = 0, at = 0;
    char name[NAME_BYTES];
    for (size_t i = 0; i < n; i++)
        total += given != NULL ? strlen(given + total) + 1 : name_of(prefix, horizons_ns[i], name);
    char *out = vf__alloc(ctx, total, 1);
    if (out == NULL) return vf__fail_memory(err, total);
    if (given != NULL) memcpy(out, given, total);
    for (size_t i = 0; given == NULL && i < n; i++) {
        size_t length = name_of(prefix, horizons_ns[i], name);
        memcpy(out + at, name, length);
        at += length;
    }
    *names = out;
    *bytes = total;
    return VF_OK;
}
