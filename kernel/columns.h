// What goes from one part of the kernel to another, by number; kernel/reading.py has the same.
#ifndef TILLSTREAM_COLUMNS_H
#define TILLSTREAM_COLUMNS_H

#include <stdint.h>

// Of a receipt, and what its kind may say. A chunk's columns stand one after the other, KIND of all receipts first.
enum { KIND, IDENTITY, OCCURRED_AT, FIRST, KEPT, ALL, GROUP };
enum { ASK = 0, COUNTED = 1, REVERSAL = 2, VOID = 4, NOTHING = 8 };

// Of a line: five figures, signed as they are to be added, where the SKU stands in the text, and how much of what came
// back stands on the shelf again.
enum { UNITS, RETURNED, REVENUE, DISCOUNT, TAX, SKU_AT, SKU_LENGTH, RESTOCKED, LINE_WIDTH };

// Of a record of the log. Lengths are -1 where there is none.
enum { OFFSET, TIMESTAMP, KEY_AT, KEY_LENGTH, VALUE_AT, VALUE_LENGTH, RECORD_WIDTH };

// Stands for no window's start, and for no time.
#define NOWHERE INT64_MIN

#endif
