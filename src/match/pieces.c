/* Reads the pieces of rows, and makes columns of them; see pieces.h. Not for the batch that the rows are in. */
#include "match/pieces.h"

#include <math.h>

#define NONE VF__MATCH_NONE

/* ---- tapes ------------------------------------------------------------------------------------------------------ */

void vf__tapes_release(struct vf__tapes *tapes) {
    if (tapes->spill != NULL) vf__free(&tapes->ctx, tapes->spill, tapes->spill_bytes + VF__SLAB_PAD, 1);
    if (tapes->large != NULL) vf__free(&tapes->ctx, tapes->large, tapes->large_room, sizeof *tapes->large);
    if (tapes->tape != NULL) vf__free(&tapes->ctx, tapes->tape, tapes->n, sizeof *tapes->tape);
    *tapes = (struct vf__tapes){0};
}

void vf__tapes_rewind(struct vf__tapes *tapes) {
    for (size_t g = 0; g < tapes->n; g++) {
        vf__tape_start(&tapes->tape[g], tapes->stride);
        tapes->tape[g].read = 0;
    }
}

/* How many pieces the next row has: those that it closed, and those that it opened. */
static inline void read_head(struct vf__tape *tape, size_t stride, uint32_t *closed, uint32_t *opened) {
    uint32_t head;
    memcpy(&head, vf__tape_take(tape, stride, sizeof head), sizeof head);
    *closed = head & VF__TAPE_FEW;
    *opened = head >> 16;
    if (VF__LIKELY(head != VF__TAPE_WIDE)) return;
    const uint8_t *at = vf__tape_take(tape, stride, 2 * sizeof head);
    memcpy(closed, at, sizeof *closed);
    memcpy(opened, at + sizeof *closed, sizeof *opened);
}

/* Only forwards can be read: so from the start again. */
static void look_for(const struct vf__tapes *tapes, struct vf__tape *tape) {
    size_t piece = vf__tape_piece(tapes->form);
    vf__tape_start(tape, tapes->stride);
    for (uint32_t row = 0, closed, opened; row < tape->read; row++) {
        read_head(tape, tapes->stride, &closed, &opened);
        for (size_t k = (size_t)closed + opened; k > 0; k--)
            (void)vf__tape_take(tape, tapes->stride, piece);
    }
}

void vf__tapes_unread(struct vf__tapes *tapes, const uint32_t *group, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (group[i] >= tapes->n) continue;
        tapes->tape[group[i]].read--;
        tapes->tape[group[i]].at = NULL;
    }
    for (size_t i = 0; i < n; i++)
        if (group[i] < tapes->n && tapes->tape[group[i]].at == NULL) look_for(tapes, &tapes->tape[group[i]]);
}

/* ---- reading ---------------------------------------------------------------------------------------------------- */

void vf__pieces_init(struct vf__pieces *pieces, const struct vf_context *ctx, bool timed, bool rows) {
    *pieces = (struct vf__pieces){.ctx = *ctx, .timed = timed, .rows = rows};
}

static void drop(struct vf__pieces *p) {
    vf__free(&p->ctx, p->opener, p->room, sizeof *p->opener);
    vf__free(&p->ctx, p->closer, p->room, sizeof *p->closer);
    vf__free(&p->ctx, p->quantity, p->room, sizeof *p->quantity);
    vf__free(&p->ctx, p->held, p->timed ? p->room : 0, sizeof *p->held);
    vf__free(&p->ctx, p->row, p->rows ? p->room : 0, sizeof *p->row);
    vf__free(&p->ctx, p->word, p->room, sizeof *p->word);
}

void vf__pieces_release(struct vf__pieces *pieces) {
    struct vf_context ctx = pieces->ctx;
    drop(pieces);
    vf__pieces_init(pieces, &ctx, pieces->timed, pieces->rows);
}

/* Arrays of wide->room pieces; false where memory was refused. */
static bool make_arrays(struct vf__pieces *wide) {
    const struct vf_context *ctx = &wide->ctx;
    wide->opener = wide->closer = wide->row = wide->word = NULL;
    wide->quantity = NULL;
    wide->held = NULL;
    if (wide->bare) return (wide->word = vf__alloc(ctx, wide->room, sizeof *wide->word)) != NULL;
    wide->opener = vf__alloc(ctx, wide->room, sizeof *wide->opener);
    wide->closer = vf__alloc(ctx, wide->room, sizeof *wide->closer);
    wide->quantity = vf__alloc(ctx, wide->room, sizeof *wide->quantity);
    if (wide->timed) wide->held = vf__alloc(ctx, wide->room, sizeof *wide->held);
    if (wide->rows) wide->row = vf__alloc(ctx, wide->room, sizeof *wide->row);
    return wide->opener != NULL && wide->closer != NULL && wide->quantity != NULL &&
           (!wide->timed || wide->held != NULL) && (!wide->rows || wide->row != NULL);
}

