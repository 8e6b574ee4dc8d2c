/* VizFlow: what a trading day's file needs, computed in C.

   The whole public interface of libvizflow and its reference text. Data goes in and comes out through the
   Arrow C Data Interface; there is no other dependency than libc and libm. Reads as C99 and later, and as C++11 and
   later. docs/c-reference.md is made from it.

   Rules that hold for every function below
   - Whatever can fail returns `enum vf_status`. The last parameter `err` may be NULL; it is written on failure
     only. Checks come first: a rejected call writes nothing to its outputs and changes no object.
   - Errors that the texts do not repeat: VF_ERROR_MEMORY from whatever asks for memory; from whatever reads columns
     VF_ERROR_ARROW (malformed), VF_ERROR_TYPE (a type that is not taken), VF_ERROR_ARGUMENT (a column is missing, or
     those of one call differ in length) and VF_ERROR_OVERFLOW (a uint64 past int64, or a time past the 292 years
     around 1970 that int64 nanoseconds hold).
   - Pointer parameters are *borrowed* for the length of the call unless the text says *takes* (the callee owns
     it, on success only) or *gives* (the caller owns it afterwards and ends it as the text says). `open` gives an
     object, ended by `close`; a call with a `struct vf_column *out` gives columns, each ended by vf_column_release.
     No pointer may be NULL but `ctx`, `err` and those of which the text says so; options, calendars and columns that
     are, are refused with VF_ERROR_ARGUMENT.
   - `ctx` may be NULL: malloc, and one thread a core. It is copied by `open`.
   - Results never depend on the number of threads, on how columns are cut into chunks, or on how rows are cut
     into calls of `update`: the same rows give the same bits.
   - Time is int64 with its unit in the name. Float seconds are converted once, rounded to the nanosecond.
   - Objects are made by `open` and ended by `close`; `close(NULL)` does nothing. One object, one thread at a
     time; different objects may be used from different threads at once. There is no global state. */
#ifndef VIZFLOW_H
#define VIZFLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Enums that programs in other languages name too are lists of rows: constant, pinned value, its name in texts. */
#define VF_ENUM_ROW(constant, value, text) constant = value,

