/* When a value is a side that was listed: the same for FIFO and for signs. Not for columns of them: match/api_sides.c, mark/api_returns.c. */
#ifndef VF_BASE_SIDE_H
#define VF_BASE_SIDE_H

#include "base/base.h"

static inline bool vf__is_letter(uint8_t c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}
static inline uint8_t vf__small(uint8_t c) {
    return vf__is_letter(c) ? c | 0x20 : c;
}

/* Equal texts, large and small letters (of ASCII) being the same. */
static inline bool vf__same_letters(const uint8_t *a, size_t a_length, const uint8_t *b, size_t b_length) {
    if (a_length != b_length) return false;
    for (size_t i = 0; i < a_length; i++)
        if (vf__small(a[i]) != vf__small(b[i])) return false;
    return true;
}

static inline bool vf__same_number(double x, int64_t integer) {
    return x == (double)integer && (integer >= 0 ? integer : -(integer + 1)) < INT64_C(1) << 53;
}

#endif