static void copy(void *to, const void *from, size_t n, size_t size) {
    if (from != NULL && n > 0) memcpy(to, from, n * size);
}

/* Room for `more` pieces; those that are there stay. */
static enum vf_status make_room(struct vf__pieces *p, size_t more, struct vf_error *err) {
    if (VF__LIKELY(p->room - p->n >= more)) return VF_OK;
    struct vf__pieces wide = *p;
    wide.room = p->n + more + p->room / 2;
    if (!make_arrays(&wide)) {
        drop(&wide);
        return vf__fail_memory(err, wide.room * sizeof *p->quantity);
    }
    copy(wide.opener, p->opener, p->n, sizeof *p->opener);
    copy(wide.closer, p->closer, p->n, sizeof *p->closer);
    copy(wide.quantity, p->quantity, p->n, sizeof *p->quantity);
    copy(wide.held, p->held, p->n, sizeof *p->held);
    copy(wide.row, p->row, p->n, sizeof *p->row);
    copy(wide.word, p->word, p->n, sizeof *p->word);
    drop(p);
    *p = wide;
    return VF_OK;
}

/* The piece at `at`, the row's k-th, becomes piece `to`. */
static VF__INLINE void take(const struct vf__pieces *p, size_t to, const uint8_t *at, uint32_t k, uint32_t closed,
                            uint32_t row, struct vf__form form) {
    uint32_t other, word;
    uint64_t quantity;
    if (form.bare) {
        memcpy(&p->word[to], at, sizeof *p->word);
        return;
    }
    memcpy(&other, at, sizeof other);
    at += sizeof other;
    p->opener[to] = k < closed ? other : row;
    p->closer[to] = k < closed ? row : other;
    if (form.narrow) {
        memcpy(&word, at, sizeof word);
        at += sizeof word;
        quantity = word & ~(UINT32_C(1) << 31);
        if (p->is_float) {
            double x = (double)quantity;
            memcpy(&quantity, &x, sizeof quantity);
        }
        quantity |= (uint64_t)(word >> 31) << 63;
    } else {
        memcpy(&quantity, at, sizeof quantity);
        at += sizeof quantity;
    }
    p->quantity[to] = quantity;
    if (form.timed) memcpy(&p->held[to], at, sizeof p->held[to]);
}

#define USUAL 2 /* pieces that are taken without a look at how many there are */
_Static_assert(USUAL * sizeof(struct vf__record) <= VF__SLAB_PAD, "what is read past a row");

/* The next row's pieces from piece `to` on, where there is room for USUAL more than they are. */
static VF__INLINE void take_row(const struct vf__pieces *p, size_t to, size_t stride, struct vf__tape *tape,
                                uint32_t closed, size_t count, uint32_t row, struct vf__form form) {
    size_t piece = vf__tape_piece(form);
    if (VF__LIKELY(tape->left >= count * piece)) {
        const uint8_t *at = tape->at;
        tape->at += count * piece;
        tape->left -= (uint32_t)(count * piece);
        for (uint32_t k = 0; k < USUAL; k++)
            take(p, to + k, at + k * piece, k, closed, row, form);
        for (uint32_t k = USUAL; k < count; k++)
            take(p, to + k, at + k * piece, k, closed, row, form);
    } else {
        for (uint32_t k = 0; k < count; k++)
            take(p, to + k, vf__tape_take(tape, stride, piece), k, closed, row, form);
    }
    for (size_t k = 0; !form.bare && p->rows && k < count; k++)
        p->row[to + k] = row;
}

static VF__INLINE void no_trade(const struct vf__pieces *p, size_t to, uint32_t row, struct vf__form form) {
    if (form.bare) {
        p->word[to] = VF__NO_PIECE;
        return;
    }
    p->opener[to] = p->closer[to] = NONE;
    p->quantity[to] = 0;
    if (form.timed) p->held[to] = 0;
    if (p->rows) p->row[to] = row;
}

/* A batch's rows on their way to pieces. */
struct reading {
    struct vf__pieces *pieces;
    struct vf__tapes *tapes;
    const uint32_t *group;
    size_t n;
    uint32_t first_row, none;
    uint32_t *counts;
    bool differs;
    enum vf_status status;
};

