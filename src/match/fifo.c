/* Matches symbol by symbol; see fifo.h. Not for reading what rows give: src/match/pieces.c.

   A symbol's trades are laid on a bench in time order, walked once with a queue of open lots, and then, in row order,
   what each row gives is written to where the trades were, from the records of the walk.
   - Quantities are matched as whole numbers, also floats that stand for decimals: as units of the symbol's last decimal
     place (lay_units). Other floats keep their rests to two doubles, and decimals beyond 62 bits to 128.
   - A record ends a row: the closer's need, the opener's lot, or a rest that nothing more can happen to. So a symbol
     has at most as many records as it has trades and lots.
   - The records of one row are next to each other, so a span is all it takes to find them. As a closer: they are
     written one after the other while the row is handled. As an opener: only the head of the queue is ever matched,
     and while a lot is the head every record of the symbol names it (an exit finds the queue not empty, so it has no
     unmatched part before the lot is gone; rows of the lot's own direction write nothing); its rest, if any, is the
     first record written at the end. As both (a row that closes shorts and opens a long with what is left): the queue
     is empty when it opens, so its lot is the head at once, and its next record follows the last one it closed.
     Inventory lots are rows that came first, so nothing changes. */
#include "match/fifo.h"

#include "store/rows.h"

#include <float.h>
#include <stdatomic.h>

#define NONE VF__MATCH_NONE
#define DUST_ULPS 4
#define MAX_WORKERS 64
#define GROUPS_AT_ONCE 16

#define FEW 3 /* pieces that are written without a look at how many there are; so many records more there is room for */

/* A trade or lot on the bench. */
struct item {
    uint64_t quantity;
    int64_t time;
    uint32_t id;   /* row, or n_rows + lot */
    uint32_t cell; /* of its symbol; NONE for a lot */
};

/* Where a trade's records are: those that it closed, then those that it opened. A trade of quantity zero has no place. */
struct span {
    uint32_t start, closed, end;
};

#define NOWHERE UINT32_MAX

/* A worker's room for one symbol, as large as the largest. */
struct bench {
    struct item *items;         /* in time order, lots first */
    struct item *spare;         /* trades in row order, where that is another */
    struct vf__record *records;
    struct span *spans;         /* by cell */
    uint32_t *queue;            /* items that are open lots */
    uint32_t *order, *scratch;  /* to put cells in order */
    int64_t *sort;
    uint64_t *units;            /* by item, where the form says so, and how many places they have */
    uint8_t *places;
};

/* How a symbol's quantities are matched. */
enum way {
    WHOLE, /* whole numbers */
    ROUND, /* units, of which the last places are only what rounding made of them: see is_dust */
    EXACT, /* doubles */
    WIDE   /* decimals of 128 bits */
};

struct amounts {
    enum way way;
    unsigned place; /* of WHOLE and ROUND: units are 10^-place, where the form says so */
    bool single;    /* of ROUND and EXACT: quantities have the precision of 4 bytes */
    uint64_t least; /* of ROUND: the smallest quantity */
};

struct job {
    const struct vf__match_input *in;
    struct vf__tapes *out;
    uint32_t *lots, *lot_start; /* lots by group; NULL where there are none */
    struct bench *benches;
    size_t n_benches, most, most_unsorted, most_units;
    struct vf__rest *rests; /* or NULL: room for as many as each group has trades and lots, from rest_start on */
    size_t *rest_start, *n_rests;
    bool looking; /* only whether time goes forward */
    bool dry;     /* only looked at: nothing is written */
    atomic_size_t next, spilt, large; /* group; bytes of the spill; large decimals that are given */
    struct vf__match_tally tallies[MAX_WORKERS];
};

/* ---- the walk over a symbol ------------------------------------------------------------------------------------- */

/* A quantity while it is matched. */
struct amount {
    uint64_t low;  /* WHOLE, ROUND: all of it; EXACT: the bits of a double ... */
    uint64_t high; /* ... and of what is to be added to it */
};

struct walk {
    const struct item *items;
    struct vf__record *records;
    struct span *spans;
    uint32_t *queue;
    bool shorts;
    struct vf__match_tally *tally;
    struct job *job;
    struct amounts amounts;
    uint32_t n;           /* records */
    uint32_t head, tail;  /* of the queue */
    uint32_t first;       /* the head lot's first record */
    bool lot_exit;        /* the exit side opened the lots */
    struct amount rest;   /* of the head lot */
    uint64_t whole;       /* the head lot, as in its item; not of WHOLE */
};

