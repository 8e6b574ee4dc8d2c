/* Status names and the one place where an error message is written.
   Not for wording: each caller words its own, since only it knows what would have been accepted. */
#include "base/base.h"

#include <stdio.h>
#include <stdlib.h>

const char *vf_status_name(enum vf_status status) {
    switch (status) {
#define NAME(name, value, text)                                                                              \
    case VF_##name:                                                                                          \
        return #name;
        VF_STATUS_MAP(NAME)
#undef NAME
    }
    return "UNKNOWN";
}

const char *vf_status_text(enum vf_status status) {
    switch (status) {
#define TEXT(name, value, text)                                                                              \
    case VF_##name:                                                                                          \
        return text;
        VF_STATUS_MAP(TEXT)
#undef TEXT
    }
    return "unknown status";
}

/* Length of the UTF-8 sequence at `s`, which ends with '\0'; 0 when it is not one. */
static size_t sequence(const unsigned char *s) {
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = s[0] < 0x80           ? 1
               : (s[0] >> 5) == 0x6  ? 2
               : (s[0] >> 4) == 0xe  ? 3
               : (s[0] >> 3) == 0x1e ? 4
                                     : 0;
    if (n <= 1) return n;
    uint32_t code = s[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80) return 0; /* the '\0' too: never read past it */
        code = code << 6 | (s[i] & 0x3fu);
    }
    return code < least[n] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff) ? 0 : n;
}

void vf__tidy(char *text) {
    for (unsigned char *s = (unsigned char *)text; *s != '\0';) {
        size_t n = sequence(s);
        if (n == 0)
            *s = '?';
        else if (*s < 0x20 || *s == 0x7f)
            *s = ' ';
        s += n != 0 ? n : 1;
    }
}

enum vf_status vf__fail(struct vf_error *err, enum vf_status code, const char *column, int64_t row,
                        const char *format, ...) {
    if (err == NULL) return code;
    err->code = code;
    err->row = row;
    err->count = 1;
    (void)snprintf(err->column, sizeof err->column, "%s", column != NULL ? column : "");
    va_list args;
    va_start(args, format);
    (void)vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    vf__tidy(err->column);
    vf__tidy(err->message);
    return code;
}

void vf__fail_from(struct vf_error *err, int64_t first_row) {
    if (err == NULL || err->row < 0) return;
    err->row += first_row;
    size_t used = strlen(err->message);
    (void)snprintf(err->message + used, sizeof err->message - used, " (row %lld)", (long long)err->row);
}

enum vf_status vf__fail_memory(struct vf_error *err, size_t bytes) {
    return vf__fail(err, VF_ERROR_MEMORY, NULL, -1, "out of memory: %zu more bytes were asked for", bytes);
}

struct vf__number vf__number(double x) {
    struct vf__number number;
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(number.text, sizeof number.text, "%.*g", digits, x);
        if (strtod(number.text, NULL) == x) break;
    }
    return number;
}
