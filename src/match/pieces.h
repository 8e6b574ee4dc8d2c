/* From matches back to rows: how many pieces each row has, and the pieces themselves, block by block.
   Not for Arrow columns: values come out in plain arrays, bits in plain bitmaps. */
#ifndef VF_MATCH_PIECES_H
#define VF_MATCH_PIECES_H

#include "match/fifo.h"

/* As a closer: an entry whose lot is closed as a whole, told in one piece (VF_FIFO_EXITS). */
#define VF__WHOLE (UINT32_MAX - 1)

#define VF__PIECES 1024 /* a multiple of 8, so that blocks share no byte of a bitmap */

struct vf__piece_source {
    const struct vf__place *places;
    const struct vf__record *records;
    uint32_t n_rows;
    enum vf_fifo_rows rows;
    bool is_float;
};

/* Where the next piece is. */
struct vf__piece_cursor {
    int64_t row;
    uint32_t piece; /* of the row */
};

/* Pieces in output order. A row that is no trade has neither opener nor closer. */
struct vf__pieces {
    size_t n;
    struct vf__record record[VF__PIECES + 4];
    uint32_t row[VF__PIECES + 4];
};

/* Writes the number of pieces of the rows [first, first + n); returns their sum. */
int64_t vf__pieces_count(const struct vf__piece_source *source, int64_t first, int64_t n, uint32_t *counts);

/* The next pieces of the rows before `end`: VF__PIECES of them, fewer only where there are no more. */
void vf__pieces_next(const struct vf__piece_source *source, int64_t end, struct vf__piece_cursor *cursor,
                     struct vf__pieces *pieces);

/* n flags of 0 or 1 to bits from bits[0] on; the last byte is filled up with zeros. */
void vf__pack_bits(const uint8_t *flags, size_t n, uint8_t *bits);

/* Columns of a block. Values of nulls are zero. */
void vf__pieces_ids(const struct vf__pieces *pieces, uint32_t n_rows, bool closer, uint32_t *out,
                    uint8_t *valid);
void vf__pieces_closed(const struct vf__pieces *pieces, uint8_t *bits, uint8_t *valid);
void vf__pieces_holding(const struct vf__pieces *pieces, uint32_t n_rows, int64_t *out, uint8_t *valid);

/* Magnitudes as they are (8 bytes), and which are there. */
void vf__pieces_quantity(const struct vf__pieces *pieces, uint64_t *out, uint8_t *valid);

/* Prices (NaN: none) by row or inventory lot. */
void vf__pieces_price(const struct vf__pieces *pieces, size_t n_prices, const double *price, bool closer,
                      double *out, uint8_t *valid);
void vf__pieces_markout(const struct vf__pieces *pieces, size_t n_prices, const double *price, double *out,
                        uint8_t *valid);
void vf__pieces_pnl(const struct vf__pieces *pieces, size_t n_prices, const double *price, bool is_float,
                    double *out, uint8_t *valid);

#endif
