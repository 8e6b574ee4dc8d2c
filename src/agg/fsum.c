/* The window's moves and the long accumulator behind it; see fsum.h.
   Not the fast path: that one is inline in the header. */
#include "agg/fsum.h"

#include <math.h>

/* A new window lies so that its first value has 2^30 below it and the rest of 128 bits above. */
#define ROOM_BELOW 30
#define MOST_BITS 126  /* of a value in the window */
#define MOVED_BITS 118 /* of what a moved window holds: leaves room to add */

void vf__spills_init(struct vf__spills *spills, const struct vf_context *ctx) {
    *spills = (struct vf__spills){.ctx = *ctx};
}

void vf__spills_release(struct vf__spills *spills) {
    vf__free(&spills->ctx, spills->words, spills->capacity, sizeof *spills->words);
    spills->words = NULL;
    spills->n = spills->capacity = 0;
}

/* ---- 128-bit pieces -------------------------------------------------------------------------------------------- */

/* Without the sign: 0 for 0 and -1. */
static int bits_of(struct vf__wide v) {
    if (vf__wide_negative(v)) v = (struct vf__wide){~v.lo, ~v.hi};
    return v.hi != 0 ? 65 + vf__top_bit(v.hi) : 1 + vf__top_bit(v.lo);
}

/* Of a value that is not zero. */
static int zeros_below(struct vf__wide v) {
    uint64_t word = v.lo != 0 ? v.lo : v.hi;
    return (v.lo != 0 ? 0 : 64) + vf__top_bit(word & (~word + 1));
}

static struct vf__wide shift_left(struct vf__wide v, int by) {
    if (by == 0) return v;
    if (by >= 64) return (struct vf__wide){0, v.lo << (by - 64)};
    return (struct vf__wide){v.lo << by, v.hi << by | v.lo >> (64 - by)};
}

/* Arithmetic: the sign moves in. */
static struct vf__wide shift_right(struct vf__wide v, int by) {
    uint64_t sign = vf__wide_negative(v) ? UINT64_MAX : 0;
    if (by == 0) return v;
    if (by >= 64) {
        uint64_t top = by == 64 ? 0 : sign << (128 - by);
        return (struct vf__wide){by == 64 ? v.hi : v.hi >> (by - 64) | top, sign};
    }
    return (struct vf__wide){v.lo >> by | v.hi << (64 - by), v.hi >> by | sign << (64 - by)};
}

/* ---- the window -------------------------------------------------------------------------------------------------- */

static int clamp_base(int base) {
    return base < 1 ? 1 : base > VF__FSUM_TOP_BASE ? VF__FSUM_TOP_BASE : base;
}

static bool place_first(struct vf__fsum *sum, struct vf__wide v, int base) {
    int below = MOST_BITS - 20 - bits_of(v);
    if (below > ROOM_BELOW) below = ROOM_BELOW;
    int window = clamp_base(base - (below > 0 ? below : 0));
    if (window > base || bits_of(v) + base - window > MOST_BITS) return false;
    v = shift_left(v, base - window);
    sum->lo = v.lo;
    sum->hi = v.hi;
    sum->base = (uint16_t)window;
    return true;
}

/* Adds v * 2^base within the window, which may move. False, and no change, where the bits do not fit. */
static bool place(struct vf__fsum *sum, struct vf__wide v, int base) {
    struct vf__wide a = {sum->lo, sum->hi}, total;
    int window = sum->base;
    if (vf__wide_zero(v)) return true;
    if (vf__wide_zero(a)) return place_first(sum, v, base);
    if (base < window) {
        int down = window - base;
        if (down <= zeros_below(v)) {
            v = shift_right(v, down);
        } else {
            int room = MOVED_BITS - bits_of(a) - down;
            if (room < 0) return false;
            int more = room < 8 ? room : 8;
            if (more > base - 1) more = base - 1;
            if (more > MOST_BITS - bits_of(v)) more = bits_of(v) < MOST_BITS ? MOST_BITS - bits_of(v) : 0;
            a = shift_left(a, down + more);
            v = shift_left(v, more);
            window = base - more;
        }
    } else {
        int up = bits_of(v) + base - window - MOST_BITS;
        if (up > 0) {
            up += MOST_BITS - MOVED_BITS;
            if (up > zeros_below(a) || up > base - window || window + up > VF__FSUM_TOP_BASE) return false;
            a = shift_right(a, up);
            window += up;
        }
        v = shift_left(v, base - window);
    }
    if (!vf__wide_add(a, v, &total)) return false;
    sum->lo = total.lo;
    sum->hi = total.hi;
    sum->base = (uint16_t)window;
    return true;
}

