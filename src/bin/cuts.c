/* See cuts.h: a binary search without a branch to mispredict (a fifth of the time of one that has it), and a radix selection of many ranks at once (Knuth,
   The Art of Computer Programming 3, 5.2.5 and 5.3.3). Not for interpolating between ranks: api_cuts.c does. */
#include "bin/cuts.h"

#define TOP ((size_t)1 << VF__RANK_TOP_BITS)
#define DIGITS ((size_t)1 << VF__RANK_BITS)

/* Values are searched eight side by side: each waits for its own loads only, and a step of all is without a branch. */
#define LANES 8

static inline void count_lanes(const double *cuts, size_t n, const double *x, bool left_closed,
                               int64_t *out) {
    uint32_t at[LANES] = {0};
    while (n > 1) {
        uint32_t half = (uint32_t)(n / 2);
        for (int i = 0; i < LANES; i++) {
            double cut = cuts[at[i] + half - 1];
            at[i] += half & (0 - (uint32_t)(left_closed ? cut <= x[i] : cut < x[i]));
        }
        n -= half;
    }
    for (int i = 0; i < LANES; i++)
        out[i] = at[i] + (n == 1 && (left_closed ? cuts[at[i]] <= x[i] : cuts[at[i]] < x[i]));
}

static inline void index_all(const double *x, size_t n, const double *cuts, size_t n_cuts, bool left_closed,
                             const uint8_t *ok, int64_t *out) {
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        count_lanes(cuts, n_cuts, x + i, left_closed, out + i);
    if (i < n) {
        double rest[LANES] = {0};
        int64_t found[LANES];
        memcpy(rest, x + i, (n - i) * sizeof *rest);
        count_lanes(cuts, n_cuts, rest, left_closed, found);
        memcpy(out + i, found, (n - i) * sizeof *out);
    }
    for (i = 0; i < n; i++)
        out[i] &= 0 - (int64_t)(ok[i] != 0);
}

void vf__cuts_index(const double *x, size_t n, const double *cuts, size_t n_cuts, bool left_closed,
                    const uint8_t *ok, int64_t *out) {
    /* a call for each side, so that each is compiled for its own */
    if (left_closed)
        index_all(x, n, cuts, n_cuts, true, ok, out);
    else
        index_all(x, n, cuts, n_cuts, false, ok, out);
}

/* ---- ranks --------------------------------------------------------------------------------------------------------- */

#define SIGN (UINT64_C(1) << 63)
#define NO_VALUE UINT64_MAX /* a NaN's bits, in order: no finite value's */

static inline uint64_t ordered(double x) {
    uint64_t bits;
    x += 0.0; /* -0 is 0 */
    memcpy(&bits, &x, sizeof bits);
    return bits & SIGN ? ~bits : bits | SIGN;
}

/* How far bits that are known after `pass` passes lie from the right. */
static inline unsigned shift_after(unsigned pass) {
    return 64 - VF__RANK_TOP_BITS - VF__RANK_BITS * (pass - 1);
}

enum vf_status vf__ranks_init(struct vf__ranks *ranks, const struct vf_context *ctx, struct vf_error *err) {
    *ranks = (struct vf__ranks){.ctx = *ctx, .n_counts = TOP};
    ranks->counts = vf__zalloc(ctx, TOP, sizeof *ranks->counts);
    return ranks->counts != NULL ? VF_OK : vf__fail_memory(err, TOP * sizeof *ranks->counts);
}

void vf__ranks_release(struct vf__ranks *ranks) {
    struct vf_context ctx = ranks->ctx;
    vf__free(&ctx, ranks->prefix, 2 * ranks->n_sought, sizeof *ranks->prefix);
    vf__free(&ctx, ranks->below, 2 * ranks->n_sought, sizeof *ranks->below);
    vf__free(&ctx, ranks->node, ranks->n_sought, sizeof *ranks->node);
    vf__free(&ctx, ranks->counts, ranks->n_counts, sizeof *ranks->counts);
    *ranks = (struct vf__ranks){.ctx = ctx};
}

/* Digits of LANES keys, counted where their bits so far are a node's. Each looks for the last node at most its own. */
static inline void count_digits(struct vf__ranks *ranks, const uint64_t *keys, unsigned shift) {
    uint32_t at[LANES] = {0};
    for (size_t n = ranks->n_nodes; n > 1;) {
        uint32_t half = (uint32_t)(n / 2);
        for (int i = 0; i < LANES; i++)
            at[i] += half & (0 - (uint32_t)(ranks->prefix[at[i] + half] <= keys[i] >> shift));
        n -= half;
    }
    for (int i = 0; i < LANES; i++)
        if (ranks->prefix[at[i]] == keys[i] >> shift)
            ranks->counts[at[i] * DIGITS + ((keys[i] >> (shift - VF__RANK_BITS)) & (DIGITS - 1))]++;
}

/* Keys of the values that count, at most LANES of them; returns how far it came. */
static inline size_t take_keys(const double *x, const uint8_t *ok, size_t from, size_t n, uint64_t *keys,
                               size_t *taken) {
    size_t i = from;
    for (*taken = 0; i < n && *taken < LANES; i++) {
        keys[*taken] = ordered(x[i]); /* overwritten unless it counts */
        *taken += ok[i] != 0;
    }
    return i;
}

