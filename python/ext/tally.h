/* What plugin calls met, summed up for whoever asked: Polars calls the plugin from its own threads, as often as it reads
   a column, and gives nothing back but columns. Not for what is computed. */
#ifndef VF_EXT_TALLY_H
#define VF_EXT_TALLY_H

#include "vizflow/vizflow.h"

#define TALLY_COUNTS 6 /* of struct vf_clock_report rows, null, unreadable, outside, other date; nulls that were given */
#define TALLY_TURNS 64 /* of a tally; what comes in further ones is not counted */
#define TALLIES 64     /* open at once in a process */

/* The number of a new tally, above 0; 0 where too many are open. */
int64_t tally_open(void);

/* What is added from now on, to every tally, belongs to another reading than what was added before. */
void tally_turn(void);

/* Adds what a call met, and how many nulls it gave. A tally that is not open, as that of a frame that outlived its run, is none. */
void tally_add(int64_t tally, const struct vf_clock_report *report, int64_t nulls);

/* Gives the sums of each turn in which something was added, and how many there are; the tally begins anew. */
size_t tally_take(int64_t tally, int64_t sums[TALLY_TURNS][TALLY_COUNTS]);

void tally_close(int64_t tally);

#endif