static inline double as_double(uint64_t bits) {
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* A quantity of an item, without its side. */
static VF__INLINE struct amount amount_of(const struct walk *w, uint64_t quantity, enum way way) {
    if (way == WIDE && (quantity & VF__LARGE) != 0) {
        struct vf__u128 large = w->job->in->large[quantity & ~VF__LARGE];
        return (struct amount){.low = large.low, .high = large.high};
    }
    return (struct amount){.low = quantity};
}

/* A quantity of a record. */
static VF__INLINE uint64_t word_of(struct job *job, struct amount a, enum way way) {
    if (way != WIDE || (a.high == 0 && a.low < VF__LARGE)) return a.low;
    size_t place = atomic_fetch_add_explicit(&job->large, 1, memory_order_relaxed);
    job->out->large[place] = (struct vf__u128){.low = a.low, .high = a.high};
    return place | VF__LARGE;
}

static VF__INLINE bool is_more(struct amount a, struct amount b, enum way way) {
    if (way == WHOLE || way == ROUND) return a.low > b.low;
    if (way == WIDE) return a.high != b.high ? a.high > b.high : a.low > b.low;
    return as_double(a.low) != as_double(b.low) ? as_double(a.low) > as_double(b.low)
                                                : as_double(a.high) > as_double(b.high);
}

/* Sum and what is lost of it, for |a| >= |b|; Dekker (1971). */
static inline struct amount two_sum(double a, double b) {
    double sum = a + b;
    return (struct amount){.low = vf__as_bits(sum), .high = vf__as_bits(b - (sum - a))};
}

/* a - b of doubles of two parts each, whose result is zero or more. */
static inline struct amount take_exactly(struct amount a, struct amount b) {
    double x = as_double(a.low), y = -as_double(b.low), sum = x + y, back = sum - x;
    double lost = (x - (sum - back)) + (y - back); /* Knuth's: of any two */
    return two_sum(sum, lost + (as_double(a.high) - as_double(b.high)));
}

static VF__INLINE struct amount take_away(struct amount a, struct amount b, enum way way) {
    if (way == EXACT) return take_exactly(a, b);
    if (way != WIDE) return (struct amount){.low = a.low - b.low};
    struct vf__u128 left = vf__u128_sub((struct vf__u128){.low = a.low, .high = a.high},
                                        (struct vf__u128){.low = b.low, .high = b.high});
    return (struct amount){.low = left.low, .high = left.high};
}

/* Nothing is left of a lot or an exit after the two met. EXACT: less than 4 ulps of the larger. ROUND: less than an ulp
   of it, and than any quantity there is, which is what a split that was computed leaves. */
static VF__INLINE bool is_dust(const struct walk *w, struct amount rest, uint64_t lot, uint64_t row, enum way way) {
    uint64_t larger = lot > row ? lot : row;
    if (way == WHOLE) return rest.low == 0;
    if (way == WIDE) return (rest.low | rest.high) == 0;
    if (way == ROUND) {
        int ulp = (w->amounts.single ? FLT_MANT_DIG : DBL_MANT_DIG) - 1;
        return rest.low == 0 || (rest.low < w->amounts.least && rest.low < larger >> ulp);
    }
    return as_double(rest.low) < DUST_ULPS * vf__ulp(as_double(larger), w->amounts.single);
}

static inline const struct item *head_of(const struct walk *w) {
    return &w->items[w->queue[w->head]];
}

static VF__INLINE void keep_rest(struct walk *w, struct amount rest, enum way way) {
    w->rest.low = rest.low;
    if (way == EXACT || way == WIDE) w->rest.high = rest.high;
}

static VF__INLINE struct amount rest_of(const struct walk *w, enum way way) {
    return (struct amount){.low = w->rest.low, .high = way == EXACT || way == WIDE ? w->rest.high : 0};
}

static VF__INLINE void make_head(struct walk *w, uint32_t first, enum way way) {
    uint64_t whole = head_of(w)->quantity & ~VF__EXIT_SIDE;
    w->first = first;
    if (way != WHOLE) w->whole = whole;
    keep_rest(w, amount_of(w, whole, way), way);
}

static VF__INLINE void push(struct walk *w, uint32_t i, enum way way) {
    bool empty = w->head == w->tail;
    w->queue[w->tail++] = i;
    if (empty) make_head(w, w->n, way);
    if (w->items[i].cell == NONE) return;
    w->spans[w->items[i].cell].closed = 0;
    w->tally->n_opened++;
}

/* The head lot is gone, and its last record is written. */
static VF__INLINE void pop(struct walk *w, enum way way) {
    const struct item *lot = head_of(w);
    if (lot->cell != NONE) {
        w->spans[lot->cell].start = w->first;
        w->spans[lot->cell].end = w->n;
    }
    w->head++;
    if (w->head != w->tail) make_head(w, w->n, way);
}

static inline void put(struct walk *w, uint32_t opener, uint32_t closer, uint64_t quantity, int64_t held) {
    w->records[w->n++] =
        (struct vf__record){.opener = opener, .closer = closer, .quantity = quantity, .held = held};
}

static inline void put_match(struct walk *w, const struct item *closer, uint64_t quantity) {
    const struct item *lot = head_of(w);
    /* of a row's lot: fits, the caller looked at all times; of an inventory lot: anything, nobody reads it */
    put(w, lot->id, closer->id, quantity, (int64_t)((uint64_t)closer->time - (uint64_t)lot->time));
    w->tally->n_matched++;
    w->tally->n_from_inventory += lot->cell == NONE;
}

/* `left` of item i has nothing to close; its records begin at `first`. */
static VF__INLINE void exceed(struct walk *w, uint32_t i, uint32_t first, struct amount left, bool is_exit,
                              enum way way) {
    const struct item *row = &w->items[i];
    if (w->shorts) {
        w->queue[w->tail++] = i;
        make_head(w, first, way);
        keep_rest(w, left, way);
        w->lot_exit = is_exit;
        w->tally->n_opened++;
        return;
    }
    put(w, NONE, row->id, word_of(w->job, left, way), 0);
    w->tally->n_over++;
    if (row->id < w->tally->first_over) w->tally->first_over = row->id;
}

/* A row against the lots of the other side. */
static VF__INLINE void close_lots(struct walk *w, uint32_t i, bool is_exit, enum way way) {
    const struct item *row = &w->items[i];
    uint64_t whole = row->quantity & ~VF__EXIT_SIDE;
    struct amount left = amount_of(w, whole, way);
    uint64_t direction = w->lot_exit ? VF__EXIT_SIDE : 0;
    uint32_t first = w->n;
    bool some = true; /* is left */
    while (w->head != w->tail) {
        struct amount rest = rest_of(w, way);
        uint64_t lot = way != WHOLE ? w->whole : 0;
        if (is_more(rest, left, way)) {
            put_match(w, row, word_of(w->job, left, way) | direction);
            rest = take_away(rest, left, way);
            keep_rest(w, rest, way);
            if (way != WHOLE && is_dust(w, rest, lot, whole, way)) pop(w, way);
            some = false;
            break;
        }
        put_match(w, row, word_of(w->job, rest, way) | direction);
        pop(w, way);
        left = take_away(left, rest, way);
        if (is_dust(w, left, lot, whole, way)) {
            some = false;
            break;
        }
    }
    if (some) exceed(w, i, first, left, is_exit, way);
    w->spans[row->cell] = (struct span){.start = first, .closed = w->n - first, .end = w->n};
}

static VF__INLINE void walk_items(struct walk *w, uint32_t n, enum way way) {
    for (uint32_t i = 0; i < n; i++) {
        const struct item *item = &w->items[i];
        bool is_exit = (item->quantity & VF__EXIT_SIDE) != 0;
        if (VF__UNLIKELY((item->quantity & ~VF__EXIT_SIDE) == 0)) {
            w->spans[item->cell] = (struct span){.start = NOWHERE, .closed = is_exit};
            w->tally->n_zero++;
            continue;
        }
        if (w->shorts && w->head == w->tail) w->lot_exit = is_exit;
        if (is_exit == w->lot_exit)
            push(w, i, way);
        else
            close_lots(w, i, is_exit, way);
    }
}

static inline uint64_t given(const struct job *job, const struct amounts *amounts, uint64_t quantity);

/* The end of the day: rests of rows, which go to their rows, and of inventory lots, which have none. */
static VF__INLINE void close_queue(struct walk *w, size_t group, enum way way) {
    struct job *job = w->job;
    struct vf__rest *rests = job->rests != NULL && !job->dry ? job->rests + job->rest_start[group] : NULL;
    size_t n = 0;
    while (w->head != w->tail) {
        const struct item *lot = head_of(w);
        uint64_t rest = w->rest.low;
        if (way == WIDE && (lot->cell != NONE || rests != NULL)) rest = word_of(job, rest_of(w, way), way);
        rest |= w->lot_exit ? VF__EXIT_SIDE : 0;
        if (lot->cell != NONE) {
            put(w, lot->id, NONE, rest, 0);
            w->tally->n_open++;
        }
        if (rests != NULL) rests[n++] = (struct vf__rest){.opener = lot->id, .quantity = given(job, &w->amounts, rest)};
        pop(w, way);
    }
    if (rests != NULL) job->n_rests[group] = n;
}

/* Each way has its own loop. */
static void walk_all(struct walk *w, uint32_t n, size_t group) {
    switch (w->amounts.way) {
    case WHOLE:
        walk_items(w, n, WHOLE);
        close_queue(w, group, WHOLE);
        return;
    case ROUND:
        walk_items(w, n, ROUND);
        close_queue(w, group, ROUND);
        return;
    case EXACT:
        walk_items(w, n, EXACT);
        close_queue(w, group, EXACT);
        return;
    case WIDE:
        walk_items(w, n, WIDE);
        close_queue(w, group, WIDE);
        return;
    }
}

/* ---- what rows give ------------------------------------------------------------------------------------------------ */

struct writer {
    struct job *job;
    struct amounts amounts;
    struct vf__tape tape; /* as it is written */
    uint32_t own;         /* cells up to the end of the last block that is the symbol's already */
};

/* Names the block after this one: one of the spill, which has room for all, where the trades were in no other. */
static void name_next(const struct writer *w) {
    if (w->tape.cells < w->own) return;
    size_t bytes = vf__chain_bytes(w->job->in->cells->stride, vf__chain_block(w->tape.cells));
    uint8_t *block = w->job->out->spill + atomic_fetch_add_explicit(&w->job->spilt, bytes, memory_order_relaxed);
    memcpy(w->tape.at + w->tape.left, &block, sizeof block);
}

static inline uint8_t *room(struct writer *w, size_t size) {
    if (VF__UNLIKELY(w->tape.left < size)) name_next(w);
    return vf__tape_take(&w->tape, w->job->in->cells->stride, size);
}

/* A quantity that was matched as it is given: of units, the bits of a double. */
static inline uint64_t given(const struct job *job, const struct amounts *amounts, uint64_t quantity) {
    uint64_t side = quantity & VF__EXIT_SIDE;
    if (!vf__amounts_float(job->in->amounts) || amounts->way == EXACT) return quantity;
    return vf__as_bits(vf__units_double(quantity & ~VF__EXIT_SIDE, amounts->place,
                                        job->in->amounts == VF__AMOUNTS_SINGLE)) | side;
}

static VF__INLINE void put_piece(uint8_t *at, const struct writer *w, uint32_t other, uint64_t quantity, int64_t held,
                                 struct vf__form form) {
    if (form.units) quantity = given(w->job, &w->amounts, quantity);
    uint32_t word = (uint32_t)quantity;
    if (form.bare) {
        word |= other == NONE ? VF__TAPE_OPEN : 0;
        memcpy(at, &word, sizeof word);
        return;
    }
    memcpy(at, &other, sizeof other);
    at += sizeof other;
    if (form.narrow) {
        word |= (uint32_t)(quantity >> 32) & UINT32_C(1) << 31;
        memcpy(at, &word, sizeof word);
        at += sizeof word;
    } else {
        memcpy(at, &quantity, sizeof quantity);
        at += sizeof quantity;
    }
    if (form.timed) memcpy(at, &held, sizeof held);
}

static void write_piece(struct writer *w, uint32_t other, uint64_t quantity, int64_t held) {
    struct vf__form form = w->job->in->form;
    put_piece(room(w, vf__tape_piece(form)), w, other, quantity, held, form);
}

static void write_head(struct writer *w, uint32_t closed, uint32_t opened) {
    uint32_t head = closed | opened << 16;
    bool few = closed < VF__TAPE_FEW && opened < VF__TAPE_FEW;
    if (!few) head = VF__TAPE_WIDE;
    memcpy(room(w, sizeof head), &head, sizeof head);
    if (few) return;
    uint8_t *at = room(w, 2 * sizeof head);
    memcpy(at, &closed, sizeof closed);
    memcpy(at + sizeof closed, &opened, sizeof opened);
}

/* The sum of two quantities of records, to two doubles where they are doubles. */
static struct amount add(const struct writer *w, struct amount sum, uint64_t quantity) {
    if (w->amounts.way == EXACT) {
        double x = as_double(sum.low), y = as_double(quantity), both = x + y, back = both - x;
        return two_sum(both, (x - (both - back)) + (y - back) + as_double(sum.high));
    }
    struct vf__u128 more = {.low = quantity};
    if (w->amounts.way == WIDE && (quantity & VF__LARGE) != 0) more = w->job->out->large[quantity & ~VF__LARGE];
    more = vf__u128_add(more, (struct vf__u128){.low = sum.low, .high = sum.high});
    return (struct amount){.low = more.low, .high = more.high};
}

/* A row that opened a lot, in one piece: what of it was closed, and whether that is all. */
static void write_whole(struct writer *w, const struct vf__record *record, uint32_t n) {
    uint32_t closer = VF__WHOLE;
    struct amount sum = {0};
    for (; n > 0; n--, record++) {
        if (record->closer == NONE)
            closer = NONE;
        else
            sum = add(w, sum, record->quantity & ~VF__EXIT_SIDE);
    }
    write_piece(w, closer, word_of(w->job, sum, w->amounts.way), 0);
}

/* Any row, in any mode: its records, of which it closed the first `closed` and opened the others. */
static void write_row(struct writer *w, const struct vf__record *record, uint32_t closed, uint32_t opened) {
    enum vf_fifo_rows rows = w->job->in->rows;
    uint32_t n_rests = 0;
    for (uint32_t k = 0; rows == VF_FIFO_LOTS && k < opened; k++)
        n_rests += record[closed + k].closer == NONE;
    write_head(w, closed, rows == VF_FIFO_BOTH ? opened : rows == VF_FIFO_EXITS ? opened > 0 : n_rests);
    for (; closed > 0; closed--, record++)
        write_piece(w, record->opener, record->quantity, record->held);
    if (rows == VF_FIFO_EXITS) {
        if (opened > 0) write_whole(w, record, opened);
        return;
    }
    for (; opened > 0; opened--, record++)
        if (rows == VF_FIFO_BOTH || record->closer == NONE)
            write_piece(w, record->closer, record->quantity, record->held);
}

/* A row of FEW pieces at most, which fit the block, in VF_FIFO_BOTH: without a branch a piece. False: not such a row. */
static VF__INLINE bool write_few(struct writer *w, const struct vf__record *record, uint32_t closed, uint32_t opened,
                                 struct vf__form form) {
    size_t piece = vf__tape_piece(form), n = (size_t)closed + opened;
    uint32_t head = closed | opened << 16;
    if (VF__UNLIKELY((n > FEW) | (w->tape.left < sizeof head + FEW * piece))) return false;
    uint8_t *at = w->tape.at;
    memcpy(at, &head, sizeof head);
    for (uint32_t k = 0; k < FEW; k++)
        put_piece(at + sizeof head + k * piece, w, k < closed ? record[k].opener : record[k].closer,
                  record[k].quantity, record[k].held, form);
    w->tape.at = at + sizeof head + n * piece;
    w->tape.left -= (uint32_t)(sizeof head + n * piece);
    return true;
}

/* A row of quantity zero: one piece that says so, except where only what was matched is told. */
static void write_zero(struct writer *w, bool is_exit) {
    bool told = w->job->in->rows != VF_FIFO_LOTS;
    write_head(w, told && is_exit, told && !is_exit);
    if (told) write_piece(w, NONE, 0, 0);
}

int64_t vf__match_pieces(const struct vf__match_tally *t, enum vf_fifo_rows rows) {
    switch (rows) {
    case VF_FIFO_BOTH:
        return 2 * t->n_matched - t->n_from_inventory + t->n_open + t->n_over + t->n_zero + t->n_no_trade;
    case VF_FIFO_EXITS:
        return t->n_matched + t->n_opened + t->n_over + t->n_zero + t->n_no_trade;
    case VF_FIFO_LOTS:
        return t->n_matched + t->n_open + t->n_over;
    }
    return 0;
}

/* Cells up to the end of the block that cell n - 1 is in. */
static uint32_t cells_of(uint32_t n) {
    uint32_t cells = 0;
    while (cells < n)
        cells += vf__chain_block(cells);
    return cells;
}

/* All n rows of a symbol. */
static VF__INLINE void write_rows(struct job *job, const struct bench *bench, const struct amounts *amounts,
                                  size_t group, uint32_t n, struct vf__form form) {
    const struct vf__match_input *in = job->in;
    struct vf__tape *tape = &job->out->tape[group];
    *tape = (struct vf__tape){.first = in->cells->lanes[group].first, .n = n};
    vf__tape_start(tape, in->cells->stride);
    struct writer w = {.job = job, .amounts = *amounts, .tape = *tape, .own = cells_of(n)};
    for (uint32_t i = 0; i < n; i++) {
        const struct span *span = &bench->spans[i];
        if (VF__UNLIKELY(span->start == NOWHERE)) {
            write_zero(&w, span->closed != 0);
            continue;
        }
        const struct vf__record *record = bench->records + span->start;
        uint32_t opened = span->end - span->start - span->closed;
        if (in->rows != VF_FIFO_BOTH || !write_few(&w, record, span->closed, opened, form))
            write_row(&w, record, span->closed, opened);
    }
}

/* Each form has its own loop. */
static void write_group(struct job *job, const struct bench *bench, const struct amounts *amounts, size_t group,
                        uint32_t n) {
    struct vf__form form = job->in->form;
    if (form.bare)
        write_rows(job, bench, amounts, group, n, (struct vf__form){.narrow = true, .bare = true});
    else if (form.timed && form.narrow)
        write_rows(job, bench, amounts, group, n, (struct vf__form){.timed = true, .narrow = true});
    else if (form.narrow)
        write_rows(job, bench, amounts, group, n, (struct vf__form){.narrow = true});
    else if (form.timed && form.units)
        write_rows(job, bench, amounts, group, n, (struct vf__form){.timed = true, .units = true});
    else if (form.units)
        write_rows(job, bench, amounts, group, n, (struct vf__form){.units = true});
    else if (form.timed)
        write_rows(job, bench, amounts, group, n, (struct vf__form){.timed = true});
    else
        write_rows(job, bench, amounts, group, n, (struct vf__form){0});
}

/* ---- a symbol: to the bench -------------------------------------------------------------------------------------- */

static uint32_t lay_lots(const struct job *job, const struct bench *bench, size_t group) {
    const struct vf__match_input *in = job->in;
    if (job->lots == NULL) return 0;
    uint32_t n = 0;
    for (uint32_t k = job->lot_start[group]; k < job->lot_start[group + 1]; k++) {
        uint32_t lot = job->lots[k];
        bench->items[n++] =
            (struct item){.quantity = in->lot_quantity[lot], .id = in->n_rows + lot, .cell = NONE};
    }
    return n;
}

/* A symbol's trades in row order. */
static void lay_trades(const struct vf__match_input *in, const struct vf__lane *lane, struct item *items) {
    size_t stride = in->cells->stride, row_at = stride - sizeof(uint32_t);
    uint8_t *at = NULL;
    for (uint32_t done = 0, n; done < lane->n; done += n) {
        n = vf__chain_stretch(lane, done, &at);
        const uint8_t *ahead = vf__chain_ahead(in->cells, lane, done, at);
        for (uint32_t i = 0; i < n; i++, at += stride, ahead += stride) {
            VF__PREFETCH(ahead);
            struct item *item = &items[done + i];
            item->cell = done + i;
            item->time = 0;
            memcpy(&item->quantity, at, sizeof(uint64_t));
            memcpy(&item->id, at + row_at, sizeof(uint32_t));
            if (in->form.timed) memcpy(&item->time, at + offsetof(struct vf__trade, time), sizeof(int64_t));
        }
    }
}

/* Into items, from `trades` in row order, by (sort, row). */
static void put_in_order(const struct job *job, const struct bench *bench, const struct vf__lane *lane,
                         const struct item *trades, struct item *items) {
    vf__chain_load(job->in->cells, lane, offsetof(struct vf__trade, sort), sizeof(int64_t), bench->sort);
    for (uint32_t i = 0; i < lane->n; i++)
        bench->order[i] = i;
    vf__rows_sort(bench->sort, bench->order, bench->scratch, lane->n);
    for (uint32_t i = 0; i < lane->n; i++)
        items[i] = trades[bench->order[i]];
}

/* A symbol's trades behind its lots on the bench, in order. */
static void lay_in_order(const struct job *job, const struct bench *bench, const struct vf__lane *lane,
                         struct item *items) {
    struct item *trades = lane->unsorted ? bench->spare : items;
    if (lane->n > 0) lay_trades(job->in, lane, trades);
    if (lane->unsorted) put_in_order(job, bench, lane, trades, items);
}

/* ---- a symbol: its quantities ------------------------------------------------------------------------------------- */

/* Of floats that are whole and below 2^31. */
static void lay_whole(struct item *items, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) {
        uint64_t side = items[i].quantity & VF__EXIT_SIDE;
        items[i].quantity = (uint64_t)as_double(items[i].quantity & ~VF__EXIT_SIDE) | side;
    }
}

