/* What the files of the FIFO's entry points share: the object, its side patterns, and how a batch is decoded.
   Not a public header, and not for the matching itself: src/match has that. */
#ifndef VF_MATCH_API_FIFO_H
#define VF_MATCH_API_FIFO_H

#include "arrow/keyed.h"
#include "arrow/read.h"
#include "base/side.h"
#include "match/fifo.h"
#include "match/pieces.h"
#include "store/array.h"
#include "store/replay.h"
#include "store/turns.h"

#define VF__FIFO_BLOCK VF__SIZED(1024, 8, 8192)      /* rows decoded at a time: what they need stays in the first two caches */
#define VF__FIFO_DICTIONARY VF__SIZED(4096, 2, 1 << 16) /* dictionaries up to this size have their sides looked up once */

#define VF__FIFO_PRICES (VF_FIFO_ENTRY_PRICE | VF_FIFO_EXIT_PRICE | VF_FIFO_CLOSE_MARKOUT | VF_FIFO_PNL)

/* ---- sides --------------------------------------------------------------------------------------------------- */

enum vf__side_code { VF__SIDE_NONE = 0, VF__SIDE_ENTRY = 1, VF__SIDE_EXIT = 2 };

/* A view of up to 12 bytes of text is 16 bytes that say all: a row carries the pattern when they are equal in the
   bytes that the pattern's own length reaches. */
struct vf__side_pattern {
    uint64_t low, low_mask, high, high_mask;
    uint8_t *text; /* NULL: `integer` counts */
    size_t length;
    int64_t integer;
    uint8_t code;
};

#define VF__SEEN 8
#define VF__SEEN_BYTES 28

/* Distinct values, as a message shows them. */
struct vf__side_values {
    size_t n;
    uint8_t length[VF__SEEN];
    char text[VF__SEEN][VF__SEEN_BYTES];
};

/* What rows carried: which sides; while one is missing, the first distinct values that are not listed, null being one
   of them; and of values that are not listed and look like a side, the first, and how many rows have each and any.
   Kept together, so that a batch that fails takes all of it back. */
struct vf__side_seen {
    uint8_t carried; /* bits of enum vf__side_code */
    struct vf__side_values others, alike;
    uint8_t nothing[4][16]; /* views of short texts that look like no side: cancels, as a rule */
    size_t n_nothing;
    int64_t rows[VF__SEEN], n_alike;
};

struct vf__sides {
    struct vf__side_pattern *patterns;
    size_t n, room;
    bool any_long; /* a text of more than 12 bytes */
    struct vf__side_seen seen;
    /* the dictionary that `codes` was made for; good within one call */
    const struct ArrowArray *dictionary;
    uint8_t codes[VF__FIFO_DICTIONARY];
};

enum vf_status vf__sides_init(struct vf__sides *sides, const struct vf_context *ctx,
                              const struct vf_fifo_options *options, struct vf_error *err);
void vf__sides_release(struct vf__sides *sides, const struct vf_context *ctx);

/* A type that sides are read from. */
bool vf__sides_readable(const struct vf__type *type);

/* Sides of n <= VF__FIFO_BLOCK rows. `text`, `values` and `valid` are room to work in. */
struct vf__side_room {
    struct vf__text text[VF__FIFO_BLOCK];
    int64_t values[VF__FIFO_BLOCK];
    double numbers[VF__FIFO_BLOCK];
    uint8_t valid[VF__FIFO_BLOCK];
};
enum vf_status vf__sides_read(struct vf__sides *sides, struct vf__reader *reader, int64_t row, int64_t n,
                              struct vf__side_room *room, uint8_t *codes, struct vf_error *err);

/* Notes in sides->seen what these rows carry, whose codes vf__sides_read gave. */
void vf__sides_note(struct vf__sides *sides, struct vf__reader *reader, int64_t row, int64_t n,
                    struct vf__side_room *room, const uint8_t *codes);

/* A sentence, or "": no row carries one of the sides and some value begins like one that is listed for it, or values that
   are not listed look like sides. */
