// A line of a receipt as it goes from the one part of the kernel to the other; kernel/reading.py has the same order.
#ifndef TILLSTREAM_LINE_H
#define TILLSTREAM_LINE_H

// Five figures, signed as they are to be added, and where the SKU stands in the text.
enum { UNITS, RETURNED, REVENUE, DISCOUNT, TAX, SKU_AT, SKU_LENGTH, LINE_WIDTH };

#endif