void vf__ranks_add(struct vf__ranks *ranks, const double *x, const uint8_t *ok, size_t n) {
    uint64_t keys[LANES];
    size_t taken;
    for (size_t i = 0; i < n;) {
        i = take_keys(x, ok, i, n, keys, &taken);
        ranks->n += taken;
        for (size_t k = 0; k < taken; k++)
            ranks->sum += vf__mix(keys[k] + VF__RANK_BITS);
        if (ranks->pass == 0) {
            for (size_t k = 0; k < taken; k++)
                ranks->counts[keys[k] >> (64 - VF__RANK_TOP_BITS)]++;
            continue;
        }
        if (taken == LANES) {
            count_digits(ranks, keys, shift_after(ranks->pass));
            continue;
        }
        for (size_t k = taken; k-- > 0;) { /* the last few, one at a time */
            uint64_t one[LANES];
            for (size_t lane = 0; lane < LANES; lane++)
                one[lane] = lane == 0 ? keys[k] : NO_VALUE;
            count_digits(ranks, one, shift_after(ranks->pass));
        }
    }
}

bool vf__ranks_same(const struct vf__ranks *ranks) {
    return ranks->pass == 0 || (ranks->n == ranks->all_n && ranks->sum == ranks->all_sum);
}

/* The digit in which the rank lies among `counts`, and how many values have smaller ones. */
static size_t digit_of(const uint64_t *counts, size_t n_digits, uint64_t rank, uint64_t *smaller) {
    size_t digit = 0;
    for (*smaller = 0; digit + 1 < n_digits && *smaller + counts[digit] <= rank; digit++)
        *smaller += counts[digit];
    return digit;
}

/* Nodes of the next pass, from the counts of the one that ended: ranks ascend, and so do their prefixes. */
static void descend(struct vf__ranks *ranks) {
    uint64_t *prefixes = ranks->prefix + ranks->n_sought, *belows = ranks->below + ranks->n_sought;
    size_t n_nodes = 0;
    for (size_t i = 0; i < ranks->n_sought; i++) {
        size_t node = ranks->node[i]; /* 0 in the first pass, which has one set of counts */
        uint64_t below = ranks->pass > 0 ? ranks->below[node] : 0, smaller;
        size_t digit = digit_of(ranks->counts + node * DIGITS, ranks->pass > 0 ? DIGITS : TOP,
                                ranks->sought[i] - below, &smaller);
        uint64_t prefix = ranks->pass > 0 ? ranks->prefix[node] << VF__RANK_BITS | digit : digit;
        if (n_nodes == 0 || prefix != prefixes[n_nodes - 1]) {
            prefixes[n_nodes] = prefix;
            belows[n_nodes++] = below + smaller;
        }
        ranks->node[i] = (uint32_t)(n_nodes - 1);
    }
    memcpy(ranks->prefix, prefixes, n_nodes * sizeof *prefixes);
    memcpy(ranks->below, belows, n_nodes * sizeof *belows);
    ranks->n_nodes = n_nodes;
    ranks->pass++;
}

static enum vf_status seek(struct vf__ranks *ranks, const uint64_t *sought, size_t n, struct vf_error *err) {
    ranks->prefix = vf__alloc(&ranks->ctx, 2 * n, sizeof *ranks->prefix);
    ranks->below = vf__alloc(&ranks->ctx, 2 * n, sizeof *ranks->below);
    ranks->node = vf__zalloc(&ranks->ctx, n, sizeof *ranks->node);
    ranks->sought = sought;
    ranks->n_sought = n;
    ranks->all_n = ranks->n;
    ranks->all_sum = ranks->sum;
    if (ranks->prefix != NULL && ranks->below != NULL && ranks->node != NULL) return VF_OK;
    return vf__fail_memory(err, n * (4 * sizeof *ranks->prefix + sizeof *ranks->node));
}

enum vf_status vf__ranks_next(struct vf__ranks *ranks, const uint64_t *sought, size_t n,
                              struct vf_error *err) {
    enum vf_status status = ranks->pass == 0 ? seek(ranks, sought, n, err) : VF_OK;
    if (status != VF_OK) return status;
    descend(ranks);
    vf__free(&ranks->ctx, ranks->counts, ranks->n_counts, sizeof *ranks->counts);
    ranks->n_counts = ranks->pass < VF__RANK_PASSES ? ranks->n_nodes * DIGITS : 0;
    ranks->counts = vf__zalloc(&ranks->ctx, ranks->n_counts, sizeof *ranks->counts);
    if (ranks->counts == NULL) return vf__fail_memory(err, ranks->n_counts * sizeof *ranks->counts);
    ranks->n = 0;
    ranks->sum = 0;
    return VF_OK;
}

double vf__ranks_value(const struct vf__ranks *ranks, size_t i) {
    uint64_t key = ranks->prefix[ranks->node[i]];
    double x;
    key = key & SIGN ? key ^ SIGN : ~key;
    memcpy(&x, &key, sizeof x);
    return x;
}