/* Makes floats whole: units of the last decimal place that any has. False: one of them is no such decimal, or there are
   too many units; nothing is changed then. */
static bool lay_units(const struct bench *bench, uint32_t n, bool single, struct amounts *out) {
    static const uint64_t tens[VF__PLACES + 1] = {1,      10,      100,      1000,      10000,
                                                  100000, 1000000, 10000000, 100000000, 1000000000};
    const uint64_t loose = UINT64_C(1) << (single ? 20 : 49); /* so many units are near every float: see is_dust */
    unsigned most = 0, place = 0;
    bool round = false;
    for (uint32_t i = 0; i < n; i++) {
        double x = as_double(bench->items[i].quantity & ~VF__EXIT_SIDE);
        bench->units[i] = bench->places[i] = 0;
        if (x == 0) continue;
        if (!vf__units_of(x, single, &place, &bench->units[i])) return false;
        bench->places[i] = (uint8_t)place;
        round |= bench->units[i] >= loose && !vf__units_exact(x, place, bench->units[i]);
        most = place > most ? place : most;
    }
    uint64_t least = UINT64_MAX;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t ten = tens[most - bench->places[i]];
        if (bench->units[i] > (uint64_t)INT64_MAX / ten) return false;
        bench->units[i] *= ten;
        if (bench->units[i] != 0 && bench->units[i] < least) least = bench->units[i];
    }
    for (uint32_t i = 0; i < n; i++)
        bench->items[i].quantity = bench->units[i] | (bench->items[i].quantity & VF__EXIT_SIDE);
    *out = (struct amounts){.way = round ? ROUND : WHOLE, .place = most, .single = single, .least = least};
    return true;
}

