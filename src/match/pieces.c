/* Reads the records of rows in row order; see pieces.h. Not for columns.
   Most rows have one to four pieces, so four are handled without a branch and the rest in loops. */
#include "match/pieces.h"

#include <math.h>

#define NONE VF__MATCH_NONE
#define AHEAD 24

int64_t vf__pieces_count(const struct vf__piece_source *source, int64_t first, int64_t n, uint32_t *counts) {
    const struct vf__place *places = source->places + first;
    int64_t total = 0;
    for (int64_t i = 0; i < n; i++) {
        counts[i] = places[i].count;
        total += places[i].count;
    }
    return total;
}

/* ---- pieces ---------------------------------------------------------------------------------------------------- */

/* A row's records may lie across two cache lines. */
static inline void fetch_ahead(const struct vf__piece_source *source, int64_t row, int64_t end) {
    if (row + AHEAD >= end) return;
    uint32_t start = source->places[row + AHEAD].start;
    if (VF__UNLIKELY(start >= VF__START_LIMIT)) return;
    VF__PREFETCH(&source->records[start]);
    VF__PREFETCH(&source->records[start + 2]);
}

static struct vf__record no_record(uint32_t row, uint32_t start) {
    return (struct vf__record){.opener = start == VF__START_ZERO_ENTRY ? row : NONE,
                               .closer = start == VF__START_ZERO_EXIT ? row : NONE};
}

static inline uint64_t add(uint64_t a, uint64_t b, bool is_float) {
    if (!is_float) return a + b;
    double x, y;
    memcpy(&x, &a, sizeof x);
    memcpy(&y, &b, sizeof y);
    x += y;
    memcpy(&a, &x, sizeof a);
    return a;
}

/* All that `row` opened as one piece: its closed part, and whether that is all. */
static struct vf__record summary(const struct vf__piece_source *source, const struct vf__record *r,
                                 uint32_t row) {
    struct vf__record out = {.opener = row, .closer = VF__WHOLE};
    for (; r->opener == row; r++) {
        if (r->closer == NONE)
            out.closer = NONE;
        else
            out.quantity = add(out.quantity, r->quantity & ~VF__EXIT_SIDE, source->is_float);
    }
    return out;
}

static struct vf__record piece_of(const struct vf__piece_source *source, uint32_t row, uint32_t piece) {
    uint32_t start = source->places[row].start;
    if (start >= VF__START_LIMIT) return no_record(row, start);
    const struct vf__record *r = source->records + start + piece;
    if (source->rows == VF_FIFO_BOTH || r->closer == row) return *r;
    if (source->rows == VF_FIFO_EXITS) return summary(source, r, row);
    while (r->closer != NONE)
        r++;
    return *r;
}

void vf__pieces_next(const struct vf__piece_source *source, int64_t end, struct vf__piece_cursor *cursor,
                     struct vf__pieces *pieces) {
    size_t n = 0;
    int64_t row = cursor->row;
    uint32_t piece = cursor->piece;
    bool both = source->rows == VF_FIFO_BOTH;
    while (row < end && n < VF__PIECES) {
        const struct vf__place place = source->places[row];
        if (piece == 0) fetch_ahead(source, row, end);
        if (both && piece == 0 && place.count <= 4 && n + place.count <= VF__PIECES &&
            place.start < VF__START_LIMIT) {
            memcpy(&pieces->record[n], &source->records[place.start], 4 * sizeof(struct vf__record));
            for (size_t k = 0; k < 4; k++)
                pieces->row[n + k] = (uint32_t)row;
            n += place.count;
            row++;
            continue;
        }
        for (; piece < place.count && n < VF__PIECES; piece++, n++) {
            pieces->record[n] = piece_of(source, (uint32_t)row, piece);
            pieces->row[n] = (uint32_t)row;
        }
        if (piece < place.count) break;
        piece = 0;
        row++;
    }
    pieces->n = n;
    *cursor = (struct vf__piece_cursor){.row = row, .piece = piece};
}

/* ---- columns ---------------------------------------------------------------------------------------------------- */