void vf__sides_doubt(const struct vf__sides *sides, const char *column, char *out, size_t size);
void vf__side_describe(const struct vf__side_pattern *p, char *out, size_t size);

/* "listed: entry "B", exit "S"; found: "Buy", "Sell"", or "also found" beside listed ones. */
void vf__sides_describe(const struct vf__sides *sides, char *out, size_t size);

/* ---- the object ------------------------------------------------------------------------------------------------ */

enum vf__fifo_role {
    VF__FIFO_KEYS, /* all of them; its problem is that of the key column whose first null comes first */
    VF__FIFO_SORT,
    VF__FIFO_TIME,
    VF__FIFO_SIDE,
    VF__FIFO_QUANTITY,
    VF__FIFO_PRICE,
    VF__FIFO_ROLES
};

#define VF__FIFO_FORMAT 16 /* "d:38,-38,128" is the longest */

/* What a column was when it was first seen. */
struct vf__fifo_known {
    bool known;
    char name[128];
    struct vf__type type; /* without `format` */
    char format[VF__FIFO_FORMAT]; /* of numbers: Arrow's */
};

/* Trade rows that a column makes unusable. */
struct vf__fifo_problem {
    int64_t count, first;
    const char *what; /* of the first: "null", "negative", ... */
};

/* What was learnt of values: times so far from 0 that a difference might overflow, quantities that take 8 bytes. */
struct vf__fifo_wide {
    bool times, quantities;
};

/* An amount of the inventory: magnitude in lot_quantity's own form (of floats: the bits of a double), and the row of all
   that were given. */
struct vf__fifo_lot {
    struct vf__u128 magnitude;
    uint32_t row;
    bool is_short;
};

/* A part of a batch that was decoded and is to be kept. */
struct vf__fifo_hand {
    int64_t row, n;  /* rows of the batch */
    size_t n_groups; /* there were when they were decoded */
    uint64_t quantity[VF__TURN_ROWS];
    int64_t sort[VF__TURN_ROWS];
    int64_t time[VF__TURN_ROWS];
};

struct vf__fifo_scratch {
    struct vf__side_room room;
    int64_t values[VF__FIFO_BLOCK];
    double numbers[VF__FIFO_BLOCK];
    uint8_t valid[VF__FIFO_BLOCK];
    uint8_t codes[VF__FIFO_BLOCK];
    uint32_t ids[VF__FIFO_BLOCK]; /* of one key column's values */
    uint64_t words[VF__FIFO_BLOCK];
    int64_t time[VF__FIFO_BLOCK]; /* where it only has to be there */
    double price[VF__FIFO_BLOCK];
    struct vf__u128 magnitude[VF__FIFO_BLOCK]; /* of decimals, with their words for the replay */
    uint8_t negative[VF__FIFO_BLOCK];
    uint64_t amount[VF__FIFO_BLOCK];
    struct vf__fifo_hand hands[2];
};

struct vf_fifo {
    struct vf_context ctx;
    enum vf_fifo_rows rows;
    enum vf_excess on_excess;
    unsigned columns;
    bool matched, rests_kept;
    struct vf__sides sides;
    char doubt[768]; /* empty for none */
    struct vf__fifo_known known[VF__FIFO_ROLES];
    struct vf__fifo_problem problems[VF__FIFO_ROLES];
    struct vf__keyed groups;
    struct vf__array view_slots, views;      /* uint32, struct vf__view: see api_keys.c */
    size_t view_key;                         /* the key column that they are of */
    size_t problem_key;                      /* the key column that problems[VF__FIFO_KEYS] is of */
    bool time_apart;                         /* a time column that is not the sort column was read */
    struct vf__fifo_known lot_quantity;
    struct vf__fifo_scratch *scratch;
    struct vf__replay replay;

    int64_t n_rows, n_trades;
    struct vf__chains cells; /* trades by group, and then what they give: see fifo.h, tape.h */
    struct vf__array group; /* uint32: of the rows of the batch in hand, to take it back */
    struct vf__array price; /* double: of all rows, then of the lots */
    struct vf__fifo_wide wide;

