/* Carries, long division and correct rounding of long integers; see fixed.h.
   Not fast, and need not be: it runs once a group, or when a sum leaves its window. */
#include "agg/fixed.h"

#include <math.h>

#define MOST_WORDS (VF__FIXED_WORDS + 2)

void vf__fixed_add(uint64_t *words, size_t n, struct vf__wide value, unsigned shift) {
    unsigned bit = shift & 63;
    uint64_t above = vf__wide_negative(value) ? UINT64_MAX : 0;
    uint64_t part[3] = {value.lo << bit, value.hi << bit, above << bit};
    if (bit != 0) {
        part[1] |= value.lo >> (64 - bit);
        part[2] |= value.hi >> (64 - bit);
    } else {
        part[2] = above;
    }
    uint64_t carry = 0;
    for (size_t at = shift / 64, k = 0; at < n; at++, k++) {
        uint64_t add = k < 3 ? part[k] : above;
        if (k >= 3 && add + carry == 0) break; /* nothing changes from here on */
        uint64_t with = words[at] + carry;
        uint64_t sum = with + add;
        carry = (with < carry) | (sum < add);
        words[at] = sum;
    }
}

/* Absolute value; true when negative. */
static bool magnitude(const uint64_t *words, size_t n, uint64_t *out) {
    bool negative = (words[n - 1] >> 63) != 0;
    uint64_t carry = negative, flip = negative ? UINT64_MAX : 0;
    for (size_t i = 0; i < n; i++) {
        out[i] = (words[i] ^ flip) + carry;
        carry = carry && out[i] == 0;
    }
    return negative;
}

static int top_bit(const uint64_t *m, size_t n) {
    while (n > 0 && m[n - 1] == 0)
        n--;
    return n == 0 ? -1 : (int)(n - 1) * 64 + vf__top_bit(m[n - 1]);
}

/* 64 bits from bit `at` on. */
static uint64_t bits_from(const uint64_t *m, size_t n, int at) {
    size_t word = (size_t)at / 64;
    unsigned bit = (unsigned)at % 64;
    if (word >= n) return 0;
    uint64_t low = m[word] >> bit;
    return bit != 0 && word + 1 < n ? low | m[word + 1] << (64 - bit) : low;
}

static bool any_below(const uint64_t *m, int at) {
    int word = at / 64;
    for (int i = 0; i < word; i++)
        if (m[i] != 0) return true;
    return at % 64 != 0 && m[word] << (64 - at % 64) != 0;
}

/* rest: something follows below bit 0 (only where the number is longer than a double's 53 bits). */
static double round_magnitude(const uint64_t *m, size_t n, int exponent, bool negative, bool rest) {
    int top = top_bit(m, n);
    if (top < 0) return 0.0;
    int cut = top - 52; /* the lowest bit that stays */
    if (cut + exponent < VF__FIXED_EXPONENT) cut = VF__FIXED_EXPONENT - exponent;
    if (cut < 0) cut = 0;
    uint64_t kept = cut > top ? 0 : bits_from(m, n, cut);
    if (cut > 0 && cut <= top + 1 && (bits_from(m, n, cut - 1) & 1) != 0) {
        bool above_half = rest || any_below(m, cut - 1);
        kept += above_half || (kept & 1) != 0;
    }
    double value = ldexp((double)kept, cut + exponent);
    return negative ? -value : value;
}

double vf__fixed_round(const uint64_t *words, size_t n, int exponent) {
    uint64_t m[MOST_WORDS];
    bool negative = magnitude(words, n, m);
    return round_magnitude(m, n, exponent, negative, false);
}

/* m /= divisor, giving the rest. Short division by halves of words, or, for a divisor past 32 bits, bit by bit. */
static uint64_t divide(uint64_t *m, size_t n, uint64_t divisor) {
    uint64_t rest = 0;
    for (size_t i = n; i-- > 0;) {
        uint64_t word = m[i], quotient = 0;
        if (divisor <= UINT32_MAX) {
            uint64_t high = rest << 32 | word >> 32;
            uint64_t low = (high % divisor) << 32 | (word & UINT32_MAX);
            quotient = (high / divisor) << 32 | low / divisor;
            rest = low % divisor;
        } else {
            for (int bit = 63; bit >= 0; bit--) {
                bool carried = (rest >> 63) != 0;
                rest = rest << 1 | (word >> bit & 1);
                bool fits = carried || rest >= divisor;
                if (fits) rest -= divisor;
                quotient = quotient << 1 | fits;
            }
        }
        m[i] = quotient;
    }
    return rest;
}

double vf__fixed_divide(const uint64_t *words, size_t n, int exponent, uint64_t divisor) {
    uint64_t m[MOST_WORDS] = {0}; /* two empty words below: the quotient keeps at least 64 bits */
    bool negative = magnitude(words, n, m + 2);
    size_t length = n + 2;
    while (length > 2 && m[length - 1] == 0)
        length--;
    uint64_t rest = divide(m, length, divisor);
    return round_magnitude(m, length, exponent - 128, negative, rest != 0);
}

int64_t vf__wide_divide(struct vf__wide value, uint64_t divisor) {
    bool negative = vf__wide_negative(value);
    if (negative) value = vf__wide_negate(value);
    uint64_t m[2] = {value.lo, value.hi};
    (void)divide(m, 2, divisor);
    return (int64_t)(negative ? ~m[0] + 1 : m[0]);
}