/* ---- the long accumulator ------------------------------------------------------------------------------------------ */

static bool reserve(struct vf__fsum *sum, struct vf__spills *spills, bool grow) {
    if (sum->spill != 0) return true;
    if (!grow || spills->n == UINT32_MAX) return false;
    if (spills->n == spills->capacity) {
        uint32_t capacity = spills->capacity < 8 ? 8 : spills->capacity + spills->capacity / 2;
        if (capacity < spills->capacity) capacity = UINT32_MAX;
        void *words =
            vf__resize(&spills->ctx, spills->words, spills->capacity, capacity, sizeof *spills->words);
        if (words == NULL) return false;
        spills->words = words;
        spills->capacity = capacity;
    }
    memset(spills->words[spills->n], 0, sizeof *spills->words);
    sum->spill = ++spills->n;
    return true;
}

static bool add_scaled(struct vf__fsum *sum, struct vf__wide v, int base, struct vf__spills *spills,
                       bool grow) {
    if (place(sum, v, base)) return true;
    if (!reserve(sum, spills, grow)) return false;
    uint64_t *words = spills->words[sum->spill - 1];
    struct vf__wide window = {sum->lo, sum->hi};
    if (!vf__wide_zero(window)) vf__fixed_add(words, VF__FIXED_WORDS, window, sum->base - 1u);
    vf__fixed_add(words, VF__FIXED_WORDS, v, (unsigned)(base - 1));
    sum->lo = sum->hi = 0;
    sum->base = (uint16_t)clamp_base(base - ROOM_BELOW); /* the next values are likely like this one */
    return true;
}

bool vf__fsum_add_slow(struct vf__fsum *sum, double x, struct vf__spills *spills) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    int exponent = (int)(bits >> 52 & 0x7ff);
    uint64_t m = bits & UINT64_C(0xfffffffffffff);
    bool minus = (bits >> 63) != 0;
    if (exponent == 0x7ff) {
        sum->flags |= m != 0 ? VF__FSUM_NAN : minus ? VF__FSUM_MINUS_INF : VF__FSUM_PLUS_INF;
        return true;
    }
    if (exponent == 0)
        exponent = 1;
    else
        m |= UINT64_C(1) << 52;
    struct vf__wide v = {m, 0};
    return add_scaled(sum, minus ? vf__wide_negate(v) : v, exponent, spills, true);
}

bool vf__fsum_merge(struct vf__fsum *sum, struct vf__spills *spills, bool grow, const struct vf__fsum *from,
                    const struct vf__spills *from_spills) {
    if (from->spill != 0 && !reserve(sum, spills, grow)) return false;
    if (!add_scaled(sum, (struct vf__wide){from->lo, from->hi}, from->base, spills, grow)) return false;
    sum->flags |= from->flags;
    if (from->spill == 0) return true;
    const uint64_t *more = from_spills->words[from->spill - 1];
    uint64_t *words = spills->words[sum->spill - 1], carry = 0;
    for (size_t i = 0; i < VF__FIXED_WORDS; i++) {
        uint64_t with = words[i] + carry, total = with + more[i];
        carry = (with < carry) | (total < with);
        words[i] = total;
    }
    return true;
}

void vf__fsum_clear(struct vf__fsum *sum, struct vf__spills *spills) {
    if (sum->spill != 0) memset(spills->words[sum->spill - 1], 0, sizeof *spills->words);
    sum->lo = sum->hi = 0;
    sum->flags = 0;
    sum->base = VF__FSUM_NO_BASE;
}

/* ---- what it comes to ------------------------------------------------------------------------------------------------ */

struct total {
    uint64_t words[VF__FIXED_WORDS];
    size_t n;
    int exponent; /* of bit 0 */
};

