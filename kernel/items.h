// One SKU in one store that is tracked, in numbers; kernel/items.py has the same, and says what they mean.
#ifndef TILLSTREAM_ITEMS_H
#define TILLSTREAM_ITEMS_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#define UNIT 100000.0
#define HOUR INT64_C(3600000000)

typedef struct {
    double hours, purchases, units, squares, revenue, until, last, known_purchases, known_hours, uneven;
    int64_t censored;
} Demand;

typedef struct {
    Demand demand;
    int64_t counted, on_hand, counted_at, on_order;
    int64_t applied, currency;
    int64_t hour, in_hour, hour_before;
    int64_t watched, ask, low;
    double worse_at;
    double prior_rate, prior_units;
    double lead_time, lead_time_sd, z, pack, reorder_point;
} Item;

// `low`: how the alert for low stock stands. `watched`: whether the store's heap has it, or its silence never tells.
enum { NO_ALERT, RAISED, ORDERED };
enum { UNWATCHED, WATCHED, NEVER };

// What a store looks like now; times in microseconds, hours since the Unix epoch, clocks and amounts in standard hours.
typedef struct {
    int64_t now;
    double done;
    int64_t many_hours;
    const int64_t *hours;
    const double *clocks;
    int64_t week_known;
    const double *week, *sums;
    double hour_hours, day_hours;
} Store;

// A move on a shelf: whose, when, how much, by which receipt (-1 for what is no sale), units that were bought with it.
enum { MOVE_ITEM, MOVE_AT, MOVE_QUANTITY, MOVE_OFFSET, MOVE_UNITS, MOVE_WIDTH };

#endif