static struct amounts lay_amounts(const struct job *job, const struct bench *bench, uint32_t n) {
    enum vf__amounts given = job->in->amounts;
    struct amounts amounts = {.way = WHOLE, .single = given == VF__AMOUNTS_SINGLE};
    if (given == VF__AMOUNTS_DECIMAL) {
        for (uint32_t i = 0; i < n && job->in->n_large > 0; i++)
            if ((bench->items[i].quantity & VF__LARGE) != 0) amounts.way = WIDE;
    } else if (vf__amounts_float(given)) {
        if (job->in->form.narrow)
            lay_whole(bench->items, n);
        else if (!lay_units(bench, n, amounts.single, &amounts))
            amounts.way = EXACT;
    }
    return amounts;
}

static void match_group(struct job *job, const struct bench *bench, size_t group, struct vf__match_tally *tally) {
    const struct vf__match_input *in = job->in;
    const struct vf__lane *lane = &in->cells->lanes[group];
    if (lane->n == 0 && job->rests == NULL) return; /* lots alone give nothing */
    uint32_t n_lots = lay_lots(job, bench, group), n = lane->n;
    if (n > 0) lay_in_order(job, bench, lane, bench->items + n_lots);
    struct walk w = {.items = bench->items,
                     .records = bench->records,
                     .spans = bench->spans,
                     .queue = bench->queue,
                     .shorts = in->on_excess == VF_EXCESS_OPEN_SHORT,
                     .tally = tally,
                     .job = job,
                     .amounts = lay_amounts(job, bench, n_lots + n)};
    tally->n_no_trade -= n;
    walk_all(&w, n_lots + n, group);
    if (n == 0 || job->dry) return;
    memset(bench->records + w.n, 0, FEW * sizeof *bench->records);
    write_group(job, bench, &w.amounts, group, n);
}

