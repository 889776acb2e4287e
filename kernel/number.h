// Decimals of a receipt, as schemas.numbers has them: digits, a point and digits, no sign and no exponent; as a string
// or as a JSON number. Given in units of the last place that is allowed, so that no float ever stands for money.
#ifndef TILLSTREAM_NUMBER_H
#define TILLSTREAM_NUMBER_H

#include "text.h"

enum { QUANTITY_PLACES = 5, MONEY_PLACES = 4, MOST_WHOLE_DIGITS = 12 };
#define QUANTITY_BELOW INT64_C(1000000)
#define MONEY_BELOW INT64_C(1000000000)

static inline bool take_decimal(Text *text, int places, int64_t below, int64_t *number) {
    bool quoted = next_is(text, '"');
    if (quoted) text->at++;
    const uint8_t *begun = text->at;
    int64_t value = 0;
    while (text->at < text->end && is_digit(*text->at)) {
        if (text->at - begun == MOST_WHOLE_DIGITS) return false;
        value = value * 10 + (*text->at++ - '0');
    }
    int64_t digits = text->at - begun;
    // JSON has no number with a zero before its other digits; a string may have some.
    if (digits == 0 || value >= below || (!quoted && digits > 1 && *begun == '0')) return false;
    int left = places;
    if (text->at < text->end && *text->at == '.') {
        const uint8_t *point = text->at++;
        while (text->at < text->end && is_digit(*text->at)) {
            if (left-- == 0) return false;
            value = value * 10 + (*text->at++ - '0');
        }
        if (text->at == point + 1) return false;
    }
    while (left-- > 0) value *= 10;
    if (quoted) {
        if (text->at == text->end || *text->at++ != '"') return false;
    }
    *number = value;
    return true;  // what follows a bare number must be a comma or a bracket: whoever takes that next sees to it
}

// A whole number well inside 64 bits, which nothing here needs: it is passed over.
static inline bool pass_whole(Text *text) {
    skip_blanks(text);
    if (text->at < text->end && *text->at == '-') text->at++;
    const uint8_t *begun = text->at;
    while (text->at < text->end && is_digit(*text->at)) text->at++;
    int64_t digits = text->at - begun;
    return digits >= 1 && digits <= 18 && (digits == 1 || *begun != '0');
}

#endif
