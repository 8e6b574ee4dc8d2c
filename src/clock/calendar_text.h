/* Reads the text of a calendar; vf_calendar_open describes it.
   Not for what is done with a calendar. */
#ifndef VF_CLOCK_CALENDAR_TEXT_H
#define VF_CLOCK_CALENDAR_TEXT_H

#include "clock/calendar.h"

/* Fills an empty calendar; on failure it is to be closed. */
enum vf_status vf__calendar_read(struct vf_calendar *calendar, const char *text, size_t length,
                                 struct vf_error *err);

#endif