/* Counts the trades that are earlier than the one before. */
static void look_back(const struct job *job, const struct bench *bench, size_t group, struct vf__match_tally *tally) {
    const struct vf__lane *lane = &job->in->cells->lanes[group];
    if (lane->n == 0) return;
    const struct item *items = bench->items;
    lay_in_order(job, bench, lane, bench->items);
    for (uint32_t i = 1; i < lane->n; i++) {
        if (items[i].time >= items[i - 1].time) continue;
        tally->n_back++;
        if (items[i].id < tally->first_back) tally->first_back = items[i].id;
    }
}

static void match_groups(void *arg, size_t worker) {
    struct job *job = arg;
    size_t n_groups = job->in->cells->n_lanes;
    for (;;) {
        size_t group = atomic_fetch_add_explicit(&job->next, GROUPS_AT_ONCE, memory_order_relaxed);
        if (group >= n_groups) return;
        size_t end = n_groups - group < GROUPS_AT_ONCE ? n_groups : group + GROUPS_AT_ONCE;
        for (; group < end; group++) {
            if (job->looking)
                look_back(job, &job->benches[worker], group, &job->tallies[worker]);
            else
                match_group(job, &job->benches[worker], group, &job->tallies[worker]);
        }
    }
}

bool vf__match_narrow(const uint64_t *quantity, size_t n, bool is_float) {
    uint64_t bits = 0;
    int other = 0;
    for (size_t i = 0; i < n && !is_float; i++)
        bits |= quantity[i];
    for (size_t i = 0; i < n && is_float; i++) {
        double x = as_double(quantity[i] & ~VF__EXIT_SIDE);
        other |= x != (double)(int32_t)(x < 0x1p31 ? x : 0);
    }
    return ((bits & ~VF__EXIT_SIDE) >> 31 | (uint64_t)other) == 0;
}