static void total_of(const struct vf__fsum *sum, const struct vf__spills *spills, struct total *t) {
    struct vf__wide window = {sum->lo, sum->hi};
    if (sum->spill == 0) {
        t->n = 3; /* one word more than the window: rounding up may need a bit */
        t->words[0] = window.lo;
        t->words[1] = window.hi;
        t->words[2] = vf__wide_negative(window) ? UINT64_MAX : 0;
        t->exponent = vf__wide_zero(window) ? 0 : sum->base - 1075;
        return;
    }
    t->n = VF__FIXED_WORDS;
    t->exponent = VF__FIXED_EXPONENT;
    memcpy(t->words, spills->words[sum->spill - 1], sizeof t->words);
    if (!vf__wide_zero(window)) vf__fixed_add(t->words, t->n, window, sum->base - 1u);
}

static bool special(const struct vf__fsum *sum, double *value) {
    unsigned infinities = sum->flags & (VF__FSUM_PLUS_INF | VF__FSUM_MINUS_INF);
    if (sum->flags == 0) return false;
    if ((sum->flags & VF__FSUM_NAN) != 0 || infinities == (VF__FSUM_PLUS_INF | VF__FSUM_MINUS_INF))
        *value = (double)NAN;
    else
        *value = infinities == VF__FSUM_PLUS_INF ? (double)INFINITY : -(double)INFINITY;
    return true;
}

double vf__fsum_value(const struct vf__fsum *sum, const struct vf__spills *spills) {
    struct total t;
    double value;
    if (special(sum, &value)) return value;
    total_of(sum, spills, &t);
    return vf__fixed_round(t.words, t.n, t.exponent);
}

double vf__fsum_mean(const struct vf__fsum *sum, const struct vf__spills *spills, uint64_t n) {
    struct total t;
    double value;
    if (special(sum, &value)) return value;
    total_of(sum, spills, &t);
    return vf__fixed_divide(t.words, t.n, t.exponent, n);
}

void vf__fsum_split(const struct vf__fsum *sum, const struct vf__spills *spills, double *hi, double *lo) {
    struct total t;
    *lo = 0.0;
    if (special(sum, hi)) return;
    total_of(sum, spills, &t);
    *hi = vf__fixed_round(t.words, t.n, t.exponent);
    if (isinf(*hi)) *lo = vf__fixed_round(t.words, t.n, t.exponent - VF__FSUM_DOWN);
    if (*hi == 0.0 || isinf(*hi)) return;
    uint64_t bits;
    memcpy(&bits, hi, sizeof bits);
    int exponent = (int)(bits >> 52 & 0x7ff);
    uint64_t m = (bits & UINT64_C(0xfffffffffffff)) | (uint64_t)(exponent != 0) << 52;
    int shift = (exponent != 0 ? exponent : 1) - 1075 - t.exponent;
    if (shift < 0) { /* hi is a multiple of bit 0: only zeros go */
        m >>= -shift;
        shift = 0;
    }
    struct vf__wide minus = {m, 0};
    if (bits >> 63 == 0) minus = vf__wide_negate(minus);
    vf__fixed_add(t.words, t.n, minus, (unsigned)shift);
    *lo = vf__fixed_round(t.words, t.n, t.exponent);
    if (*hi + *lo != *hi)
        *lo = nextafter(*lo, 0.0); /* rounded up to half a unit of hi: the pair would be another sum */
}

/* lo * 2^VF__FSUM_DOWN: more than a window holds. */
static bool join_large(struct vf__fsum *sum, double lo, struct vf__spills *spills) {
    uint64_t bits;
    memcpy(&bits, &lo, sizeof bits);
    unsigned exponent = (unsigned)(bits >> 52 & 0x7ff);
    struct vf__wide v = {(bits & UINT64_C(0xfffffffffffff)) | (uint64_t)(exponent != 0) << 52, 0};
    if (!reserve(sum, spills, true)) return false;
    if (exponent == 0) exponent = 1;
    vf__fixed_add(spills->words[sum->spill - 1], VF__FIXED_WORDS, bits >> 63 != 0 ? vf__wide_negate(v) : v,
                  exponent - 1 + VF__FSUM_DOWN);
    return true;
}

bool vf__fsum_join(struct vf__fsum *sum, double hi, double lo, struct vf__spills *spills) {
    struct vf__fsum before = *sum;
    if (isinf(hi) && lo != 0.0 && isfinite(lo)) return join_large(sum, lo, spills);
    if (!vf__fsum_add(sum, hi, spills)) return false;
    if (vf__fsum_add(sum, lo, spills)) return true;
    /* no memory for lo: hi did not need the long accumulator, so that the window alone goes back */
    *sum = before;
    return false;
}
