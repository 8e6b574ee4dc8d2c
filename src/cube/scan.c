/* Minima, maxima, firsts, lasts and products of a cube: what cannot be taken back out of a sum.
   Not for finding the cells, which the layouts do. */
#include "cube/cube.h"

#include "agg/states.h"

size_t vf__cube_scan_words(enum vf__cube_scan_kind kind) {
    if (kind == VF__SCAN_PRODUCT_FLOAT) return 3;
    return kind == VF__SCAN_FIRST || kind == VF__SCAN_LAST ? 2 : 1;
}

static double as_double(int64_t bits) {
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static int64_t as_bits(double x) {
    int64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* a *= b: hi, lo and exponent. */
static void multiply(int64_t *a, const int64_t *b) {
    struct vf__float_product p = {.hi = as_double(a[0]), .lo = as_double(a[1]), .exponent = a[2], .some = 1};
    vf__float_multiply(&p, as_double(b[0]), as_double(b[1]), b[2]);
    a[0] = as_bits(p.hi);
    a[1] = as_bits(p.lo);
    a[2] = p.exponent;
}

static bool is_zero(const struct vf__cube_best *value) {
    return value->tag == VF__TAG_VALUE && value->words[0] == 0;
}

/* The later value joins what is there. */
static void join(enum vf__cube_scan_kind kind, struct vf__cube_best *best,
                 const struct vf__cube_best *value) {
    bool take = false;
    if (value->tag == VF__TAG_EMPTY) return;
    if (best->tag == VF__TAG_EMPTY) {
        *best = *value;
        return;
    }
    switch (kind) {
    case VF__SCAN_MIN:
        take = value->tag == VF__TAG_VALUE && (best->tag == VF__TAG_NAN || value->words[0] < best->words[0]);
        break;
    case VF__SCAN_MAX:
        take = value->tag == VF__TAG_VALUE && (best->tag == VF__TAG_NAN || value->words[0] > best->words[0]);
        break;
    case VF__SCAN_FIRST:
        take =
            value->place < best->place || (value->place == best->place && value->words[1] < best->words[1]);
        break;
    case VF__SCAN_LAST: /* of equal order the one that comes later */
        take =
            value->place > best->place || (value->place == best->place && value->words[1] >= best->words[1]);
        break;
    case VF__SCAN_PRODUCT_INT:
        if (is_zero(best) || is_zero(value)) /* whatever left int64 before */
            *best = (struct vf__cube_best){.place = best->place, .tag = VF__TAG_VALUE};
        else if (value->tag == VF__TAG_OVERFLOW || best->tag == VF__TAG_OVERFLOW ||
                 !vf__mul_i64(best->words[0], value->words[0], &best->words[0]))
            best->tag = VF__TAG_OVERFLOW;
        break;
    case VF__SCAN_PRODUCT_FLOAT:
        multiply(best->words, value->words);
        break;
    }
    if (take) *best = *value;
}

struct vf__cube_best vf__cube_scan_at(const struct vf__cube_scan *scan, size_t row, uint32_t place) {
    struct vf__cube_best at = {.place = place, .tag = scan->tags[row]};
    for (size_t w = 0; w < VF__SCAN_WORDS && scan->words[w] != NULL; w++)
        at.words[w] = scan->words[w][row];
    return at;
}

void vf__cube_scan_add(const struct vf__cube_scan *scan, struct vf__cube_best *best, size_t row,
                       uint32_t place) {
    if (scan->tags[row] == VF__TAG_EMPTY) return;
    struct vf__cube_best value = vf__cube_scan_at(scan, row, place);
    join(scan->kind, best, &value);
}

void vf__cube_scan_put(const struct vf__cube_scan *scan, size_t row, const struct vf__cube_best *value) {
    struct vf__cube_best best = vf__cube_scan_at(scan, row, value->place);
    join(scan->kind, &best, value);
    scan->tags[row] = best.tag;
    for (size_t w = 0; w < VF__SCAN_WORDS && scan->words[w] != NULL; w++)
        scan->words[w][row] = best.words[w];
}