#ifdef __cplusplus
extern "C" {
#endif

#if defined(_WIN32)
#define VF_API
#elif defined(__GNUC__) || defined(__clang__)
#define VF_API __attribute__((visibility("default")))
#else
#define VF_API
#endif

#define VF_VERSION "0.1.0"

/* The version this library was built as, for example "0.1.0". */
VF_API const char *vf_version(void);

/* ---- Arrow C Data Interface (https://arrow.apache.org/docs/format/CDataInterface.html) ---- */

#ifndef ARROW_C_DATA_INTERFACE
#define ARROW_C_DATA_INTERFACE

#define ARROW_FLAG_DICTIONARY_ORDERED 1
#define ARROW_FLAG_NULLABLE 2
#define ARROW_FLAG_MAP_KEYS_SORTED 4

struct ArrowSchema {
    const char *format;
    const char *name;
    const char *metadata;
    int64_t flags;
    int64_t n_children;
    struct ArrowSchema **children;
    struct ArrowSchema *dictionary;
    void (*release)(struct ArrowSchema *);
    void *private_data;
};

struct ArrowArray {
    int64_t length;
    int64_t null_count;
    int64_t offset;
    int64_t n_buffers;
    int64_t n_children;
    const void **buffers;
    struct ArrowArray **children;
    struct ArrowArray *dictionary;
    void (*release)(struct ArrowArray *);
    void *private_data;
};

#endif /* ARROW_C_DATA_INTERFACE */

#ifndef ARROW_C_STREAM_INTERFACE
#define ARROW_C_STREAM_INTERFACE

struct ArrowArrayStream {
    int (*get_schema)(struct ArrowArrayStream *, struct ArrowSchema *out);
    int (*get_next)(struct ArrowArrayStream *, struct ArrowArray *out);
    const char *(*get_last_error)(struct ArrowArrayStream *);
    void (*release)(struct ArrowArrayStream *);
    void *private_data;
};

#endif /* ARROW_C_STREAM_INTERFACE */

/* ---- status and errors ---- */

/* name, pinned value, meaning. Values never change; new ones go to the end. */
#define VF_STATUS_MAP(X)                                                                                       \
    X(OK, 0, "success")                                                                                        \
    X(ERROR_MEMORY, 1, "the allocator gave no memory")                                                         \
    X(ERROR_ARGUMENT, 2, "an option is not acceptable: width, horizon, session, ...")                          \
    X(ERROR_TYPE, 3, "a column has a type the operation does not take")                                        \
    X(ERROR_DATA, 4, "a value in a row is not acceptable")                                                     \
    X(ERROR_OVERFLOW, 5, "a result does not fit its type")                                                     \
    X(ERROR_ARROW, 6, "an Arrow structure is malformed")                                                       \
    X(ERROR_REPLAY, 7, "the rows read a second time are not the rows read first")                              \
    X(ERROR_STATE, 8, "the object is not in the state this call needs")                                        \
    X(ERROR_IO, 9, "the operating system refused a file operation")                                            \
    X(ERROR_RANGE, 10, "a date lies outside what the calendar knows")

enum vf_status {
#define VF_STATUS_ENUM(name, value, text) VF_##name = value,
    VF_STATUS_MAP(VF_STATUS_ENUM)
#undef VF_STATUS_ENUM
};

/* The status's name without its prefix ("ERROR_DATA"), and its meaning. Static strings. */
VF_API const char *vf_status_name(enum vf_status status);
VF_API const char *vf_status_text(enum vf_status status);

/* What went wrong, written by the call that fails. Plain memory: nothing to end. */
struct vf_error {
    enum vf_status code;
    int64_t row;   /* first row concerned, counted from 0 over all the rows seen; -1 where there is none */
    int64_t count; /* how many rows are concerned, where they were counted; else 1 */
    char column[128];
    char message[512]; /* names the value and what is accepted; UTF-8, no newline */
};

/* ---- context ---- */

/* Where memory comes from. `resize` and `release` are told the size that was asked for; `allocate` and `resize` give
   NULL when there is none, and a failed resize leaves the block. All three or none are set. They are called from several
   threads at once, unless n_threads is 1. */
struct vf_allocator {
    void *(*allocate)(void *state, size_t size);
    void *(*resize)(void *state, void *block, size_t old_size, size_t new_size);
    void (*release)(void *state, void *block, size_t size);
    void *state;
};

/* A thread that calls needs 64 KiB of stack that are free (musl's threads have 128); the library's own threads are made
   with what the system gives. */

/* What a call works with: borrowed, and copied by `open`. What `state` points to has to live as long as the objects
   and the columns made with it. */
struct vf_context {
    struct vf_allocator allocator; /* zeroed: malloc */
    uint32_t n_threads;            /* 0: one a core */
};

/* ---- columns ---- */

/* A column to read: one type, any number of chunks, each an array of that type. Nothing in it is released by
   the library. Chunks may be empty, sliced (offset > 0), and of any size. Extension types are read as their
   storage; dictionaries are looked through. */
struct vf_series {
    const struct ArrowSchema *schema;
    const struct ArrowArray *const *chunks;
    size_t n_chunks;
};

/* A column that is given: the caller calls both release functions (or moves the structs on). */
struct vf_column {
    struct ArrowSchema schema;
    struct ArrowArray array;
};

/* Releases what is in *column, if anything, and zeroes it. NULL is fine. */
VF_API void vf_column_release(struct vf_column *column);

/* Repeats row i of `series` counts[i] times, in order: the row-expanding step. Gives one chunk of the same type.
   Fixed-width types, booleans, (large) strings and binaries, views (whose text buffers are shared by copy of
   the view, see below), dictionaries, and null; also types that no other function reads: decimals, intervals,
   fixed-size binaries, half floats. n must be the series' length, else VF_ERROR_ARGUMENT. Other types: VF_ERROR_TYPE.
   Chunks with string dictionaries of their own get a common one (VF_ERROR_OVERFLOW when its keys cannot number all
   values); with other dictionaries they are VF_ERROR_TYPE. More than 2^31 - 1 bytes of text under 32-bit offsets are
   VF_ERROR_OVERFLOW.
   Takes `owner`, by way of `release_owner` (both may be NULL): views and dictionaries keep pointing into the series'
   buffers; the given array, of whatever type, calls release_owner(owner) exactly once when it is released, and never
   when the call fails. */
VF_API enum vf_status vf_column_expand(const struct vf_context *ctx, const struct vf_series *series,
                                       const uint32_t *counts, int64_t n, void *owner,
                                       void (*release_owner)(void *owner), struct vf_column *out,
                                       struct vf_error *err);

/* ---- clock: wall time -> elapsed trading time ---- */

/* Nanoseconds of a day. */
#define VF_DAY_NS INT64_C(86400000000000)

/* Nanoseconds since local midnight of the trading day, closed at both ends. Only the first session may start
   before midnight (start_ns < 0: a night session that began the evening before); it may end there, too: 21:00 to
   23:00 of a day whose sessions follow the next morning is -3 h to -1 h. */
struct vf_session {
    int64_t start_ns;
    int64_t end_ns;
};

/* What becomes of a time of day that lies in no session. */
#define VF_OUTSIDE_MAP(X)                                                                           \
    X(VF_OUTSIDE_NULL, 0, "null") /* a time in no session is null */                                \
    X(VF_OUTSIDE_CLIP, 1, "clip") /* it is moved to the nearest session end (a tie: the earlier) */ \
    X(VF_OUTSIDE_RAISE, 2, "raise") /* VF_ERROR_DATA with the count and the first row */
enum vf_outside { VF_OUTSIDE_MAP(VF_ENUM_ROW) };

/* How an integer spells a time. */
#define VF_TIME_LAYOUT_MAP(X)                                                                         \
    X(VF_LAYOUT_AUTO, 0, "auto") /* by the digit rule, see vf_clock_elapsed */                        \
    X(VF_LAYOUT_HHMMSS, 1, "HHMMSS")                                                                  \
    X(VF_LAYOUT_HHMMSSMMM, 2, "HHMMSSmmm")                                                            \
    X(VF_LAYOUT_SECONDS, 3, "midnight_s") /* since local midnight, as the next three */               \
    X(VF_LAYOUT_MILLISECONDS, 4, "midnight_ms")                                                       \
    X(VF_LAYOUT_MICROSECONDS, 5, "midnight_us")                                                       \
    X(VF_LAYOUT_NANOSECONDS, 6, "midnight_ns")                                                        \
    X(VF_LAYOUT_YYYYMMDDHHMM, 7, "YYYYMMDDHHMM") /* a local date and its time, as the next two */     \
    X(VF_LAYOUT_YYYYMMDDHHMMSS, 8, "YYYYMMDDHHMMSS")                                                  \
    X(VF_LAYOUT_YYYYMMDDHHMMSSMMM, 9, "YYYYMMDDHHMMSSmmm")                                            \
    X(VF_LAYOUT_EPOCH_S, 10, "s") /* since 1970-01-01 UTC, as the next three: these need `offsets` */ \
    X(VF_LAYOUT_EPOCH_MS, 11, "ms")                                                                   \
    X(VF_LAYOUT_EPOCH_US, 12, "us")                                                                   \
    X(VF_LAYOUT_EPOCH_NS, 13, "ns")
enum vf_time_layout { VF_TIME_LAYOUT_MAP(VF_ENUM_ROW) };

/* From a moment on (ns since 1970-01-01 UTC) a zone's local time less UTC, less than a day. */
struct vf_offset {
    int64_t from_ns;
    int64_t offset_ns; /* or VF_OFFSET_UNKNOWN */
};
#define VF_OFFSET_UNKNOWN INT64_MIN

/* How vf_clock_elapsed reads times. What it points to is borrowed for the call. */
struct vf_clock_options {
    const struct vf_session *sessions;
    size_t n_sessions;
    enum vf_outside outside;
    int64_t grace_ns; /* a time within this distance of a session is moved to its end, whatever `outside` says */
    enum vf_time_layout layout;
    const struct vf_offset *offsets; /* the market's time zone, its changes in order; NULL: none */
    size_t n_offsets;
    bool has_day; /* `day` is the trading day of all rows, as days since 1970-01-01 */
    int32_t day;
    const struct vf_calendar *calendar; /* its nights and weekends; NULL: those of `sessions`, Saturday and Sunday */
    bool whole; /* the series is the whole column: VF_ERROR_DATA when it has values, and none can be read */
};

/* What vf_clock_elapsed met. A first row is -1 where there is none. */
struct vf_clock_report {
    int64_t n_rows;
    int64_t n_null;       /* null in the input */
    int64_t n_unreadable; /* impossible digits, text or dates: 99:99, 2024-02-30 */
    int64_t n_outside;    /* a time of the day, but in no session (clipped ones are counted here too) */
    int64_t n_other_date; /* stamps of another trading day */
    int64_t first_unreadable, first_outside, first_other_date;
};

/* VF_OK when the sessions are 1 to 64, in order, share no instant (nor with those of the next day), and lie within
   a day; else VF_ERROR_ARGUMENT, which names the session. */
VF_API enum vf_status vf_sessions_check(const struct vf_session *sessions, size_t n_sessions,
                                        struct vf_error *err);

/* Length of all sessions together, in nanoseconds; 0 for sessions that vf_sessions_check refuses. */
VF_API int64_t vf_sessions_length_ns(const struct vf_session *sessions, size_t n_sessions);

/* Elapsed trading nanoseconds of one time of day (ns since midnight): offset of its session + time into it.
   Returns false when it is in no session, even with grace, when it is not in 0 .. VF_DAY_NS, and for sessions that
   vf_sessions_check refuses; then *elapsed_ns is unchanged. */
VF_API bool vf_sessions_elapsed_ns(const struct vf_session *sessions, size_t n_sessions, int64_t grace_ns,
                                   int64_t time_ns, int64_t *elapsed_ns);

/* vf_sessions_elapsed_ns of a column. Accepts timestamps (any unit; with a zone where `offsets` are given),
   time32/time64, integers in `layout`, and text without zone: "[date]HH:MM[:SS[.f]]", the date as 2024-10-01,
   2024/10/01, 2024.10.01 or 20241001, and T, D, a space, or behind the last of these - before the time. Gives float64
   seconds when the type can carry fractions of a second, else int64 seconds ("tts", "tss:", integers of whole seconds;
   these refuse sessions that do not start and end on whole seconds).
   Without `has_day` the time of day counts, whatever the date. With it, a stamp that has a date and is of another
   trading day is null and counted, or VF_ERROR_DATA under VF_OUTSIDE_RAISE; no grace and no clipping moves it. A
   stamp is of the day of its date; but for what is traded in a night session: the evening before, or over a weekend the
   Friday's, is the day's.
   With `offsets`, moments are placed by real time where the clocks change within a session: a market open for 24 hours
   has 23 or 25 on such a day, and time goes forward. A moment of unknown offset is not readable; nor is a time
   since 1970 of less than a day, which is one since midnight, or none.
   Null stays null. What cannot be read becomes null, or is VF_ERROR_DATA with count and first row under
   VF_OUTSIDE_RAISE, as times in no session are. Sessions that vf_sessions_check refuses, a negative grace_ns and
   unknown options are VF_ERROR_ARGUMENT.
   The digit rule of VF_LAYOUT_AUTO: 7 to 9 digits are HHMMSSmmm, up to 6 are HHMMSS; a value of up to 6 digits
   that would, read as HHMMSSmmm, also fall in a session, a column that has both kinds, and (told of a `whole` one) a
   column whose every value could be time since midnight, some of it in a session, are refused as ambiguous,
   VF_ERROR_DATA (0 is midnight either way). `report` may be NULL. */
VF_API enum vf_status vf_clock_elapsed(const struct vf_context *ctx, const struct vf_series *time,
                                       const struct vf_clock_options *options, struct vf_column *out,
                                       struct vf_clock_report *report, struct vf_error *err);

/* Whether vf_clock_elapsed of a column of this type gives float64 ("g") or int64 ("l"); NULL when the type is
   not accepted. A static string. */
VF_API const char *vf_clock_elapsed_format(const struct ArrowSchema *schema, enum vf_time_layout layout);

/* ---- calendar: trading days, and the sessions of each ---- */

/* Days are int32, counted from 1970-01-01 (Arrow's date32). A calendar does not change once it is open: any number of
   threads may read it. A day outside first .. last is never guessed at: VF_ERROR_RANGE, which names what is known; and
   a calendar without days gives VF_ERROR_STATE where days are asked for. */
struct vf_calendar;

/* What a calendar knows of itself. */
struct vf_calendar_info {
    char name[48];
    bool has_days;                 /* false: sessions only, see vf_calendar_open */
    int32_t first, last, verified; /* known from .. to; closures decided after `verified` may be missing */
    int64_t n_days;                /* trading days */
};

/* Opens a calendar from its text, UTF-8 lines in this order; # begins a comment line.
     calendar NAME              at most 47 bytes
     first 1990-12-19           the first and the last day that is known, at most 200 years apart
     last 2026-12-31
     verified 2026-10-05        optional, first .. last; else `last`
     week 12345                 optional: days of the week that are traded (1 is Monday); else 12345
     closed                     then a line a year: those of them that are not traded, single or from-to
     2024 0101 0212-0216
     adhoc                      the same: closed, but not by schedule (weather)
     2023 0901 0908
     hours 1990-12-19 0930-1130 1300-1500     sessions from that day on, HHMM or HHMMSS; at least one such line
     special 0930-1200          then lines as above: days with other sessions; the later line counts
     2024 1224 1231
   A session that ends at or before its start, or is written ^2100-2300, began the evening before; only the first may.
   `first`, `last`, `week`, `closed` and `adhoc` may all be left out: such a calendar holds sessions only, for any
   day, and everything that needs to know trading days fails with VF_ERROR_STATE.
   VF_ERROR_ARGUMENT names the line. *gives* *out, to be ended with vf_calendar_close. */
VF_API enum vf_status vf_calendar_open(const struct vf_context *ctx, const char *text, size_t length,
                                       struct vf_calendar **out, struct vf_error *err);

/* Opens a calendar of the days of a column (Date), in any order, twice counts once; known from the first to the last.
   It has no sessions. A null is VF_ERROR_DATA, no day at all VF_ERROR_ARGUMENT. */
VF_API enum vf_status vf_calendar_open_days(const struct vf_context *ctx, const struct vf_series *days,
                                            struct vf_calendar **out, struct vf_error *err);

/* Ends a calendar, with the days and sessions that it lent. NULL is fine. */
VF_API void vf_calendar_close(struct vf_calendar *calendar);

/* Name, span and number of days. */
VF_API void vf_calendar_describe(const struct vf_calendar *calendar, struct vf_calendar_info *out);

/* Whether a day is traded. VF_ERROR_RANGE for a day that is not known, VF_ERROR_STATE for a calendar without days. */
VF_API enum vf_status vf_calendar_is_trading_day(const struct vf_calendar *calendar, int32_t day, bool *out,
                                                 struct vf_error *err);

/* The first trading day after a day, and the last before it; the day itself need not be traded. VF_ERROR_RANGE where
   the calendar knows of none, or does not know the day; VF_ERROR_STATE for a calendar without days. */
VF_API enum vf_status vf_calendar_next(const struct vf_calendar *calendar, int32_t day, int32_t *out,
                                       struct vf_error *err);
VF_API enum vf_status vf_calendar_prev(const struct vf_calendar *calendar, int32_t day, int32_t *out,
                                       struct vf_error *err);

/* How many trading days come before a day: the index of a trading day in the order of all. VF_ERROR_RANGE for a day
   that is not known, VF_ERROR_STATE for a calendar without days. */
VF_API enum vf_status vf_calendar_index(const struct vf_calendar *calendar, int32_t day, int64_t *out,
                                        struct vf_error *err);

/* The trading days from .. to, both included, as a part of the calendar's own list: *days is the calendar's, and
   lives as long. VF_ERROR_ARGUMENT when `to` comes before `from`, VF_ERROR_RANGE when one of them is not known,
   VF_ERROR_STATE for a calendar without days. */
VF_API enum vf_status vf_calendar_range(const struct vf_calendar *calendar, int32_t from, int32_t to,
                                        const int32_t **days, size_t *n, struct vf_error *err);

/* The sessions of a day, which are the calendar's and live as long; none (n = 0) on a day that is not traded.
   VF_ERROR_STATE for a calendar without sessions, VF_ERROR_RANGE for a day that is not known. */
VF_API enum vf_status vf_calendar_sessions(const struct vf_calendar *calendar, int32_t day,
                                           const struct vf_session **sessions, size_t *n,
                                           struct vf_error *err);

/* The calendar as columns "date", "prev_date", "next_date" (date32, null at the edges), a row a trading day, and
   "variant" (int32): which of the calendar's sets of sessions the day has (vf_calendar_variant), -1 without.
   VF_ERROR_STATE for a calendar without days. */
VF_API enum vf_status vf_calendar_columns(const struct vf_context *ctx, const struct vf_calendar *calendar,
                                          struct vf_column out[4], struct vf_error *err);

/* The number of a calendar's sets of sessions, and set number i < that, which is the calendar's and lives as long. */
VF_API size_t vf_calendar_variants(const struct vf_calendar *calendar);
VF_API void vf_calendar_variant(const struct vf_calendar *calendar, size_t i,
                                const struct vf_session **sessions, size_t *n);

/* Dates as date32, from a Date, a timestamp without zone (its day), text "YYYYMMDD" or "YYYY-MM-DD", or an integer
   YYYYMMDD. Null stays null; what is no day is VF_ERROR_DATA with the count, the first row and its value. */
VF_API enum vf_status vf_date_parse(const struct vf_context *ctx, const struct vf_series *dates,
                                    struct vf_column *out, struct vf_error *err);

/* vf_clock_elapsed with the sessions of each row's own day. `date`: a Date column as long as `time`; a null in it
   gives null. A day that is not traded is VF_ERROR_DATA with count and first row, one that is not known VF_ERROR_RANGE.
   options->sessions, has_day, day and calendar are not looked at: stamps that have a date are held against the row's
   day; the other options as in vf_clock_elapsed, VF_ERROR_ARGUMENT and VF_ERROR_DATA too. VF_ERROR_STATE for a
   calendar without sessions. `report` may be NULL. */
VF_API enum vf_status vf_clock_elapsed_on(const struct vf_context *ctx, const struct vf_calendar *calendar,
                                          const struct vf_series *time, const struct vf_series *date,
                                          const struct vf_clock_options *options, struct vf_column *out,
                                          struct vf_clock_report *report, struct vf_error *err);

/* How long each row's day is traded, in elapsed nanoseconds, as duration "tDn": the elapsed time at its end. `offsets`,
   which may be NULL, as in vf_clock_options: real time counts where the clocks change within a session; offsets that
   are not in order are VF_ERROR_ARGUMENT. Null for a null. A day that is not traded is VF_ERROR_DATA with count and
   first row, one that is not known VF_ERROR_RANGE; VF_ERROR_STATE for a calendar without sessions. */
VF_API enum vf_status vf_clock_end_on(const struct vf_context *ctx, const struct vf_calendar *calendar,
                                      const struct vf_series *date, const struct vf_offset *offsets,
                                      size_t n_offsets, struct vf_column *out, struct vf_error *err);

/* How much of each row's day is left, in nanoseconds, as int64: vf_clock_end_on less the elapsed time, negative past
   the end. `elapsed`: integers or floats (seconds) or a duration, as long as `date`; VF_ERROR_TYPE for others. Null
   where either is null (or NaN). `offsets` as there. A day that is not traded is VF_ERROR_DATA with count and first
   row, one that is not known VF_ERROR_RANGE; VF_ERROR_STATE for a calendar without sessions. */
VF_API enum vf_status vf_clock_left_on(const struct vf_context *ctx, const struct vf_calendar *calendar,
                                       const struct vf_series *elapsed, const struct vf_series *date,
                                       const struct vf_offset *offsets, size_t n_offsets, struct vf_column *out,
                                       struct vf_error *err);

/* The trading day of local timestamps (without zone, any unit), as date32: the day itself, but for what is traded in a
   night session. From the night's start on it is the next trading day; up to its end in the morning it is the day
   itself where that is traded, else the next (Saturday's first hours are Monday's). Null stays null, and a night that is
   followed by a closed day of the week has no trading day: null (the day may only be lacking in the calendar, and would
   be folded onto the next). Where a next
   trading day is needed and not known: VF_ERROR_RANGE with the row. A time outside
   the years 1 to 9999 is VF_ERROR_DATA with the row. VF_ERROR_STATE for a calendar without days. */
VF_API enum vf_status vf_clock_trading_day(const struct vf_context *ctx, const struct vf_calendar *calendar,
                                           const struct vf_series *time, struct vf_column *out,
                                           struct vf_error *err);

/* ---- bins and casts ---- */

/* round_half_even(x / width) as int64. Null, NaN and infinities are null. width is finite and > 0, else
   VF_ERROR_ARGUMENT. |x / width| >= 2^53 is VF_ERROR_OVERFLOW with count and first row. snap: a quotient within
   4 ulp of a half, and below 2^48, counts as that half (0.00015 / 1e-4 = 1.4999999999999998 -> 1.5 -> 2). Any
   numeric type, decimals as the closest double, and booleans as 0 and 1. */
VF_API enum vf_status vf_bin_index(const struct vf_context *ctx, const struct vf_series *values, double width,
                                   bool snap, struct vf_column *out, struct vf_error *err);

/* Float to integer without loss: the nearest integer where |x - round(x)| <= tolerance * max(1, |x|), and not
   above max(tolerance, 0.001): 1500000.5 is no integer within 1e-6. Else VF_ERROR_DATA with column, count and
   first row. 0 <= tolerance < 0.5. NaN and infinities are errors, null stays null. `format` is an
   Arrow integer format: one of "cCsSiIlL". Another format or tolerance is VF_ERROR_ARGUMENT. Out of range:
   VF_ERROR_OVERFLOW. */
VF_API enum vf_status vf_cast_integer(const struct vf_context *ctx, const struct vf_series *values,
                                      const char *format, double tolerance, struct vf_column *out,
                                      struct vf_error *err);

/* Integers to float64 without loss: null stays null; integers that no double holds (past 2^53, most of them) are
   VF_ERROR_DATA with column, count and first row; a uint64 past int64 is VF_ERROR_OVERFLOW. */
VF_API enum vf_status vf_cast_float(const struct vf_context *ctx, const struct vf_series *values,
                                    struct vf_column *out, struct vf_error *err);

/* (bid + ask) / 2 as float64. Null where a side is no price: a one-sided book has no mid.
   A price, here and in all that follows, is finite, above zero and below 1e300: vendors write DBL_MAX where there is none.
   Nor is the largest value of a column's type of 32 or 64 bits one: FLT_MAX in float32, INT32_MAX in int32, INT64_MAX,
   UINT32_MAX, UINT64_MAX. What is no price is as if it were null. Decimals of 128 bits are read as the closest double. */
VF_API enum vf_status vf_mid(const struct vf_context *ctx, const struct vf_series *bid,
                             const struct vf_series *ask, struct vf_column *out, struct vf_error *err);

/* What vf_integer_arithmetic computes. */
#define VF_INTEGER_OP_MAP(X)                                                                      \
    X(VF_INTEGER_ADD, 0, "add")                                                                   \
    X(VF_INTEGER_SUB, 1, "sub")                                                                   \
    X(VF_INTEGER_MUL, 2, "mul")                                                                   \
    X(VF_INTEGER_FLOOR_DIVIDE, 3, "floor_divide") /* rounded down; null where the divisor is 0 */ \
    X(VF_INTEGER_POW, 4, "pow")                                                                   \
    X(VF_INTEGER_NEG, 5, "neg")                                                                   \
    X(VF_INTEGER_ABS, 6, "abs")
enum vf_integer_op { VF_INTEGER_OP_MAP(VF_ENUM_ROW) };

/* Arithmetic of integer (or Boolean) columns as int64, whatever their widths: a result that does not fit int64, and a
   negative exponent, are VF_ERROR_DATA with count and first row, never another number; a uint64 past int64 is
   VF_ERROR_OVERFLOW. Null where an operand is null. b is NULL for VF_INTEGER_NEG and VF_INTEGER_ABS, and only for those.
   where, unless NULL, is Boolean: rows where it is not true are null, and nothing is computed there. Columns have one
   length, or one row, which stands for every row. */
VF_API enum vf_status vf_integer_arithmetic(const struct vf_context *ctx, enum vf_integer_op op,
                                            const struct vf_series *a, const struct vf_series *b,
                                            const struct vf_series *where, struct vf_column *out,
                                            struct vf_error *err);

/* ---- match: first in, first out ---- */

/* The kinds of value a side may be named by. Text is compared to string columns (and dictionaries of them), large and small
   letters of ASCII being the same; integers to integer, float and boolean columns. */
struct vf_side {
    const char *text; /* NULL: `integer` counts */
    size_t length;
    int64_t integer;
    bool entry; /* true: opens; false: closes */
};

/* Which pieces a row has, in this order: what it closed, in match order; then what it opened.
   BOTH: every input row stays; both legs are split, and mirror each other exactly.
   EXITS: what a row opened is one piece: matched_qty is its closed part (0 if none), is_closed whether that is all of
   it. What belongs to one match (holding period, exit, exit price, markout, pnl) is null there: it stands on the
   closing pieces only, so that sums and means count each match once. Under VF_EXCESS_OPEN_SHORT this goes by what a
   row does, not by its side: a row that closes shorts and opens a long has its closing pieces and one more.
   LOTS: closing pieces, open rests and unmatched exits; other rows, and rows of quantity 0, have no piece. */
#define VF_FIFO_ROWS_MAP(X)      \
    X(VF_FIFO_BOTH, 0, "both")   \
    X(VF_FIFO_EXITS, 1, "exits") \
    X(VF_FIFO_LOTS, 2, "lots")
enum vf_fifo_rows { VF_FIFO_ROWS_MAP(VF_ENUM_ROW) };

/* What becomes of an exit beyond what is held. */
#define VF_EXCESS_MAP(X)                                                                                      \
    X(VF_EXCESS_UNCLOSED, 0, "unclosed") /* an exit beyond the inventory is a piece of its own, not closed */ \
    X(VF_EXCESS_OPEN_SHORT, 1, "open_short") /* it opens a lot of the opposite direction */                   \
    X(VF_EXCESS_RAISE, 2, "raise") /* VF_ERROR_DATA */
enum vf_excess { VF_EXCESS_MAP(VF_ENUM_ROW) };

/* Columns that vf_fifo_emit can give, as bits, with their names. Entry is the row that opened the lot and exit the row
   that closed it, whatever their sides. All of a row that is no trade are null. What is no price (see vf_mid) is null, and
   so is what would be computed from it. */
#define VF_FIFO_COLUMN_MAP(X)                                                                                        \
    X(VF_FIFO_ENTRY_ID, 1 << 0, "matched_entry_id") /* uint32: row number of the entry, an entry's own rows carry    \
                                                       their own; null on an unmatched exit and for inventory */     \
    X(VF_FIFO_QTY, 1 << 1, "matched_qty") /* type of the quantity column */                                          \
    X(VF_FIFO_HOLDING, 1 << 2, "holding_period") /* exit time - entry time. int64 for integers, float64 seconds for  \
                                                    floats, a duration of the same unit for times, timestamps and    \
                                                    durations, and of microseconds for dates; null when open and for \
                                                    inventory */                                                     \
    X(VF_FIFO_CLOSED, 1 << 3, "is_closed") /* boolean: true matched, false unclosed, null no trade */                \
    X(VF_FIFO_EXIT_ID, 1 << 4, "matched_exit_id") /* uint32: row number of the exit, an unmatched exit carries its   \
                                                     own; null when open */                                          \
    X(VF_FIFO_ENTRY_PRICE, 1 << 5, "entry_price") /* float64 */                                                      \
    X(VF_FIFO_EXIT_PRICE, 1 << 6, "exit_price") /* float64 */                                                        \
    X(VF_FIFO_CLOSE_MARKOUT, 1 << 7, "close_markout") /* float64: exit / entry - 1, times -1 for a lot opened by the \
                                                         exit side; null where a price is none or the result not     \
                                                         finite */                                                   \
    X(VF_FIFO_PNL, 1 << 8, "realized_pnl") /* float64: (exit - entry) * qty, signed the same way; on the exit leg    \
                                              only, null on every other row, so that a sum counts each match once;   \
                                              null where a price is none or the result not finite */
enum vf_fifo_column { VF_FIFO_COLUMN_MAP(VF_ENUM_ROW) };
#define VF_FIFO_N_COLUMNS 9

/* How rows are matched. Borrowed by vf_fifo_open, with the texts of the sides. */
struct vf_fifo_options {
    const struct vf_side *sides;
    size_t n_sides;
    enum vf_fifo_rows rows;
    enum vf_excess on_excess;
    unsigned columns; /* which columns emit will be asked for: what is not needed is not kept. They decide nothing
                         else: the pieces are the same */
    bool rests;       /* what is held at the end is kept for vf_fifo_rests: 16 bytes a trade row and lot more */
};

/* The columns of one batch of rows. `keys` separate what does not mix (symbol, or date and symbol): as in vf_mark_batch,
   0 columns mean one instrument. `sort` orders rows within a group (ties: row order); `time` is what
   holding_period is measured in and may be the same column, and then is not kept twice. Float times are seconds,
   rounded to the nanosecond. `time` may be NULL unless holding_period is asked for; `price` unless a price column is:
   it never affects matching. Types must stay what the first batch had (texts may change layout; integer keys,
   sides and prices their width), and there must be as many keys. */
struct vf_fifo_batch {
    const struct vf_series *keys; /* integer, boolean, string, binary, temporal type or a dictionary of them */
    size_t n_keys;
    const struct vf_series *sort; /* integer, float, date, time, timestamp, duration */
    const struct vf_series *time;
    const struct vf_series *side;
    const struct vf_series *quantity; /* integer, float, or decimal of 128 bits */
    const struct vf_series *price;    /* the same; decimals are taken as the closest double */
};

struct vf_fifo;

/* Opens a matching. VF_ERROR_ARGUMENT unless both sides have a value,
   no value is on both, and the options are known. */
VF_API enum vf_status vf_fifo_open(const struct vf_context *ctx, const struct vf_fifo_options *options,
                                   struct vf_fifo **out, struct vf_error *err);
/* Ends the object. NULL is fine. */
VF_API void vf_fifo_close(struct vf_fifo *fifo);

/* Lots held when the day opens, oldest first within a group, before any update; may be called more than once. `keys` are
   those of the rows: a lot is there for the rows of its keys alone. A
   negative quantity is a short lot and needs VF_EXCESS_OPEN_SHORT; a group with lots of both signs is refused. Zero
   is no lot. Their matched_entry_id and holding_period are null, is_closed is true; what is left of them at the end
   is not given by vf_fifo_emit, since no input row stands for it: vf_fifo_rests does. The quantity may be of another type
   than the rows' where it is a value of theirs (2.0 for integers, 0.5 for decimals of a place), and of floats is the
   closest. `price` may be NULL. Errors name the row of the inventory.
   VF_ERROR_DATA for a null key, a quantity that is null, NaN, infinite or of the wrong sign; VF_ERROR_STATE after an
   update; VF_ERROR_OVERFLOW for more lots than vf_fifo_update says. */
VF_API enum vf_status vf_fifo_inventory(struct vf_fifo *fifo, const struct vf_series *keys, size_t n_keys,
                                        const struct vf_series *quantity, const struct vf_series *price,
                                        struct vf_error *err);

/* Learns the next rows; the batch is borrowed, and read before the call returns. At most 4294967290 rows and inventory
   lots in all: VF_ERROR_OVERFLOW. VF_ERROR_STATE after vf_fifo_match. */
VF_API enum vf_status vf_fifo_update(struct vf_fifo *fifo, const struct vf_fifo_batch *batch, struct vf_error *err);

/* Matches everything that was learnt. Fails, naming column, count and first row, on a negative, NaN, infinite or null
   quantity, a null time or a null key on a trade row (of several columns: the one whose first row comes first);
   where holding periods are asked for, on a trade row whose time is earlier than that of the row before it in the
   order of `sort` within its group: no holding period is negative;
   when rows exist but none carries a listed side (the message shows the values found); when the times are so far
   apart that a holding period might not fit; and under VF_EXCESS_RAISE. The object is then as it was.
   A zero quantity is a piece of its own with quantity 0, not closed.
   Integers and decimals are exact. Floats: where every quantity of a symbol, inventory included, is a decimal of at most 9
   places within an ulp of the column's type, and they fit int64 in units of the last of these places, they are matched in
   such units, and pieces are the closest floats: 0.1 and 0.2 close 0.3, and 1e-8 is a lot. (Where digits go on to the
   float's last, as those of 1/3 in 4 bytes, a rest below an ulp of the larger of lot and exit that is also below any
   quantity there is is zero.) Else rests are kept to two doubles, and one below 4 ulps, in the column's type, of the larger
   of lot and exit is zero.
   These failures are VF_ERROR_DATA, times too far apart VF_ERROR_OVERFLOW. VF_ERROR_STATE when no batch was learnt, not
   even an empty one, and when the rows were matched already.
   Memory: 20 bytes a trade row, 28 where holding periods are asked for, and 8 a row with prices; after it the same, and
   where that is too little for what the rows give, as much more as they need, of 8 bytes a trade row that are asked
   for and for the most part never touched (16 with holding periods and quantities that are no whole numbers below 2^31;
   next to none without either). While it works, 64 bytes for each row of the largest symbol on each thread, 104 where
   its rows are out of order. */
VF_API enum vf_status vf_fifo_match(struct vf_fifo *fifo, struct vf_error *err);

/* After vf_fifo_match: a sentence where sides look misspelt or forgotten, which is no error, since a day may have one side
   only and rows that are no trades: no row carries an entry side (or none an exit side), and some have a side that is not
   listed and begins with the letter of one that is; or rows have a side that is not listed and looks like one ("Buy" beside
   a listed "B"; 5, FIX's short sale, beside 1 and 2): then with these values and how many rows have each. Else, and before,
   NULL. It lives as long as the object. */
VF_API const char *vf_fifo_doubt(const struct vf_fifo *fifo);

/* After vf_fifo_match, where options.rests: what is held at the end, as columns of out[5]: row (uint32, the row that opened
   the lot; null for inventory), lot (uint32, the inventory's row of all that were given; null for a row's lot), qty (what
   is left, type of the quantity column), short (boolean: the exit side opened it), price (float64; null where there is
   none, or where the options name no price column). Symbols in the order in which they were seen first, inventory's before
   all others, oldest lot first within one. May be called again. VF_ERROR_STATE before, and without options.rests;
   VF_ERROR_ARGUMENT where out is NULL. */
VF_API enum vf_status vf_fifo_rests(struct vf_fifo *fifo, struct vf_column *out, struct vf_error *err);
#define VF_FIFO_N_REST_COLUMNS 5

/* Rows learnt, those of them whose side is listed, and pieces that all have: -1 before vf_fifo_match. */
VF_API int64_t vf_fifo_rows_in(const struct vf_fifo *fifo);
VF_API int64_t vf_fifo_trades_in(const struct vf_fifo *fifo);
VF_API int64_t vf_fifo_rows_out(const struct vf_fifo *fifo);

/* Pieces of the input rows [first_row, first_row + n): writes the number of pieces of each row to counts[n] (may be
   NULL) and gives one column for each bit of `columns`, lowest bit first, into out[]. `again` holds the same rows
   read a second time, in order from row 0 (else VF_ERROR_STATE): what is kept of a row does not say which row it was.
   What matching used of them is compared with what was learnt, 4096 rows at a time: VF_ERROR_REPLAY names the first
   row of the block that differs. A block is judged when its last row is there, so ask vf_fifo_replayed at the end. A
   call that fails gives nothing and may be made again. VF_ERROR_STATE before vf_fifo_match; VF_ERROR_ARGUMENT for a
   column that the options did not name, and for a batch of other than n rows. */
VF_API enum vf_status vf_fifo_emit(struct vf_fifo *fifo, const struct vf_fifo_batch *again, int64_t first_row,
                                   int64_t n, unsigned columns, uint32_t *counts, struct vf_column *out,
                                   struct vf_error *err);
/* Starts another replay from row 0. */
VF_API void vf_fifo_rewind(struct vf_fifo *fifo);
/* VF_OK when the current replay has seen every row, and all were those learnt; else VF_ERROR_REPLAY. */
VF_API enum vf_status vf_fifo_replayed(const struct vf_fifo *fifo, struct vf_error *err);

/* ---- mark: prices at other times ---- */

/* Which observation answers for a time t + h. */
#define VF_MARK_METHOD_MAP(X)                                                    \
    X(VF_MARK_BACKWARD, 0, "backward") /* last observation at or before t + h */ \
    X(VF_MARK_FORWARD, 1, "forward") /* first at or after */                     \
    X(VF_MARK_NEAREST, 2, "nearest") /* closest; a tie takes the earlier */
enum vf_mark_method { VF_MARK_METHOD_MAP(VF_ENUM_ROW) };

/* An observation is a row with non-null keys, a non-null time and a price (see vf_mid); of equal times of
   one instrument the last row wins. Rows may come in any order; frames in time order are the fast case. */
struct vf_mark_options {
    const int64_t *horizons_ns; /* one or more, > 0, in any order, no duplicates */
    size_t n_horizons;
    enum vf_mark_method method;
    int64_t tolerance_ns; /* < 0: none. A match further than this from t + h is null; at this distance it is not */
    int64_t end_ns;       /* INT64_MAX: none. t + h past it is null; t + h at it is not */
    bool quotes;          /* observations come from vf_mark_observe; else the rows observe themselves */
    bool gaps;            /* an observation needs no price: where the one that matches has none, the return is null; else
                             those without are passed over, and the one before (after) them matches */
    const char *names;    /* n_horizons column names, each ended by '\0'; NULL: return_60, return_0.5 (seconds) */
};

/* keys: the columns that separate instruments (symbol, or date and symbol): integers, booleans, strings, temporal
   types, dictionaries of them; 0 columns mean one instrument. Null in any: the row gets null.
   time: integer or float seconds, duration, time, timestamp or date; null and NaN: the row gets null.
   price: any number or a decimal of 128 bits, not boolean.
   Batches of one object, observed or updated, must agree in the number of keys and in what keys and times mean: text
   with text, numbers of any width, dates with dates, timestamps of one unit; times that are lengths (numbers and
   durations), points in time with or without a zone, or times of day. Else VF_ERROR_TYPE: they would never meet. */
struct vf_mark_batch {
    const struct vf_series *keys;
    size_t n_keys;
    const struct vf_series *time;
    const struct vf_series *price;
};

struct vf_mark;

/* Opens a marking. `options` is borrowed. VF_ERROR_ARGUMENT for no horizon, one that is <= 0 or given twice, and for
   unknown options. */
VF_API enum vf_status vf_mark_open(const struct vf_context *ctx, const struct vf_mark_options *options,
                                   struct vf_mark **out, struct vf_error *err);
/* Ends the object. NULL is fine. */
VF_API void vf_mark_close(struct vf_mark *mark);

/* Observations to look up in (with options.quotes; else VF_ERROR_STATE), all of them before finish (else
   VF_ERROR_STATE). The batch is borrowed, and read before the call returns. */
VF_API enum vf_status vf_mark_observe(struct vf_mark *mark, const struct vf_mark_batch *batch, struct vf_error *err);

/* The next rows to be marked, at most 4294967294 in all. Without `quotes` they are observations too. Adjacent rows of
   the same keys, time and price, which row expansion leaves, are kept once: 16 bytes for up to two horizons, 8 more for
   each further one. VF_ERROR_OVERFLOW for more rows, VF_ERROR_STATE after finish. */
VF_API enum vf_status vf_mark_update(struct vf_mark *mark, const struct vf_mark_batch *batch, struct vf_error *err);

/* Looks everything up. Afterwards observe, update and finish are VF_ERROR_STATE; if it fails nothing has changed. */
VF_API enum vf_status vf_mark_finish(struct vf_mark *mark, struct vf_error *err);

/* Rows learnt by vf_mark_update. */
VF_API int64_t vf_mark_rows(const struct vf_mark *mark);

/* Gives the returns of the rows [first_row, first_row + n): a float64 column a horizon into out[n_horizons], in the
   order of options.horizons_ns. A return is p(t + h) / p(t) - 1 in that order of double operations (as Polars would:
   `later / price - 1`); p(t) is the row's own price, p(t + h) the matched observation's. Null when the row is no
   observation itself (its key, time or price), when t + h is past the instrument's last observation (by any method:
   a trade near the close is never priced with the last quote), when nothing matches, when the match is out of
   tolerance, when t + h is past end_ns, or where the quotient leaves float64. Never NaN or infinite.
   `again` holds the same rows read a second time, in order from row 0: what is kept of a row does not say which row it
   was. Its keys, time and price are compared with what was learnt, and a block of 4096 rows that differs is
   VF_ERROR_REPLAY with its first row. A call that fails gives nothing and may be made again. VF_ERROR_STATE before
   finish; VF_ERROR_ARGUMENT for rows out of order, and for a batch of other than n rows. */
VF_API enum vf_status vf_mark_emit(struct vf_mark *mark, const struct vf_mark_batch *again, int64_t first_row,
                                   int64_t n, struct vf_column *out, struct vf_error *err);
/* Starts another replay from row 0. Before vf_mark_finish there is none, and nothing is done. */
VF_API void vf_mark_rewind(struct vf_mark *mark);
/* VF_OK when the current replay has seen every row, and all were those learnt; else VF_ERROR_REPLAY. VF_ERROR_STATE
   before finish. */
VF_API enum vf_status vf_mark_replayed(const struct vf_mark *mark, struct vf_error *err);

/* ---- asof: rows of one frame found for rows of another ---- */

/* An observation is a row with non-null keys and a non-null time; of equal times of one group the last row wins. */
struct vf_asof_options {
    const int64_t *horizons_ns; /* one or more, of any sign, 0 too; no duplicates */
    size_t n_horizons;
    enum vf_mark_method method; /* BACKWARD: last observation at or before t + h, FORWARD: first at or after it,
                                   NEAREST: closest, a tie takes the earlier */
    int64_t tolerance_ns;       /* < 0: none. A match further than this from t + h is none; at this distance it is one */
    int64_t end_ns;             /* INT64_MAX: none. Nothing is found for a t + h past it */
    bool strict;                /* an observation exactly at t + h does not count */
    bool past_last;             /* false: for h > 0 nothing is found where t + h is past the group's last observation,
                                   as in vf_mark: what the future would be is not known. h <= 0 looks at what is known */
    bool unique;                /* two observations of one group and time are VF_ERROR_DATA at finish */
    const char *names;          /* n_horizons column names, each ended by '\0'; NULL: row_60, row_-0.5 (seconds) */
};

/* keys and time as in vf_mark_batch; n_keys may be 0. time may be NULL, in all batches or none: keys alone count. */
struct vf_asof_batch {
    const struct vf_series *keys;
    size_t n_keys;
    const struct vf_series *time;
};

struct vf_asof;

/* Opens a look-up. `options` is borrowed. VF_ERROR_ARGUMENT for no horizon, one given twice, and for unknown options.
   */
VF_API enum vf_status vf_asof_open(const struct vf_context *ctx, const struct vf_asof_options *options,
                                   struct vf_asof **out, struct vf_error *err);
/* Ends the object. NULL is fine. */
VF_API void vf_asof_close(struct vf_asof *asof);

/* Rows to look up in, in any order; rows are numbered over all calls, at most 4294967294 (else
   VF_ERROR_OVERFLOW). All of a batch or none of it is learnt; the batch is borrowed. VF_ERROR_STATE after finish. */
VF_API enum vf_status vf_asof_observe(struct vf_asof *asof, const struct vf_asof_batch *batch, struct vf_error *err);
/* Rows observed so far. */
VF_API int64_t vf_asof_rows(const struct vf_asof *asof);
/* Brings the observations together; if it fails nothing has changed. Memory: 16 bytes an observation before, 12
   after, both while it works. VF_ERROR_DATA for two observations of one group and time under options.unique;
   VF_ERROR_STATE when called a second time. */
VF_API enum vf_status vf_asof_finish(struct vf_asof *asof, struct vf_error *err);

/* Gives a uint32 column a horizon into out[n_horizons]: the row observed for t + h, null where the row's key or time
   is null, or nothing is found. Rows may come in any order and any cut; those in time order are found fastest.
   VF_ERROR_STATE before finish. */
VF_API enum vf_status vf_asof_find(struct vf_asof *asof, const struct vf_asof_batch *batch, struct vf_column *out,
                                   struct vf_error *err);

/* ---- days: a day's prices by instrument, and returns to the close ---- */

/* What counts as a day's rows, and what is asked of them. */
struct vf_daily_options {
    int64_t end_ns; /* INT64_MAX: none. A row past it is not counted; a row at it is */
    bool returns;   /* rows learnt are to be given returns by vf_daily_return, replayed */
};

/* keys as in vf_mark_batch, one column or more. A row counts when its keys and time are not null, time is not past
   end_ns, and it has a price. Rows are ordered by time, then by wall, then as they come: wall (may be NULL)
   is a clock without breaks, for times that coincide on the trading clock though not on the wall (11:30:00 and
   13:00:00 in CN). volume (may be NULL): integer or float, summed over the rows that count, null as 0. Types must
   stay what the first batch had. */
struct vf_daily_batch {
    const struct vf_series *keys;
    size_t n_keys;
    const struct vf_series *time;
    const struct vf_series *wall;
    const struct vf_series *price;
    const struct vf_series *volume;
};

struct vf_daily;

/* Opens a day's bars. `options` is borrowed. */
VF_API enum vf_status vf_daily_open(const struct vf_context *ctx, const struct vf_daily_options *options,
                                    struct vf_daily **out, struct vf_error *err);
/* Ends the object. NULL is fine. */
VF_API void vf_daily_close(struct vf_daily *daily);

/* Adds rows. `fresh` (may be NULL) is given a uint32 column: the rows of this batch with whose keys a new group begins,
   in the order of groups. VF_ERROR_DATA for a volume of a counted row that is negative, NaN or infinite,
   VF_ERROR_OVERFLOW where volumes do not add up to an int64 (a finite float64); after a failure that names a row, or of
   memory, the object may have counted a part: every call but close is then VF_ERROR_STATE. So is an update after
   vf_daily_return. */
VF_API enum vf_status vf_daily_update(struct vf_daily *daily, const struct vf_daily_batch *batch,
                                      struct vf_column *fresh, struct vf_error *err);
/* Groups so far: one for each combination of keys. */
VF_API int64_t vf_daily_groups(const struct vf_daily *daily);

/* Gives VF_DAILY_COLUMNS columns of a row a group: open, high, low, close (float64; null where no row counts), volume
   (int64, of floats float64, of no volume column null; 0 where no row counts), first_time and last_time (of integers
   int64 seconds; of floats float64 seconds; else int64 ns), n (rows that count), n_outside (rows with a null time or
   one past end_ns), n_invalid (other rows, which have no price), int64. A group is made by any row with keys.
   VF_ERROR_STATE after an update that failed half-way. */
#define VF_DAILY_COLUMNS 10
VF_API enum vf_status vf_daily_finish(struct vf_daily *daily, struct vf_column *out, struct vf_error *err);

/* close / price - 1 of each row of the batch (keys, time, price), as float64: close is that of the row's group. Null
   when the row itself does not count, its time is past that of the close, or the quotient leaves float64. With options.returns the rows must be
   those learnt, in order from first_row on, else VF_ERROR_REPLAY (see vf_mark_emit), and a first_row that is not next
   is VF_ERROR_ARGUMENT. VF_ERROR_STATE after an update that failed half-way; so is
   vf_daily_replayed, which ends the replay and begins another: VF_ERROR_REPLAY unless it has seen every row. */
VF_API enum vf_status vf_daily_return(struct vf_daily *daily, const struct vf_daily_batch *batch, int64_t first_row,
                                      struct vf_column *out, struct vf_error *err);
VF_API enum vf_status vf_daily_replayed(struct vf_daily *daily, struct vf_error *err);

/* ---- returns between two prices, and signs of sides ---- */

/* later / earlier - 1 in that order of double operations. Null where either is no price (see vf_mid), and where the
   quotient leaves float64. */
VF_API enum vf_status vf_price_return(const struct vf_context *ctx, const struct vf_series *later,
                                      const struct vf_series *earlier, struct vf_column *out, struct vf_error *err);

/* +1 (side.entry) or -1 as int64. A value that is none of the sides is VF_ERROR_DATA with count, first row and the
   values found; null stays null, or is such a value where nulls_fail. Columns as vf_fifo_batch.side.
   VF_ERROR_ARGUMENT unless both sides have a value, and none has one of the other's. */
VF_API enum vf_status vf_side_sign(const struct vf_context *ctx, const struct vf_series *side,
                                   const struct vf_side *sides, size_t n_sides, bool nulls_fail,
                                   struct vf_column *out, struct vf_error *err);

/* ---- quantile bins ---- */

/* What a quantile is between two values of the sample. */
#define VF_QUANTILE_METHOD_MAP(X)                                                                                   \
    X(VF_QUANTILE_LINEAR, 0, "linear") /* type 7 of Hyndman and Fan (1996): x[j] + g * (x[j + 1] - x[j]) with j + g \
                                          = (N - 1) * k / n, rank and fraction taken in integers */                 \
    X(VF_QUANTILE_INVERSE_CDF, 1, "inverse_cdf") /* type 1: x[ceil(N * k / n) - 1], always a value of the sample */
enum vf_quantile_method { VF_QUANTILE_METHOD_MAP(VF_ENUM_ROW) };

/* What the column holds. */
struct vf_quantiles_summary {
    int64_t n;     /* finite values */
    int64_t n_null;
    int64_t n_nan;
    int64_t n_infinite;
    double low, high; /* smallest and largest finite value */
};

struct vf_quantiles;

/* Opens a search for the n_bins - 1 cuts at k / n_bins of the finite values of a column, exact, in bounded memory
   (512 KiB, and up to 64 KiB a cut): the column is read several times, a digit of the values' bits a pass. 2 to 4096
   bins, else VF_ERROR_ARGUMENT. */
VF_API enum vf_status vf_quantiles_open(const struct vf_context *ctx, size_t n_bins, enum vf_quantile_method method,
                                        struct vf_quantiles **out, struct vf_error *err);
/* Ends the object. NULL is fine. */
VF_API void vf_quantiles_close(struct vf_quantiles *quantiles);
/* The next rows of a pass, in any order and any cut; every pass must bring the same values. Any numeric type.
   VF_ERROR_STATE after the last pass, and after a pass that failed. */
VF_API enum vf_status vf_quantiles_update(struct vf_quantiles *quantiles, const struct vf_series *values,
                                          struct vf_error *err);
/* Ends a pass; *more: another one is needed. VF_ERROR_REPLAY when it brought other values than the first,
   VF_ERROR_DATA when there is no finite value; every later call is VF_ERROR_STATE then, as it is after the last pass.
   */
VF_API enum vf_status vf_quantiles_pass(struct vf_quantiles *quantiles, bool *more, struct vf_error *err);
/* After the last pass (else VF_ERROR_STATE): writes cuts[n_bins - 1], ascending, equal ones included. `summary` may be
   NULL. */
VF_API enum vf_status vf_quantiles_cuts(const struct vf_quantiles *quantiles, double *cuts,
                                        struct vf_quantiles_summary *summary, struct vf_error *err);

/* What becomes of a value outside low .. high. */
#define VF_CUT_OUTSIDE_MAP(X)                                                                       \
    X(VF_CUT_CLIP, 0, "clip") /* a value below `low` or above `high` is in the first or last bin */ \
    X(VF_CUT_NULL, 1, "null")                                                                       \
    X(VF_CUT_RAISE, 2, "raise") /* VF_ERROR_DATA with the count and the first row */
enum vf_cut_outside { VF_CUT_OUTSIDE_MAP(VF_ENUM_ROW) };

/* Number of the bin among cuts that ascend strictly, as int64: how many cuts are below x (`left_closed`: at or below
   x), so that bins are (a, b] ([a, b)). Null, NaN and infinities are null. low <= high are finite, -inf and inf for no
   limits; a value outside them is as `outside` says, VF_ERROR_DATA under VF_CUT_RAISE. At most 65535 cuts; none: all is
   bin 0. Cuts that do not ascend, and unknown options, are VF_ERROR_ARGUMENT. */
VF_API enum vf_status vf_cut_index(const struct vf_context *ctx, const struct vf_series *values, const double *cuts,
                                   size_t n_cuts, bool left_closed, double low, double high,
                                   enum vf_cut_outside outside, struct vf_column *out, struct vf_error *err);

/* ---- agg: grouped states ---- */

/* Null values are passed over by every operation but LEN and NULL_COUNT. */
#define VF_AGG_OP_MAP(X)                                                                                              \
    X(VF_AGG_LEN, 0, "len") /* int64: rows; takes no value column */                                                  \
    X(VF_AGG_COUNT, 1, "count") /* int64: rows whose value is not null; any type */                                   \
    X(VF_AGG_NULL_COUNT, 2, "null_count") /* int64; any type */                                                       \
    X(VF_AGG_SUM, 3, "sum") /* int64 for integers and booleans, the same type for durations (only the final sum has   \
                               to fit), float64 for floats; 0 for no values */                                        \
    X(VF_AGG_MEAN, 4, "mean") /* float64; of durations the same type, the fraction dropped; null for no values */     \
    X(VF_AGG_MIN, 5, "min") /* type of the values: numbers, booleans, temporal types; null for no values; NaN only    \
                               when every value is NaN; -0 is less than +0 */                                         \
    X(VF_AGG_MAX, 6, "max")                                                                                           \
    X(VF_AGG_PRODUCT, 7, "product") /* int64 for integers and booleans (only the final product has to fit), float64   \
                                       for floats; 1 for no values. Of floats 106 bits are kept, and rows (and        \
                                       merges) count in their order */                                                \
    X(VF_AGG_FIRST, 8, "first") /* type of the values, any but texts: the value in the first row of those where the   \
                                   boolean column more[0] is true (0: of all rows); null when that is null, or there  \
                                   is no such row */                                                                  \
    X(VF_AGG_LAST, 9, "last")                                                                                         \
    X(VF_AGG_SQUARES, 10, "squares") /* float64: sum of x * x, exact before one rounding where 2^-460 < |x| < 2^511   \
                                        (or x = 0) */                                                                 \
    X(VF_AGG_DOT, 11, "dot") /* float64: sum of x * y, y in more[0], over the rows that have both; exact like         \
                                SQUARES */                                                                            \
    /* Merging what vf_agg_states gave. Integer sums and counts merge by SUM, products of integers by PRODUCT, MIN by \
       MIN, MAX by MAX, and these have more than one column: */                                                       \
    X(VF_AGG_ADD_PAIR, 12, "add_pair") /* float64: sum of hi + lo, lo in more[0] */                                   \
    X(VF_AGG_MERGE_FIRST, 13, "merge_first") /* value; date in more[0] (date32), row in more[1] (int64); null row:    \
                                                no row */                                                             \
    X(VF_AGG_MERGE_LAST, 14, "merge_last")                                                                            \
    X(VF_AGG_MERGE_PRODUCT, 15, "merge_product") /* float64: product of (hi + lo) * 2^e; lo in more[0], e in          \
                                                    more[1] */
enum vf_agg_op { VF_AGG_OP_MAP(VF_ENUM_ROW) };

/* One column that an aggregation gives. */
struct vf_agg_leaf {
    enum vf_agg_op op;
    uint32_t value;   /* index into the batch's values; ignored for VF_AGG_LEN */
    const char *name; /* of the column that is given; copied */
    uint32_t more[2]; /* further value columns, where the operation says so: index + 1; 0: none */
};

struct vf_agg;

/* Opens a grouped aggregation with n_keys of 0 to 64 key columns of any hashable type (integers, booleans, strings,
   dates, times, dictionaries; floats are refused: bin them first). Null is a key of its own. With no keys there is
   one group, also of no rows. VF_ERROR_ARGUMENT for a leaf whose operation or value column does not exist, and for
   counts out of range. */
VF_API enum vf_status vf_agg_open(const struct vf_context *ctx, const struct vf_agg_leaf *leaves, size_t n_leaves,
                                  size_t n_keys, size_t n_values, struct vf_agg **out, struct vf_error *err);
/* Ends the object. NULL is fine. */
VF_API void vf_agg_close(struct vf_agg *agg);

/* Adds rows: keys[n_keys], values[n_values]; all of the same length n_rows, which may be 0. Types must stay what the
   first update had; how texts are laid out (plain, views, dictionary) may change. Float sums and means are those of
   the exact real sum, rounded once: the order of rows, their cut into updates, threads and merges change no bit, no
   intermediate sum overflows, and what cancels is 0.0. NaN, or infinities of both signs, give NaN; infinities of one
   sign give that. A column, type or length that is refused changes nothing. A failure after that (no memory,
   malformed string offsets) leaves some rows counted: every later call but close is then VF_ERROR_STATE. */
VF_API enum vf_status vf_agg_update(struct vf_agg *agg, const struct vf_series *keys, const struct vf_series *values,
                                    int64_t n_rows, struct vf_error *err);

/* Gives the number of each row's group (uint32), as vf_agg_finish gives groups: 0 for the first. For objects that were
   opened without leaves and values. Whoever repeats rows, or takes them in parts, numbers them once and aggregates by the
   number. Fails as vf_agg_update does, and gives nothing then. */
VF_API enum vf_status vf_agg_number(struct vf_agg *agg, const struct vf_series *keys, int64_t n_rows,
                                    struct vf_column *out, struct vf_error *err);

/* Adds the groups of `other`, which is borrowed, stays as it is and is another object than agg. VF_ERROR_ARGUMENT
   unless the leaves are the same, VF_ERROR_TYPE unless the columns' types are. A failure after that leaves agg half
   merged: every later call but close is then VF_ERROR_STATE. */
VF_API enum vf_status vf_agg_merge(struct vf_agg *agg, const struct vf_agg *other, struct vf_error *err);

/* Groups so far: one for each combination of keys. */
VF_API int64_t vf_agg_groups(const struct vf_agg *agg);

/* Gives n_keys + n_leaves columns of vf_agg_groups rows, groups in the order of their first row (those that a merge
   brought: after those that were there). Keys have the type they came with; texts are large strings ("U") or large
   binaries ("Z"). The object can go on being updated. VF_ERROR_STATE before the first update, which tells the types
   and may be of no rows. Integer sums that do not fit int64: VF_ERROR_OVERFLOW with the leaf's name. */
VF_API enum vf_status vf_agg_finish(struct vf_agg *agg, struct vf_column *out, struct vf_error *err);

/* States, to be stored and merged: the columns that vf_agg_states gives after the keys, for each leaf in order:
     float SUM, SQUARES, DOT, ADD_PAIR   hi, lo (float64): hi = round(S), lo = round(S - hi), hi + lo rounds to hi
     FIRST, LAST and their merges        value, date (date32; null from FIRST and LAST), row (int64; null: no row)
     float PRODUCT, MERGE_PRODUCT        hi, lo (float64), exponent (int64): (hi + lo) * 2^exponent, 0.5 <= |hi| < 1
     LEN, COUNT, NULL_COUNT, MIN, MAX, integer SUM and PRODUCT    what vf_agg_finish gives
   Named as the leaf, with ".hi", ".lo", ".date", ".row", ".exponent" behind, as in the files. MEAN is
   VF_ERROR_ARGUMENT: it is no state; ask for SUM, LEN and NULL_COUNT. VF_ERROR_STATE before the first update;
   VF_ERROR_OVERFLOW as in vf_agg_finish. An S past DBL_MAX is an infinite hi, and lo is S / 2^64 then; of NaN and true
   infinities lo is 0. Sums of pairs are exact before they are rounded to a pair again: merging in any order gives the
   same bits, and in any tree the same sum but for 2^-105 of it a level. */
VF_API enum vf_status vf_agg_states(struct vf_agg *agg, struct vf_column *out, struct vf_error *err);
/* How many columns that are, keys included; 0 before the first update. */
VF_API size_t vf_agg_state_columns(const struct vf_agg *agg);

/* What follows from states, row by row. */
enum vf_moment {
    VF_MOMENT_MEAN = 0,     /* columns hi, lo, rows, nulls: (hi + lo) / n, rounded once; n = rows - nulls */
    VF_MOMENT_MEAN_INT = 1, /* sum (int64 or duration), rows, nulls: float64, or a duration, its fraction dropped */
    VF_MOMENT_VAR = 2,      /* hi, lo of the sum, hi, lo of the sum of squares, rows, nulls */
    VF_MOMENT_STD = 3,
    VF_MOMENT_COV = 4,  /* hi, lo of sum x, of sum y, of sum x * y, rows, nulls */
    VF_MOMENT_CORR = 5, /* hi, lo of sum x, of sum y, of sum x * x, of sum y * y, of sum x * y, rows, nulls */
    VF_MOMENT_PRODUCT = 6 /* hi, lo, e */
};

/* float64 of n_columns columns of one length. Null where n is 0 (MEAN) or n <= ddof (VAR, STD, COV), and where a
   column is null. VAR is right to 1e-9 as long as the mean is below 1e10 standard deviations, and 0 where it is
   below 2^-100 of the mean square (2^-50 for STD: a few units in the last place). CORR of a constant, and of no rows,
   is NaN. NaN and infinities among the values, and squares past DBL_MAX, give NaN. VF_ERROR_ARGUMENT for another
   number of columns. */
VF_API enum vf_status vf_moment_value(const struct vf_context *ctx, enum vf_moment moment, uint32_t ddof,
                                      const struct vf_series *columns, size_t n_columns, struct vf_column *out,
                                      struct vf_error *err);

/* ---- cube: the states of many dates as an array ---- */

/* How the states of two rows become one. Each takes one value column unless it says more. */
#define VF_CUBE_MERGE_MAP(X)                                                                                         \
    X(VF_CUBE_ADD_INT, 0, "add_int") /* integers, booleans and durations, never null: their sum, int64. Past int64 a \
                                        query fails */                                                               \
    X(VF_CUBE_ADD_FLOAT, 1, "add_float") /* two columns hi and lo, floats, never null: the exact sum of all of them  \
                                            as hi and lo, each rounded once; NaN, or infinities of both signs, give  \
                                            NaN. lo is 0 where hi is not finite */                                   \
    X(VF_CUBE_MIN, 2, "min") /* numbers, booleans, temporal types; null counts as none, NaN only where there is      \
                                nothing else, -0 is less than +0. Null for no values */                              \
    X(VF_CUBE_MAX, 3, "max")                                                                                         \
    X(VF_CUBE_FIRST, 4, "first") /* two columns, value and integer order (null: no row): the value, which may be     \
                                    null, of the least (position on axis 0, order); of equal ones, of the one in the \
                                    first cell, and there of the one added first */                                  \
    X(VF_CUBE_LAST, 5, "last") /* the same of the greatest; of equal ones, of the last cell's one added last */      \
    X(VF_CUBE_PRODUCT_INT, 6, "product_int") /* integers and booleans; null counts as 1. Past int64 a query fails */ \
    X(VF_CUBE_PRODUCT_FLOAT, 7, "product_float") /* three columns hi, lo (floats) and exponent (integer), (hi + lo)  \
                                                    * 2^exponent with 0.5 <= |hi| < 1, or hi alone for 0, NaN and    \
                                                    infinities: the product to 106 bits */
enum vf_cube_merge { VF_CUBE_MERGE_MAP(VF_ENUM_ROW) };

/* One state that every cell holds. */
struct vf_cube_state {
    enum vf_cube_merge merge;
    const char *name; /* for messages and of the columns that are given; copied */
};

/* How cells lie in memory. */
#define VF_CUBE_LAYOUT_MAP(X)                                                                                       \
    X(VF_CUBE_AUTO, 0, "auto") /* dense where that fits the limit, else sparse */                                   \
    X(VF_CUBE_DENSE, 1, "dense") /* every cell of every date is there, with running sums along all axes: a query of \
                                    sums reads 2 cells an axis that is summed over, however many lie between */     \
    X(VF_CUBE_SPARSE, 2, "sparse") /* cells that hold something, sorted, each with its dates and running sums along \
                                      them: a query looks at every cell once */
enum vf_cube_layout { VF_CUBE_LAYOUT_MAP(VF_ENUM_ROW) };

struct vf_cube;

/* Opens a cube of 1 to 16 axes; axis 0 is the dates, by which FIRST and LAST go. A cube is made in two readings of
   the same rows: learn, then (build) add, then finish. VF_ERROR_ARGUMENT for no state and for counts out of range. */
VF_API enum vf_status vf_cube_open(const struct vf_context *ctx, size_t n_axes, const struct vf_cube_state *states,
                                   size_t n_states, struct vf_cube **out, struct vf_error *err);
/* Ends the object. NULL is fine. Columns that vf_cube_part gave stay good. */
VF_API void vf_cube_close(struct vf_cube *cube);

/* First reading: which values each axis has (keys[n_axes]: integers, booleans, texts, temporal types, dictionaries;
   null is a value of its own, before all others) and how long the integers must be in which sums lose nothing. Keeps
   nothing of the rows. `values` are the states' columns in order. A null in an ADD state: VF_ERROR_DATA. A failure
   after the types were accepted makes every later call but close VF_ERROR_STATE. */
VF_API enum vf_status vf_cube_learn(struct vf_cube *cube, const struct vf_series *keys, const struct vf_series *values,
                                    int64_t n_rows, struct vf_error *err);

/* After learn, during the first reading: n values that axis has though no row may hold them, such as the date of a day
   without rows. Cells are none of it, and add and finish count no row. VF_ERROR_STATE before anything was learnt;
   VF_ERROR_TYPE for values of another type than the axis's. A failure after that makes every later call but close
   VF_ERROR_STATE. */
VF_API enum vf_status vf_cube_learn_axis(struct vf_cube *cube, size_t axis, const struct vf_series *values, int64_t n,
                                         struct vf_error *err);

/* What a cube of the rows learnt would need, so that a limit can be chosen. VF_ERROR_STATE once it is built. */
struct vf_cube_size {
    int64_t n_rows;        /* learnt */
    uint64_t dense_cells;  /* product of the axes' lengths; UINT64_MAX when it is larger */
    uint64_t dense_bytes;  /* held at most while it is made; UINT64_MAX when that is larger than any memory */
    uint64_t dense_kept;   /* held afterwards */
    uint64_t sparse_bytes; /* the same of the other layout, at most: rows of one cell and date become one */
    uint64_t sparse_kept;
    uint32_t record_words; /* 8-byte words of one cell's sums */
    uint32_t scan_bytes;   /* bytes of one cell's other states */
    uint64_t lengths[16];  /* of the axes */
};
VF_API enum vf_status vf_cube_size(const struct vf_cube *cube, struct vf_cube_size *out, struct vf_error *err);

/* Ends learning and allocates. memory_limit 0: none. Nothing is allocated, and VF_ERROR_ARGUMENT names what is needed,
   when the layout asked for (under AUTO: both) would hold more. Then build may be called again. VF_ERROR_STATE when
   nothing was learnt, not even no rows, and when it is built already. */
VF_API enum vf_status vf_cube_build(struct vf_cube *cube, enum vf_cube_layout layout, uint64_t memory_limit,
                                    struct vf_error *err);

/* Second reading. Rows of one cell and date merge. VF_ERROR_REPLAY for what was not learnt; VF_ERROR_STATE unless the
   cube is built and not finished. A failure after the types were accepted makes every later call but close
   VF_ERROR_STATE. */
VF_API enum vf_status vf_cube_add(struct vf_cube *cube, const struct vf_series *keys, const struct vf_series *values,
                                  int64_t n_rows, struct vf_error *err);

/* Makes the running sums. VF_ERROR_REPLAY unless as many rows were added as learnt; VF_ERROR_STATE unless the cube is
   built and not finished. */
VF_API enum vf_status vf_cube_finish(struct vf_cube *cube, struct vf_error *err);

/* What a cube became, told by vf_cube_shape. */
struct vf_cube_shape {
    enum vf_cube_layout layout;
    uint64_t bytes;  /* held now */
    uint64_t n_rows; /* dense: cells of the array; sparse: cells and dates that hold something */
};
/* Layout, bytes and rows of a cube. After finish, as all that follow; else VF_ERROR_STATE. */
VF_API enum vf_status vf_cube_shape(const struct vf_cube *cube, struct vf_cube_shape *out, struct vf_error *err);

/* The values of an axis in order, null first: int64 ("l"), or large strings or binaries. VF_ERROR_ARGUMENT for an axis
   that is none, VF_ERROR_STATE before finish. */
VF_API enum vf_status vf_cube_axis(const struct vf_cube *cube, size_t axis, struct vf_column *out,
                                   struct vf_error *err);

/* Which positions of an axis count. Borrowed. */
struct vf_cube_pick {
    const uint32_t *positions; /* ascending, distinct; NULL: all of the axis */
    size_t n;
};

/* What is asked of a cube. Borrowed. */
struct vf_cube_query {
    const struct vf_cube_pick *picks; /* n_axes: what counts. NULL: everything */
    const uint32_t *kept;             /* axes of the result, outermost first, no axis twice; the others are summed over */
    size_t n_kept;
    const uint32_t *states; /* which; NULL: all */
    size_t n_states;
    uint64_t memory_limit; /* on the working memory; 0: none */
};

/* Gives n_kept columns of positions (uint32), then the columns of each state asked for: hi and lo for ADD_FLOAT, hi, lo
   and exponent for PRODUCT_FLOAT, one for others (int64, uint64 or float64; temporal types as int64, booleans as 0 and
   1). A row for each combination of the
   kept axes that some row of the input falls in, in their order; without kept axes one row, also of nothing (sums
   0, products 1, others null). Sums are those of the input's values exactly, rounded once, whatever the query. May be
   called from several threads at once. Sums that do not fit int64: VF_ERROR_OVERFLOW with the state's name and the
   count. VF_ERROR_ARGUMENT for axes, positions or states that are none, and where more working memory is needed than
   allowed; VF_ERROR_STATE before finish. */
VF_API enum vf_status vf_cube_query(const struct vf_cube *cube, const struct vf_cube_query *query,
                                    struct vf_column *out, struct vf_error *err);

/* ---- a cube as flat columns, to be stored and mapped ---- */

/* Number of parts of a finished cube: a header (int64), the axes' values, then the arrays (uint64, uint32, uint8,
   int64). */
VF_API size_t vf_cube_n_parts(const struct vf_cube *cube);
/* Gives part i. Arrays are not copied: they keep the cube's memory alive until they are released, also after close.
   VF_ERROR_ARGUMENT for a part that is none, VF_ERROR_STATE before finish. */
VF_API enum vf_status vf_cube_part(const struct vf_cube *cube, size_t part, struct vf_column *out,
                                   struct vf_error *err);
/* Opens a cube over parts, and takes their `owner`: each of one chunk at most, without nulls (but in axes); header
   and axes are copied, arrays stay where they are until release_owner(owner), which close calls, and a failure does
   not. `states` as in open. The header's lengths and every index are checked, so that a damaged file is VF_ERROR_DATA
   and never a wrong read. */
VF_API enum vf_status vf_cube_attach(const struct vf_context *ctx, const struct vf_cube_state *states,
                                     size_t n_states, const struct vf_series *parts, size_t n_parts, void *owner,
                                     void (*release_owner)(void *owner), struct vf_cube **out, struct vf_error *err);

/* ---- errors of clustered draws ---- */

/* The standard error of a statistic from what each cluster (a date, say) moves it by, group by group:
   sqrt(n / (n - 1) * sum of influence^2) over the group's n clusters (Liang & Zeger 1986, with the usual factor for few
   clusters). influence: numbers; null, NaN and infinities are no cluster. group: integers 0 to n_groups -
   1, as many, null or another is VF_ERROR_DATA; NULL: all are in group 0. out[0]: float64 "error", null with fewer
   than two clusters, and where it leaves float64; out[1]: int64 "clusters". n_groups rows each, the same bits in every order of the rows. Borrows
   the series, gives out. */
VF_API enum vf_status vf_clusters_error(const struct vf_context *ctx, const struct vf_series *influence,
                                        const struct vf_series *group, size_t n_groups, struct vf_column out[2],
                                        struct vf_error *err);

/* ---- order: whether rows come in the order of their times ---- */

/* A row is late when a row before it has a later time. Rows whose key or time is null are counted and passed over. */
struct vf_order_report {
    int64_t n_rows, n_unknown;
    int64_t n_late, first_late, most_late_ns; /* among all rows; first_late is -1 where there is none */
    int64_t n_late_of_key, first_late_of_key, most_late_of_key_ns; /* among the rows of the same key */
    int64_t n_equal_of_key; /* at the same time as the latest row of the same key before */
};

struct vf_order;

/* Opens a report. */
VF_API enum vf_status vf_order_open(const struct vf_context *ctx, struct vf_order **out, struct vf_error *err);
/* Ends the object. NULL is fine. */
VF_API void vf_order_close(struct vf_order *order);

/* The next rows. key: of any hashable type, always of one kind; NULL: one key for all. time: as in vf_mark_batch.
   Memory is that of the keys. A failure half-way makes every later call but close VF_ERROR_STATE. */
VF_API enum vf_status vf_order_update(struct vf_order *order, const struct vf_series *key,
                                      const struct vf_series *time, struct vf_error *err);

/* What was seen so far. */
VF_API void vf_order_report(const struct vf_order *order, struct vf_order_report *report);

/* ---- files that are whole under their final name ---- */

/* Writing to a temporary file in the same folder, which takes the place of `path` when it is committed: synced, closed,
   renamed, the folder synced. Whatever fails, and whenever the power goes, `path` holds the old file, or nothing where
   there was none, or the whole new one. Readers see one or the other. A symbolic link of that name is replaced. */
struct vf_file;

/* Opens a file to be written. Folders that are missing are made, and stay. The file gets the permissions of a new
   file (0666 less the umask). VF_ERROR_IO, as from the calls below: the message names path, reason and step.
   VF_ERROR_ARGUMENT for a path that names no file. `path` is borrowed, and copied. */
VF_API enum vf_status vf_file_open(const struct vf_context *ctx, const char *path, struct vf_file **out,
                                   struct vf_error *err);

/* Appends. Interrupted and short writes are gone on with. On failure the temporary file is removed at once, and this
   and every later call gives that first error again, a write of no bytes too. A process that limits the size of its
   files (RLIMIT_FSIZE) must ignore SIGXFSZ to get here. VF_ERROR_IO where the system refuses; VF_ERROR_STATE after
   vf_file_commit. */
VF_API enum vf_status vf_file_write(struct vf_file *file, const void *data, size_t size, struct vf_error *err);

/* Puts it in its place, durably. On failure the temporary file is gone and the old file untouched; with one exception,
   which the message tells: when only the folder's sync failed the new file stands, whole, but might not outlast the
   power. File systems that cannot sync folders are taken as they are. Afterwards only vf_file_close is left to call.
   VF_ERROR_IO where the system refuses; VF_ERROR_STATE when called again. */
VF_API enum vf_status vf_file_commit(struct vf_file *file, struct vf_error *err);

/* Ends the object; what was not committed is removed. NULL is fine. */
VF_API void vf_file_close(struct vf_file *file);

/* Whose a file is, by its name (without folder): a killed process leaves its temporary file behind. */
#define VF_LEFTOVER_MAP(X)                                                                                  \
    X(VF_LEFTOVER_NONE, 0, "none") /* not one of ours */                                                    \
    X(VF_LEFTOVER_LIVE, 1, "live") /* its process runs */                                                   \
    X(VF_LEFTOVER_DEAD, 2, "dead") /* its process, of this host, has ended: the file may be removed */      \
    X(VF_LEFTOVER_ELSEWHERE, 3, "elsewhere") /* of another host or container, where nobody here can look */
enum vf_leftover { VF_LEFTOVER_MAP(VF_ENUM_ROW) };
/* Whose the file of that name is; `name` may be NULL, which is no file of ours. Looks at the name and the processes,
   never at a folder. */
VF_API enum vf_leftover vf_file_leftover(const char *name);

#ifdef __cplusplus
}
#endif

#endif /* VIZFLOW_H */
