// The fields of a receipt and of its lines, each by the rule that schemas.receipt has for it.
#ifndef TILLSTREAM_FIELDS_H
#define TILLSTREAM_FIELDS_H

#include "moment.h"
#include "number.h"
#include "text.h"

enum { LONGEST_IDENTIFIER = 128, FEWEST_DIGITS_OF_CARD = 14 };

typedef enum { SALE, RETURN, EXCHANGE, VOIDED, POST_VOID, TRAINING } Type;

static inline bool take_identifier(Text *text, Span *found) {
    int64_t characters;
    return take_string(text, found, &characters) && characters >= 1 && characters <= LONGEST_IDENTIFIER;
}

static inline bool pass_null(Text *text) { return next_is(text, 'n') && TAKE_WORD(text, "null"); }

// A field that may be absent and that nothing here needs.
static inline bool pass_text(Text *text) {
    Span passed;
    int64_t characters;
    return next_is(text, 'n') ? pass_null(text) : take_string(text, &passed, &characters);
}

static inline bool pass_identifier(Text *text) {
    Span passed;
    return next_is(text, 'n') ? pass_null(text) : take_identifier(text, &passed);
}

// customer_id: one with digits enough for a payment card is looked at by others.
static inline bool pass_customer(Text *text) {
    Span passed;
    int64_t characters, digits = 0;
    if (next_is(text, 'n')) return pass_null(text);
    if (!take_string(text, &passed, &characters)) return false;
    for (int64_t i = 0; i < passed.length; i++) digits += is_digit(passed.at[i]);
    return digits < FEWEST_DIGITS_OF_CARD;
}

static inline bool take_flag(Text *text, bool *flag) {
    skip_blanks(text);
    *flag = false;
    if (TAKE_WORD(text, "true")) return *flag = true;
    return TAKE_WORD(text, "false") || TAKE_WORD(text, "null");
}

static inline bool take_type(Text *text, Type *type) {
    Span word;
    int64_t characters;
    *type = SALE;
    if (next_is(text, 'n')) return pass_null(text);
    if (!take_string(text, &word, &characters)) return false;
    if (SAME(word, "sale")) return true;
    if (SAME(word, "return")) *type = RETURN;
    else if (SAME(word, "exchange")) *type = EXCHANGE;
    else if (SAME(word, "void")) *type = VOIDED;
    else if (SAME(word, "post_void")) *type = POST_VOID;
    else if (SAME(word, "training")) *type = TRAINING;
    else return false;
    return true;
}

static inline bool take_kind(Text *text, bool *returned) {
    Span word;
    int64_t characters;
    *returned = false;
    if (next_is(text, 'n')) return pass_null(text);
    if (!take_string(text, &word, &characters)) return false;
    if (SAME(word, "return")) return *returned = true;
    return SAME(word, "sale");
}

static inline bool take_currency(Text *text, const uint8_t *currencies, uint32_t *currency) {
    Span code;
    int64_t characters;
    if (!take_string(text, &code, &characters) || code.length != 3) return false;
    uint32_t at = 0;
    for (int i = 0; i < 3; i++) {
        if (code.at[i] < 'A' || code.at[i] > 'Z') return false;
        at = at * 26 + (uint32_t)(code.at[i] - 'A');
    }
    *currency = (uint32_t)code.at[0] << 16 | (uint32_t)code.at[1] << 8 | code.at[2];
    return currencies[at];
}

static inline bool take_date(Text *text, int32_t *date) {
    Span day;
    int64_t characters, days;
    if (next_is(text, 'n')) return pass_null(text);
    return take_string(text, &day, &characters) && day.length == 10 && date_at(day.at, date, &days);
}

// The name of a field and its colon.
static inline bool take_name(Text *text, Span *name) {
    int64_t characters;
    return take_string(text, name, &characters) && take(text, ':');
}

static inline bool take_optional_money(Text *text, int64_t *number) {
    if (next_is(text, 'n')) return pass_null(text);
    return take_decimal(text, MONEY_PLACES, MONEY_BELOW, number);
}

#endif