    struct vf__array large; /* struct vf__u128: decimals beyond 62 bits */
    size_t n_large;

    size_t n_lots, n_lot_rows; /* those of a quantity, and all that were given */
    struct vf__array lot_group, lot_amount, lot_price; /* uint32, struct vf__fifo_lot, double */
    struct vf__rests rests;

    int64_t rows_out;
    struct vf__tapes tapes;   /* over the cells */
    struct vf__array counts;  /* uint32, by row of the batch that is being given */
    struct vf__pieces pieces; /* of that batch */
};

static inline bool vf__fifo_timed(const struct vf_fifo *fifo) {
    return (fifo->columns & VF_FIFO_HOLDING) != 0;
}

/* ---- batches ------------------------------------------------------------------------------------------------------ */

struct vf__fifo_readers {
    struct vf__reader reader[VF__FIFO_ROLES]; /* of VF__FIFO_KEYS none: keys has them */
    bool used[VF__FIFO_ROLES];
    struct vf__reader *keys;
    size_t n_keys;
    bool time_is_sort;
    int64_t n_rows;
};

/* A string view with nothing behind its text. */
struct vf__view {
    uint64_t low, high;
};

/* Opens key columns that must meet those of batches before; *out is released by vf__fifo_keys_close. */
enum vf_status vf__fifo_keys_open(const struct vf_fifo *fifo, const struct vf_series *keys, size_t n_keys,
                                  struct vf__reader **out, struct vf_error *err);
void vf__fifo_keys_close(const struct vf_fifo *fifo, struct vf__reader *keys, size_t n_keys);

/* Tables for opened keys; before the first of them is read. */
enum vf_status vf__fifo_keys_prepare(struct vf_fifo *fifo, const struct vf__reader *keys, size_t n_keys,
                                     struct vf_error *err);

/* As vf__keyed_read of n <= VF__FIFO_BLOCK rows. */
enum vf_status vf__fifo_read_groups(struct vf_fifo *fifo, struct vf__fifo_readers *readers, int64_t row, int64_t n,
                                    uint32_t *group, struct vf_error *err);

/* Where decoded rows go; time and price NULL where they are not wanted. */
struct vf__fifo_target {
    uint32_t *group;
    uint64_t *quantity;
    int64_t *sort;
    int64_t *time;
    double *price;
};

/* Checks that the columns are there, have types that the operation takes and had before, and one length. */
enum vf_status vf__fifo_readers_open(struct vf_fifo *fifo, const struct vf_fifo_batch *batch,
                                     struct vf__fifo_readers *readers, struct vf_error *err);
void vf__fifo_readers_close(const struct vf_fifo *fifo, struct vf__fifo_readers *readers);

/* n <= VF__FIFO_BLOCK rows from batch row `row`, which is row `row_in` of all. Words for the replay go to
   scratch->words. learn: problems, trades and seen sides are noted. */
enum vf_status vf__fifo_decode(struct vf_fifo *fifo, struct vf__fifo_readers *readers, int64_t row,
                               int64_t row_in, int64_t n, const struct vf__fifo_target *target, bool learn,
                               struct vf_error *err);

/* int64 units of holding_period a unit of the time column: Dates become microseconds, as in Polars. */
int64_t vf__fifo_time_scale(const struct vf__type *type);

bool vf__fifo_is_float(const struct vf__fifo_known *known);
enum vf__amounts vf__fifo_amounts(const struct vf__fifo_known *known);
struct vf__amount_form vf__fifo_amount_form(const struct vf_fifo *fifo);

/* A quantity without its side, as pieces and rests have it, to place i of a column of the quantity's type. */
void vf__fifo_put_quantity(const struct vf_fifo *fifo, uint64_t quantity, void *values, size_t i);

/* A decimal as the word that cells and lots have for it: itself, or its place in fifo->large. */
enum vf_status vf__fifo_decimal(struct vf_fifo *fifo, struct vf__u128 magnitude, uint64_t *out, struct vf_error *err);

#endif
