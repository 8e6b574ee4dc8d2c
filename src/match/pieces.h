/* From matches back to rows: how many pieces each row has, and the pieces themselves, block by block.
   Not for Arrow columns: values come out in plain arrays, bits in plain bitmaps. */
#ifndef VF_MATCH_PIECES_H
#define VF_MATCH_PIECES_H

#include "base/grouping.h"
#include "match/fifo.h"

/* As a closer: an entry whose lot is closed as a whole, told in one piece (VF_FIFO_EXITS). */
#define VF__WHOLE (UINT32_MAX - 1)

#define VF__PIECES VF__SIZED(1024, 8, 8192) /* a multiple of 8, so that blocks share no byte of a bitmap */

/* Pieces in output order, and the row that each is of. A row that is no trade has neither opener nor closer. */
struct vf__pieces {
    size_t n;
    struct vf__record record[VF__PIECES];
    uint32_t row[VF__PIECES];
};

/* Pieces as they are found, a row's next to each other. */
struct vf__piece_list {
    struct vf__record *record;
    size_t n, room;
};

/* As many lists as threads look for pieces. Piece `at` is number at & VF__PIECE_MASK of list at >> VF__PIECE_BITS; piece
   0 is that of all rows that are no trade. */
#define VF__PIECE_BITS 28
#define VF__PIECE_MASK ((UINT32_C(1) << VF__PIECE_BITS) - 1)
#define VF__PIECE_LISTS VF__GROUPING_SHARES

struct vf__piece_lists {
    struct vf_context ctx;
    struct vf__piece_list list[VF__PIECE_LISTS];
};

void vf__piece_lists_release(struct vf__piece_lists *lists);
/* Empties them. */
enum vf_status vf__piece_lists_start(struct vf__piece_lists *lists, struct vf_error *err);

/* Finds pieces: `cells` as vf__match_run left them, numbered and rewound. */
struct vf__piece_finder {
    struct vf__chains *cells;
    bool timed;
    enum vf_fifo_rows rows;
    bool is_float;
};

/* Appends the pieces of a batch's rows, which `grouping` puts in order: the next of their groups that are to be read.
   Row i is row first_row + i of all; where its pieces are goes to at[i], and how many to counts[i] (rows of no group are
   left alone). `room` is for 2 * VF__GROUPING_ROWS numbers. *differs: a group has no row left, so that these are not the
   rows that were matched. Then, and when memory is refused, none of them counts as read. */
enum vf_status vf__pieces_find(const struct vf__piece_finder *finder, const struct vf__grouping *grouping,
                               uint32_t first_row, uint32_t *room, uint32_t *at, uint32_t *counts,
                               struct vf__piece_lists *out, bool *differs, struct vf_error *err);

/* Where the next piece is: rows are counted from the batch's first. */
struct vf__piece_cursor {
    int64_t row;
    uint32_t piece; /* of the row */
};

/* The next pieces of the rows before `end`: VF__PIECES of them, fewer only where there are no more. */
void vf__pieces_next(const struct vf__piece_lists *lists, const uint32_t *at, const uint32_t *counts,
                     uint32_t first_row, int64_t end, struct vf__piece_cursor *cursor, struct vf__pieces *pieces);

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
