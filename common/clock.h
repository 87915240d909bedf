/* Time. Cores never call these: they take now_ms as an argument; shells call them once per event. */
#ifndef CAIRN_COMMON_CLOCK_H
#define CAIRN_COMMON_CLOCK_H

#include <stdint.h>
#include <time.h>

int64_t clock_mono_ms(void); /* for durations and deadlines */
int64_t clock_mono_ns(void);
int64_t clock_wall_ms(void); /* since the epoch, only for what users and the wire see */
int64_t clock_wall_ns(void);
struct timespec clock_timespec(int64_t ns); /* negative: before the epoch */
void clock_sleep_ms(int64_t ms);            /* for back-off only; survives signals */

#endif