/* ---- set-up ----------------------------------------------------------------------------------------------------- */

/* Lots by group, in their order. */
static enum vf_status sort_lots(struct job *job, const struct vf_context *ctx, struct vf_error *err) {
    const struct vf__match_input *in = job->in;
    size_t n_groups = in->cells->n_lanes;
    if (in->n_lots == 0) return VF_OK;
    job->lots = vf__alloc(ctx, in->n_lots, sizeof *job->lots);
    job->lot_start = vf__zalloc(ctx, n_groups + 2, sizeof *job->lot_start);
    if (job->lots == NULL || job->lot_start == NULL) return vf__fail_memory(err, in->n_lots * sizeof *job->lots);
    uint32_t *at = job->lot_start + 1; /* one place on: filling moves each group's start to the next one's */
    for (size_t k = 0; k < in->n_lots; k++)
        at[in->lot_group[k] + 1]++;
    for (size_t g = 0; g < n_groups; g++)
        at[g + 1] += at[g];
    for (size_t k = 0; k < in->n_lots; k++)
        job->lots[at[in->lot_group[k]]++] = (uint32_t)k;
    return VF_OK;
}

static size_t lots_of(const struct job *job, size_t group) {
    return job->lots != NULL ? job->lot_start[group + 1] - job->lot_start[group] : 0;
}