void vf__pack_bits(const uint8_t *flags, size_t n, uint8_t *bits) {
    size_t i = 0;
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    /* byte k of the word, 0 or 1, is carried to bit 56 + k: k * 8 + (56 - k * 7) */
    for (; i + 8 <= n; i += 8) {
        uint64_t word;
        memcpy(&word, flags + i, 8);
        bits[i / 8] = (uint8_t)((word * UINT64_C(0x0102040810204080)) >> 56);
    }
#endif
    for (; i < n; i += 8) {
        unsigned byte = 0;
        for (size_t k = 0; k < 8 && i + k < n; k++)
            byte |= (unsigned)flags[i + k] << k;
        bits[i / 8] = (uint8_t)byte;
    }
}

void vf__pieces_ids(const struct vf__pieces *pieces, uint32_t n_rows, bool closer, uint32_t *out,
                    uint8_t *valid) {
    uint8_t flags[VF__PIECES];
    for (size_t i = 0; i < pieces->n; i++) {
        uint32_t id = closer ? pieces->record[i].closer : pieces->record[i].opener;
        flags[i] = id < n_rows;
        out[i] = id < n_rows ? id : 0;
    }
    vf__pack_bits(flags, pieces->n, valid);
}

void vf__pieces_closed(const struct vf__pieces *pieces, uint8_t *bits, uint8_t *valid) {
    uint8_t closed[VF__PIECES], known[VF__PIECES];
    for (size_t i = 0; i < pieces->n; i++) {
        const struct vf__record *r = &pieces->record[i];
        closed[i] = (r->opener != NONE) & (r->closer != NONE);
        known[i] = (r->opener != NONE) | (r->closer != NONE);
    }
    vf__pack_bits(closed, pieces->n, bits);
    vf__pack_bits(known, pieces->n, valid);
}

void vf__pieces_holding(const struct vf__pieces *pieces, uint32_t n_rows, int64_t *out, uint8_t *valid) {
    uint8_t flags[VF__PIECES];
    for (size_t i = 0; i < pieces->n; i++) {
        const struct vf__record *r = &pieces->record[i];
        flags[i] = (r->opener < n_rows) & (r->closer < n_rows);
        out[i] = flags[i] ? r->held : 0;
    }
    vf__pack_bits(flags, pieces->n, valid);
}

void vf__pieces_quantity(const struct vf__pieces *pieces, uint64_t *out, uint8_t *valid) {
    uint8_t flags[VF__PIECES];
    for (size_t i = 0; i < pieces->n; i++) {
        const struct vf__record *r = &pieces->record[i];
        out[i] = r->quantity & ~VF__EXIT_SIDE;
        flags[i] = (r->opener != NONE) | (r->closer != NONE);
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
        const struct vf__record *r = &pieces->record[i];
        double p = price_at(price, n_prices, closer ? r->closer : r->opener);
        flags[i] = p == p;
        out[i] = flags[i] ? p : 0;
    }
    vf__pack_bits(flags, pieces->n, valid);
}

void vf__pieces_markout(const struct vf__pieces *pieces, size_t n_prices, const double *price, double *out,
                        uint8_t *valid) {
    uint8_t flags[VF__PIECES];
    for (size_t i = 0; i < pieces->n; i++) {
        const struct vf__record *r = &pieces->record[i];
        double from = price_at(price, n_prices, r->opener), to = price_at(price, n_prices, r->closer);
        double markout = to / from - 1;
        flags[i] = from > 0 && isfinite(markout);
        out[i] = !flags[i] ? 0 : r->quantity & VF__EXIT_SIDE ? -markout : markout;
    }
    vf__pack_bits(flags, pieces->n, valid);
}

void vf__pieces_pnl(const struct vf__pieces *pieces, size_t n_prices, const double *price, bool is_float,
                    double *out, uint8_t *valid) {
    uint8_t flags[VF__PIECES];
    for (size_t i = 0; i < pieces->n; i++) {
        const struct vf__record *r = &pieces->record[i];
        double from = price_at(price, n_prices, r->opener), to = price_at(price, n_prices, r->closer);
        uint64_t magnitude = r->quantity & ~VF__EXIT_SIDE;
        double quantity;
        if (is_float)
            memcpy(&quantity, &magnitude, sizeof quantity);
        else
            quantity = (double)(int64_t)magnitude;
        double pnl = (to - from) * quantity;
        flags[i] = r->closer == pieces->row[i] && isfinite(pnl);
        out[i] = !flags[i] ? 0 : r->quantity & VF__EXIT_SIDE ? -pnl : pnl;
    }
    vf__pack_bits(flags, pieces->n, valid);
}