/* As many rows as go well; r->differs or r->status says why no more did. */
static VF__INLINE size_t read_rows(struct reading *r, struct vf_error *err, struct vf__form form) {
    struct vf__pieces p = *r->pieces; /* a copy that nothing points to */
    const struct vf__tapes tapes = *r->tapes;
    const uint32_t *group = r->group;
    size_t i = 0, n = r->n;
    for (; i < n; i++) {
        uint32_t row = r->first_row + (uint32_t)i, closed = r->none, opened = 0;
        struct vf__tape *tape = NULL;
        vf__tapes_fetch(&tapes, group, i, n);
        if (VF__LIKELY(group[i] != VF__NO_KEY)) {
            tape = &tapes.tape[group[i]];
            r->differs = tape->read == tape->n;
            if (VF__UNLIKELY(r->differs)) break;
            tape->read++;
            read_head(tape, tapes.stride, &closed, &opened);
        }
        size_t count = (size_t)closed + opened;
        if (VF__UNLIKELY(p.room - p.n < count + USUAL)) {
            r->pieces->n = p.n;
            r->status = make_room(r->pieces, count + USUAL, err);
            p = *r->pieces;
            if (r->status != VF_OK) return tape != NULL ? i + 1 : i; /* a row that was begun is unread with the others */
        }
        if (VF__LIKELY(tape != NULL))
            take_row(&p, p.n, tapes.stride, tape, closed, count, row, form);
        else
            no_trade(&p, p.n, row, form);
        p.n += count;
        r->counts[i] = (uint32_t)count;
    }
    r->pieces->n = p.n;
    return i;
}

/* Each form has its own loop. */
static size_t read_all(struct reading *r, struct vf__form form, struct vf_error *err) {
    if (form.bare) return read_rows(r, err, (struct vf__form){.narrow = true, .bare = true});
    if (form.timed && form.narrow) return read_rows(r, err, (struct vf__form){.timed = true, .narrow = true});
    if (form.timed) return read_rows(r, err, (struct vf__form){.timed = true});
    if (form.narrow) return read_rows(r, err, (struct vf__form){.narrow = true});
    return read_rows(r, err, (struct vf__form){0});
}

enum vf_status vf__pieces_read(struct vf__pieces *pieces, struct vf__tapes *tapes, const uint32_t *group, size_t n,
                               uint32_t first_row, uint32_t none, uint32_t *counts, bool *differs,
                               struct vf_error *err) {
    struct reading r = {.pieces = pieces,
                        .tapes = tapes,
                        .group = group,
                        .n = n,
                        .first_row = first_row,
                        .none = none,
                        .counts = counts};
    size_t done = 0;
    pieces->n = 0;
    pieces->bare = tapes->form.bare; /* the same at each call */
    pieces->is_float = tapes->is_float;
    r.status = make_room(pieces, 2 * n, err);
    if (r.status == VF_OK) done = read_all(&r, tapes->form, err);
    *differs = r.differs;
    if (r.differs || r.status != VF_OK) vf__tapes_unread(tapes, group, done);
    return r.status;
}

struct vf__pieces vf__pieces_part(const struct vf__pieces *pieces, size_t from, size_t n) {
    struct vf__pieces part = *pieces;
    part.n = n;
    if (pieces->bare) {
        part.word += from;
        return part;
    }
    part.opener += from;
    part.closer += from;
    part.quantity += from;
    part.held = pieces->timed ? pieces->held + from : NULL;
    part.row = pieces->rows ? pieces->row + from : NULL;
    return part;
}

/* ---- columns ---------------------------------------------------------------------------------------------------- */

void vf__pack_bits(const uint8_t *flags, size_t n, uint8_t *bits) {
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        bits[i / 8] = vf__bits_of_flags(flags + i);
    if (i == n) return;
    bits[i / 8] = 0;
    for (size_t k = i; k < n; k++)
        bits[i / 8] |= (uint8_t)(flags[k] << (k - i));
}

void vf__pieces_ids(const struct vf__pieces *pieces, uint32_t n_rows, bool closer, uint32_t *out,
                    uint8_t *valid) {
    uint8_t flags[VF__PIECES];
    const uint32_t *ids = closer ? pieces->closer : pieces->opener;
    for (size_t i = 0; i < pieces->n; i++) {
        uint32_t id = ids[i];
        flags[i] = id < n_rows;
        out[i] = id < n_rows ? id : 0;
    }
    vf__pack_bits(flags, pieces->n, valid);
}