static enum vf_status benches_new(struct job *job, const struct vf_context *ctx, struct vf_error *err) {
    for (size_t g = 0; g < job->in->cells->n_lanes; g++) {
        const struct vf__lane *lane = &job->in->cells->lanes[g];
        size_t n = lane->n + lots_of(job, g);
        if ((lane->n > 0 || job->rests != NULL) && n > job->most) job->most = n;
        if (lane->unsorted && lane->n > job->most_unsorted) job->most_unsorted = lane->n;
    }
    job->most_units = job->in->form.units ? job->most : 0;
    job->n_benches = ctx->n_threads < MAX_WORKERS ? ctx->n_threads : MAX_WORKERS;
    job->benches = vf__zalloc(ctx, job->n_benches, sizeof *job->benches);
    if (job->benches == NULL) return vf__fail_memory(err, job->n_benches * sizeof *job->benches);
    for (size_t i = 0; i < job->n_benches; i++) {
        struct bench *b = &job->benches[i];
        b->items = vf__alloc(ctx, job->most, sizeof *b->items);
        b->spare = vf__alloc(ctx, job->most_unsorted, sizeof *b->spare);
        b->records = vf__alloc(ctx, job->most + FEW, sizeof *b->records);
        b->spans = vf__alloc(ctx, job->most, sizeof *b->spans);
        b->queue = vf__alloc(ctx, job->most, sizeof *b->queue);
        b->order = vf__alloc(ctx, job->most_unsorted, sizeof *b->order);
        b->scratch = vf__alloc(ctx, job->most_unsorted, sizeof *b->scratch);
        b->sort = vf__alloc(ctx, job->most_unsorted, sizeof *b->sort);
        b->units = vf__alloc(ctx, job->most_units, sizeof *b->units);
        b->places = vf__alloc(ctx, job->most_units, sizeof *b->places);
        if (b->items == NULL || b->spare == NULL || b->records == NULL || b->spans == NULL || b->queue == NULL ||
            b->order == NULL || b->scratch == NULL || b->sort == NULL || b->units == NULL || b->places == NULL)
            return vf__fail_memory(err, job->most * sizeof *b->records);
    }
    return VF_OK;
}

static void release(struct job *job, const struct vf_context *ctx) {
    for (size_t i = 0; job->benches != NULL && i < job->n_benches; i++) {
        struct bench *b = &job->benches[i];
        vf__free(ctx, b->items, job->most, sizeof *b->items);
        vf__free(ctx, b->spare, job->most_unsorted, sizeof *b->spare);
        vf__free(ctx, b->records, job->most + FEW, sizeof *b->records);
        vf__free(ctx, b->spans, job->most, sizeof *b->spans);
        vf__free(ctx, b->queue, job->most, sizeof *b->queue);
        vf__free(ctx, b->order, job->most_unsorted, sizeof *b->order);
        vf__free(ctx, b->scratch, job->most_unsorted, sizeof *b->scratch);
        vf__free(ctx, b->sort, job->most_unsorted, sizeof *b->sort);
        vf__free(ctx, b->units, job->most_units, sizeof *b->units);
        vf__free(ctx, b->places, job->most_units, sizeof *b->places);
    }
    vf__free(ctx, job->rest_start, job->in->cells->n_lanes, sizeof *job->rest_start);
    vf__free(ctx, job->n_rests, job->in->cells->n_lanes, sizeof *job->n_rests);
    vf__free(ctx, job->benches, job->n_benches, sizeof *job->benches);
    vf__free(ctx, job->lots, job->in->n_lots, sizeof *job->lots);
    vf__free(ctx, job->lot_start, job->in->cells->n_lanes + 2, sizeof *job->lot_start);
}

/* Bytes of the blocks that a tape of n rows may need beyond their cells. A record that ends a row is two pieces at most,
   one that ends a lot of the inventory is one; each block may have as much left over as a piece, or a wide head, is long,
   less one word. */
static size_t most_spilt(uint32_t n, size_t n_lots, size_t stride, size_t piece) {
    size_t pieces = 2 * (size_t)n + n_lots, bytes = 0;
    size_t need = n * sizeof(uint32_t) + pieces * piece + pieces / VF__TAPE_FEW * 2 * sizeof(uint32_t);
    size_t longest = piece > 2 * sizeof(uint32_t) ? piece : 2 * sizeof(uint32_t);
    uint32_t own = cells_of(n);
    for (uint32_t cells = 0, block; n > 0 && need > 0; cells += block) {
        block = vf__chain_block(cells);
        size_t used = block * stride - (longest - sizeof(uint32_t));
        need = need > used ? need - used : 0;
        if (cells >= own) bytes += vf__chain_bytes(stride, block);
    }
    return bytes;
}

static size_t trades_of(const struct vf__match_input *in) {
    size_t n = 0;
    for (size_t g = 0; g < in->cells->n_lanes; g++)
        n += in->cells->lanes[g].n;
    return n;
}

