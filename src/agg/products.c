/* Products: of integers as far as they fit, of doubles with 106 bits and an exponent that cannot overflow.
   Not for sums. Float products are the one state whose bits depend on the order of the rows. */
#include "agg/loops.h"

#include <math.h>

/* ---- integers --------------------------------------------------------------------------------------------------- */

static bool multiply_size(uint64_t a, uint64_t b, uint64_t *out) {
#if defined(__GNUC__) || defined(__clang__)
    return !__builtin_mul_overflow(a, b, out);
#else
    if (a != 0 && b > UINT64_MAX / a) return false;
    *out = a * b;
    return true;
#endif
}

/* Factors that are not zero only make the size larger: once too large, it stays so. */
static void multiply_int(struct vf__int_product *p, uint64_t size, uint64_t flags) {
    uint64_t product = p->size_less_1 + 1;
    p->flags ^= flags & VF__PRODUCT_MINUS;
    p->flags |= flags & ~(uint64_t)VF__PRODUCT_MINUS;
    if (size == 0)
        p->flags |= VF__PRODUCT_ZERO;
    else if (!multiply_size(product, size, &product))
        p->flags |= VF__PRODUCT_TOO_LARGE;
    else
        p->size_less_1 = product - 1;
}

static bool int_product_update(struct vf__run r, const struct vf__state_block *b, struct vf__spills *spills) {
    (void)spills;
    for (size_t i = 0; i < r.n; i++) {
        uint64_t v = (uint64_t)b->ints[i];
        bool minus = v >> 63 != 0;
        if (vf__row_valid(r.valid, i))
            multiply_int(vf__state_at(&r, i), minus ? UINT64_C(0) - v : v, minus ? VF__PRODUCT_MINUS : 0);
    }
    return true;
}

static bool uint_product_update(struct vf__run r, const struct vf__state_block *b,
                                struct vf__spills *spills) {
    (void)spills;
    for (size_t i = 0; i < r.n; i++)
        if (vf__row_valid(r.valid, i)) multiply_int(vf__state_at(&r, i), (uint64_t)b->ints[i], 0);
    return true;
}

static bool int_product_merge(void *to, const void *from, const struct vf__merging *how) {
    const struct vf__int_product *other = from;
    (void)how;
    multiply_int(to, other->size_less_1 + 1, other->flags);
    return true;
}

bool vf__int_product_value(const struct vf__int_product *product, int64_t *value) {
    uint64_t size = product->size_less_1 + 1;
    bool minus = (product->flags & VF__PRODUCT_MINUS) != 0;
    *value = 0;
    if ((product->flags & VF__PRODUCT_ZERO) != 0) return true;
    *value = (int64_t)(minus ? UINT64_C(0) - size : size);
    return (product->flags & VF__PRODUCT_TOO_LARGE) == 0 && size <= (uint64_t)INT64_MAX + minus;
}

/* ---- doubles ------------------------------------------------------------------------------------------------------ */

#define MOST_EXPONENT                                                                                        \
    (INT64_C(1) << 60) /* more than any number of rows reaches, but a damaged file may hold more */

static int64_t bounded(int64_t exponent) {
    return exponent > MOST_EXPONENT ? MOST_EXPONENT : exponent < -MOST_EXPONENT ? -MOST_EXPONENT : exponent;
}

static bool special(double x) {
    return x == 0.0 || !isfinite(x);
}

/* Double-double arithmetic, the product's fraction kept in [0.5, 1). */
void vf__float_multiply(struct vf__float_product *p, double hi, double lo, int64_t exponent) {
    int shift;
    if (p->some == 0) *p = (struct vf__float_product){.hi = 0.5, .exponent = 1, .some = 1};
    if (special(p->hi) || special(hi)) {
        p->hi *= hi;
        p->lo = 0.0;
        p->exponent = 0;
        return;
    }
    hi = frexp(hi, &shift);
    lo = ldexp(lo, -shift);
    exponent = bounded(exponent) + shift;
    double high = p->hi * hi;
    double low = fma(p->hi, hi, -high) + (p->hi * lo + p->lo * hi);
    double sum = high + low;
    low -= sum - high;
    p->hi = frexp(sum, &shift);
    p->lo = ldexp(low, -shift);
    p->exponent = bounded(exponent + bounded(p->exponent) + shift);
}

static bool float_product_update(struct vf__run r, const struct vf__state_block *b,
                                 struct vf__spills *spills) {
    (void)spills;
    for (size_t i = 0; i < r.n; i++)
        if (vf__row_valid(r.valid, i)) vf__float_multiply(vf__state_at(&r, i), b->floats[i], 0.0, 0);
    return true;
}

static bool parts_product_update(struct vf__run r, const struct vf__state_block *b,
                                 struct vf__spills *spills) {
    (void)spills;
    for (size_t i = 0; i < r.n; i++) {
        bool all = vf__row_valid(r.valid, i) && vf__row_valid(b->more[0].valid, i) &&
                   vf__row_valid(b->more[1].valid, i);
        if (all)
            vf__float_multiply(vf__state_at(&r, i), b->floats[i], b->more[0].floats[i], b->more[1].ints[i]);
    }
    return true;
}

static bool float_product_merge(void *to, const void *from, const struct vf__merging *how) {
    const struct vf__float_product *other = from;
    (void)how;
    if (other->some != 0) vf__float_multiply(to, other->hi, other->lo, other->exponent);
    return true;
}

double vf__float_product_value(const struct vf__float_product *product) {
    int64_t e = product->exponent;
    if (product->some == 0) return 1.0;
    return special(product->hi) ? product->hi
                                : ldexp(product->hi, e > 4096    ? 4096
                                                     : e < -4096 ? -4096
                                                                 : (int)e);
}

void vf__float_product_parts(const struct vf__float_product *product, double *hi, double *lo,
                             int64_t *exponent) {
    bool some = product->some != 0;
    *hi = some ? product->hi : 0.5;
    *lo = some ? product->lo : 0.0;
    *exponent = some ? product->exponent : 1;
}

/* ---- the kinds ---- */

const struct vf__state_kind vf__int_product_kind = {
    sizeof(struct vf__int_product), VF__START_ZERO, int_product_update, int_product_merge, VF__READS_INTS,
    {0}};
const struct vf__state_kind vf__uint_product_kind = {
    sizeof(struct vf__int_product), VF__START_ZERO, uint_product_update, int_product_merge, VF__READS_INTS,
    {0}};
const struct vf__state_kind vf__float_product_kind = {
    sizeof(struct vf__float_product), VF__START_ZERO, float_product_update, float_product_merge, VF__READS_FLOATS,
    {0}};
const struct vf__state_kind vf__parts_product_kind = {
    sizeof(struct vf__float_product), VF__START_ZERO, parts_product_update, float_product_merge, VF__READS_FLOATS,
    {VF__READS_FLOATS, VF__READS_INTS}};
