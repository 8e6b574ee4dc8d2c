/* From matches back to rows: how many pieces each row has, and the pieces themselves, block by block.
   Not for Arrow columns: values come out in plain arrays, bits in plain bitmaps. */
#ifndef VF_MATCH_PIECES_H
#define VF_MATCH_PIECES_H

#include "match/fifo.h"

/* As a closer: an entry whose lot is closed as a whole, told in one piece (VF_FIFO_EXITS). */
#define VF__WHOLE (UINT32_MAX - 1)

#define VF__PIECES 1024 /* a multiple of 8, so that blocks share no byte of a bitmap */

/* Pieces in output order, up to VF__PIECES of them, and the row that each is of. A row that is no trade has neither
   opener nor closer. */
struct vf__pieces {
    size_t n;
    const struct vf__record *record;
    const uint32_t *row;
};

/* Pieces as they are found. */
struct vf__piece_list {
    struct vf_context ctx;
    struct vf__record *record;
    uint32_t *row;
    size_t n, room;
};

/* Finds pieces: `cells` as vf__match_run left them, numbered. */
struct vf__piece_finder {
    const struct vf__chains *cells;
    bool timed;
    enum vf_fifo_rows rows;
    bool is_float;
};

/* Appends the pieces of n rows from `first_row` on: group[i] VF__NO_KEY is no trade, else start[i] is its start. Writes
   their numbers to counts[]. VF_ERROR_MEMORY: some may have been appended. */
enum vf_status vf__pieces_find(const struct vf__piece_finder *finder, const uint32_t *group, const uint32_t *start,
                               uint32_t first_row, size_t n, uint32_t *counts, struct vf__piece_list *out,
                               struct vf_error *err);
void vf__piece_list_release(struct vf__piece_list *list);

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