void vf__pieces_closed(const struct vf__pieces *pieces, uint8_t *bits, uint8_t *valid) {
    uint8_t closed[VF__PIECES], known[VF__PIECES];
    for (size_t i = 0; pieces->bare && i < pieces->n; i++) {
        known[i] = pieces->word[i] != VF__NO_PIECE;
        closed[i] = known[i] & (pieces->word[i] < VF__TAPE_OPEN);
    }
    for (size_t i = 0; !pieces->bare && i < pieces->n; i++) {
        closed[i] = (pieces->opener[i] != NONE) & (pieces->closer[i] != NONE);
        known[i] = (pieces->opener[i] != NONE) | (pieces->closer[i] != NONE);
    }
    vf__pack_bits(closed, pieces->n, bits);
    vf__pack_bits(known, pieces->n, valid);
}

void vf__pieces_holding(const struct vf__pieces *pieces, uint32_t n_rows, int64_t *out, uint8_t *valid) {
    uint8_t flags[VF__PIECES];
    for (size_t i = 0; i < pieces->n; i++) {
        flags[i] = (pieces->opener[i] < n_rows) & (pieces->closer[i] < n_rows);
        out[i] = flags[i] ? pieces->held[i] : 0;
    }
    vf__pack_bits(flags, pieces->n, valid);
}

void vf__pieces_quantity(const struct vf__pieces *pieces, uint64_t *out, uint8_t *valid) {
    uint8_t flags[VF__PIECES];
    for (size_t i = 0; pieces->bare && i < pieces->n; i++) {
        int32_t quantity = (int32_t)(pieces->word[i] & ~VF__TAPE_OPEN);
        double x = quantity;
        out[i] = (uint64_t)quantity;
        if (pieces->is_float) memcpy(&out[i], &x, sizeof x);
        flags[i] = pieces->word[i] != VF__NO_PIECE;
    }
    for (size_t i = 0; !pieces->bare && i < pieces->n; i++) {
        out[i] = pieces->quantity[i] & ~VF__EXIT_SIDE;
        flags[i] = (pieces->opener[i] != NONE) | (pieces->closer[i] != NONE);
    }
    vf__pack_bits(flags, pieces->n, valid);
}

static inline double price_at(const double *price, size_t n_prices, uint32_t row) {
    return row < n_prices ? price[row] : (double)NAN;
}

void vf__pieces_price(const struct vf__pieces *pieces, size_t n_prices, const double *price, bool closer,
                      double *out, uint8_t *valid) {
    uint8_t flags[VF__PIECES];
    for (size_t i = 0; i < pieces->n; i++) {
        double p = price_at(price, n_prices, closer ? pieces->closer[i] : pieces->opener[i]);
        flags[i] = p == p;
        out[i] = flags[i] ? p : 0;
    }
    vf__pack_bits(flags, pieces->n, valid);
}

void vf__pieces_markout(const struct vf__pieces *pieces, size_t n_prices, const double *price, double *out,
                        uint8_t *valid) {
    uint8_t flags[VF__PIECES];
    for (size_t i = 0; i < pieces->n; i++) {
        double from = price_at(price, n_prices, pieces->opener[i]), to = price_at(price, n_prices, pieces->closer[i]);
        double markout = to / from - 1;
        flags[i] = isfinite(markout) != 0; /* NaN where a price is none */
        out[i] = !flags[i] ? 0 : pieces->quantity[i] & VF__EXIT_SIDE ? -markout : markout;
    }
    vf__pack_bits(flags, pieces->n, valid);
}

double vf__amount_double(const struct vf__amount_form *form, uint64_t magnitude) {
    double x;
    if (form->is_float) {
        memcpy(&x, &magnitude, sizeof x);
        return x;
    }
    return vf__decimal_double(vf__amount_u128(form, magnitude), form->scale);
}

void vf__pieces_pnl(const struct vf__pieces *pieces, size_t n_prices, const double *price,
                    const struct vf__amount_form *form, double *out, uint8_t *valid) {
    uint8_t flags[VF__PIECES];
    for (size_t i = 0; i < pieces->n; i++) {
        double from = price_at(price, n_prices, pieces->opener[i]), to = price_at(price, n_prices, pieces->closer[i]);
        uint64_t magnitude = pieces->quantity[i] & ~VF__EXIT_SIDE;
        double quantity = form->is_whole ? (double)(int64_t)magnitude : vf__amount_double(form, magnitude);
        double pnl = (to - from) * quantity;
        flags[i] = pieces->closer[i] == pieces->row[i] && isfinite(pnl);
        out[i] = !flags[i] ? 0 : pieces->quantity[i] & VF__EXIT_SIDE ? -pnl : pnl;
    }
    vf__pack_bits(flags, pieces->n, valid);
}