static enum vf_status tapes_new(const struct job *job, struct vf__tapes *tapes, const struct vf_context *ctx,
                                struct vf_error *err) {
    const struct vf__match_input *in = job->in;
    const struct vf__chains *cells = in->cells;
    *tapes = (struct vf__tapes){.ctx = *ctx,
                                .form = in->form,
                                .is_float = vf__amounts_float(in->amounts),
                                .stride = cells->stride,
                                .n = cells->n_lanes};
    for (size_t g = 0; g < cells->n_lanes; g++)
        tapes->spill_bytes += most_spilt(cells->lanes[g].n, lots_of(job, g), cells->stride,
                                         vf__tape_piece(in->form));
    tapes->tape = vf__zalloc(ctx, tapes->n, sizeof *tapes->tape);
    tapes->spill = vf__alloc(ctx, tapes->spill_bytes + VF__SLAB_PAD, 1);
    /* a record each, and in VF_FIFO_EXITS a row's sum; and what is left of a lot */
    if (in->n_large > 0) tapes->large_room = 2 * (trades_of(in) + in->n_lots);
    tapes->large = vf__alloc(ctx, tapes->large_room, sizeof *tapes->large);
    if (tapes->tape != NULL && tapes->spill != NULL && tapes->large != NULL) return VF_OK;
    return vf__fail_memory(err, tapes->spill_bytes + tapes->n * sizeof *tapes->tape);
}

static void add_up(const struct job *job, struct vf__match_tally *out) {
    *out = (struct vf__match_tally){.n_no_trade = job->in->n_rows, .first_over = NONE, .first_back = NONE};
    for (size_t i = 0; i < job->n_benches; i++) {
        const struct vf__match_tally *t = &job->tallies[i];
        out->n_matched += t->n_matched;
        out->n_from_inventory += t->n_from_inventory;
        out->n_open += t->n_open;
        out->n_over += t->n_over;
        out->n_opened += t->n_opened;
        out->n_zero += t->n_zero;
        out->n_no_trade += t->n_no_trade;
        if (t->first_over < out->first_over) out->first_over = t->first_over;
        out->n_back += t->n_back;
        if (t->first_back < out->first_back) out->first_back = t->first_back;
    }
}

/* Room for rests, group by group. */
static enum vf_status rests_new(struct job *job, struct vf__rests *rests, const struct vf_context *ctx,
                                struct vf_error *err) {
    const struct vf__match_input *in = job->in;
    size_t n_groups = in->cells->n_lanes, at = 0;
    if (!in->rests) return VF_OK;
    *rests = (struct vf__rests){.room = trades_of(in) + in->n_lots};
    job->rests = rests->data = vf__alloc(ctx, rests->room, sizeof *rests->data);
    job->rest_start = vf__alloc(ctx, n_groups, sizeof *job->rest_start);
    job->n_rests = vf__zalloc(ctx, n_groups, sizeof *job->n_rests);
    if (rests->data == NULL || job->rest_start == NULL || job->n_rests == NULL)
        return vf__fail_memory(err, rests->room * sizeof *rests->data);
    for (size_t g = 0; g < n_groups; g++) {
        job->rest_start[g] = at;
        at += in->cells->lanes[g].n + lots_of(job, g);
    }
    return VF_OK;
}

/* One behind the other. */
static void draw_together(const struct job *job, struct vf__rests *rests) {
    for (size_t g = 0; job->rests != NULL && g < job->in->cells->n_lanes; g++) {
        if (job->n_rests[g] > 0)
            memmove(rests->data + rests->n, rests->data + job->rest_start[g], job->n_rests[g] * sizeof *rests->data);
        rests->n += job->n_rests[g];
    }
}

static void match_all(struct job *job, const struct vf_context *ctx, struct vf__match_tally *tally) {
    atomic_store(&job->next, 0);
    atomic_store(&job->large, 0);
    for (size_t i = 0; i < job->n_benches; i++)
        job->tallies[i] = (struct vf__match_tally){.first_over = NONE, .first_back = NONE};
    vf__parallel(ctx, job->n_benches, match_groups, job);
    add_up(job, tally);
}

enum vf_status vf__match_run(const struct vf_context *ctx, const struct vf__match_input *in, struct vf__tapes *out,
                             struct vf__rests *rests, struct vf__match_tally *tally, struct vf_error *err) {
    struct job job = {.in = in, .out = out, .dry = in->on_excess == VF_EXCESS_RAISE};
    atomic_init(&job.next, 0);
    atomic_init(&job.spilt, 0);
    atomic_init(&job.large, 0);
    *rests = (struct vf__rests){0};
    enum vf_status status = sort_lots(&job, ctx, err);
    if (status == VF_OK) status = tapes_new(&job, out, ctx, err);
    if (status == VF_OK) status = rests_new(&job, rests, ctx, err);
    if (status == VF_OK) status = benches_new(&job, ctx, err);
    *tally = (struct vf__match_tally){0};
    if (status == VF_OK && in->forward) {
        job.looking = true;
        match_all(&job, ctx, tally);
        job.looking = false;
    }
    bool forward = tally->n_back == 0;
    if (status == VF_OK && forward) match_all(&job, ctx, tally);
    if (status == VF_OK && forward && job.dry && tally->n_over == 0) { /* nothing to raise: once more, and for good */
        job.dry = false;
        match_all(&job, ctx, tally);
    }
    if (status == VF_OK) draw_together(&job, rests);
    release(&job, ctx);
    if (status == VF_OK) return VF_OK;
    vf__tapes_release(out);
    vf__free(ctx, rests->data, rests->room, sizeof *rests->data);
    *rests = (struct vf__rests){0};
    return status;
}
