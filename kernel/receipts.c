// Reads receipts whose form is usual; see kernel/reading.py, which is the only caller, and schemas.decode for the rules.
//
// What is read here must be read to the same result as schemas.strict would. At the first thing that is unusual (an
// escape, an unknown or repeated field, a number that is refused, …) the receipt's kind is left at ASK, and Python
// decides: so this file needs to know neither all that is valid nor why something is refused.
#include "blake2b.h"
#include "columns.h"
#include "fields.h"
#include "number.h"
#include "text.h"

enum { MOST_BYTES = 1024 * 1024, MOST_LINES = 2000 };

// What a receipt's fields say, before it is known what its type makes of the lines.
typedef struct {
    Span transaction_id, store_id;
    int64_t occurred_at;
    int32_t date, business_date;
    uint32_t currency;
    Type type;
    uint32_t seen;
    int64_t kept, all;
} Receipt;

// Each name but once: what the last one of two would mean is for others to say.
static bool first_time(uint32_t *seen, int field) {
    uint32_t bit = UINT32_C(1) << field;
    if (*seen & bit) return false;
    *seen |= bit;
    return true;
}

static bool take_moment(Text *text, Receipt *receipt) {
    Span moment;
    int64_t characters;
    return take_string(text, &moment, &characters) && moment_of(moment, &receipt->occurred_at, &receipt->date);
}

// One line, not signed yet: UNITS holds its quantity, RETURNED whether its kind is return.
static bool take_line(Text *text, const uint8_t *base, int64_t *line, bool *is_void) {
    enum { F_SKU, F_QUANTITY, F_AMOUNT, F_LINE, F_UNIT, F_DISCOUNT, F_TAX, F_KIND, F_VOID, F_RESTOCKED };
    const uint32_t required = 1 << F_SKU | 1 << F_QUANTITY | 1 << F_AMOUNT;
    uint32_t seen = 0;
    bool returned = false, restocked = false;
    Span name, sku = {0, 0};
    line[DISCOUNT] = line[TAX] = 0;
    *is_void = false;
    if (!take(text, '{')) return false;
    do {
        bool read = false;
        if (!take_name(text, &name)) return false;
        if (SAME(name, "sku")) read = first_time(&seen, F_SKU) && take_identifier(text, &sku);
        else if (SAME(name, "quantity"))
            read = first_time(&seen, F_QUANTITY) && take_decimal(text, QUANTITY_PLACES, QUANTITY_BELOW, &line[UNITS]);
        else if (SAME(name, "amount"))
            read = first_time(&seen, F_AMOUNT) && take_decimal(text, MONEY_PLACES, MONEY_BELOW, &line[REVENUE]);
        else if (SAME(name, "discount"))
            read = first_time(&seen, F_DISCOUNT) && take_optional_money(text, &line[DISCOUNT]);
        else if (SAME(name, "tax")) read = first_time(&seen, F_TAX) && take_optional_money(text, &line[TAX]);
        else if (SAME(name, "line"))
            read = first_time(&seen, F_LINE) &&
                   (next_is(text, '"') || next_is(text, 'n') ? pass_text(text) : pass_whole(text));
        else if (SAME(name, "unit")) read = first_time(&seen, F_UNIT) && pass_text(text);
        else if (SAME(name, "kind")) read = first_time(&seen, F_KIND) && take_kind(text, &returned);
        else if (SAME(name, "void")) read = first_time(&seen, F_VOID) && take_flag(text, is_void);
        else if (SAME(name, "restocked")) read = first_time(&seen, F_RESTOCKED) && take_flag(text, &restocked);
        if (!read) return false;
    } while (take(text, ','));
    line[RETURNED] = returned;
    line[SKU_AT] = sku.at - base;
    line[SKU_LENGTH] = sku.length;
    line[RESTOCKED] = restocked;
    return (seen & required) == required && take(text, '}');
}

// The lines that are not void, one after the other.
static bool take_lines(Text *text, const uint8_t *base, int64_t *lines, Receipt *receipt) {
    if (!take(text, '[')) return false;
    do {
        bool is_void;
        if (receipt->all == MOST_LINES || !take_line(text, base, lines + receipt->kept * LINE_WIDTH, &is_void))
            return false;
        receipt->all++;
        receipt->kept += !is_void;
    } while (take(text, ','));
    return take(text, ']');
}

static bool take_receipt(Text *text, const uint8_t *base, const uint8_t *currencies, int64_t *lines, Receipt *receipt) {
    enum { F_ID, F_STORE, F_TIME, F_CURRENCY, F_LINES, F_TILL, F_SEQUENCE, F_TYPE, F_DATE, F_CUSTOMER, F_ORIGINAL };
    const uint32_t required = 1 << F_ID | 1 << F_STORE | 1 << F_TIME | 1 << F_CURRENCY | 1 << F_LINES;
    uint32_t *seen = &receipt->seen;
    Span name;
    if (!take(text, '{')) return false;
    do {
        bool read = false;
        if (!take_name(text, &name)) return false;
        if (SAME(name, "transaction_id"))
            read = first_time(seen, F_ID) && take_identifier(text, &receipt->transaction_id);
        else if (SAME(name, "store_id"))
            read = first_time(seen, F_STORE) && take_identifier(text, &receipt->store_id);
        else if (SAME(name, "occurred_at")) read = first_time(seen, F_TIME) && take_moment(text, receipt);
        else if (SAME(name, "currency"))
            read = first_time(seen, F_CURRENCY) && take_currency(text, currencies, &receipt->currency);
        else if (SAME(name, "lines")) read = first_time(seen, F_LINES) && take_lines(text, base, lines, receipt);
        else if (SAME(name, "till_id")) read = first_time(seen, F_TILL) && pass_identifier(text);
        else if (SAME(name, "sequence"))
            read = first_time(seen, F_SEQUENCE) && (next_is(text, 'n') ? pass_null(text) : pass_whole(text));
        else if (SAME(name, "type")) read = first_time(seen, F_TYPE) && take_type(text, &receipt->type);
        else if (SAME(name, "business_date"))
            read = first_time(seen, F_DATE) && take_date(text, &receipt->business_date);
        else if (SAME(name, "customer_id")) read = first_time(seen, F_CUSTOMER) && pass_customer(text);
        else if (SAME(name, "original_transaction_id")) read = first_time(seen, F_ORIGINAL) && pass_text(text);
        if (!read) return false;
    } while (take(text, ','));
    if ((*seen & required) != required || !take(text, '}')) return false;
    skip_blanks(text);
    return text->at == text->end;
}

// As streams.fold.signed_lines: a return adds to RETURNED and lowers the rest; a post_void takes back what it repeats.
static void sign(int64_t *line, bool all_returned, int64_t turn) {
    bool returned = all_returned || line[RETURNED];
    int64_t money = returned ? -turn : turn, quantity = line[UNITS] * turn;
    line[UNITS] = returned ? 0 : quantity;
    line[RETURNED] = returned ? quantity : 0;
    line[RESTOCKED] = line[RESTOCKED] ? line[RETURNED] : 0;
    line[REVENUE] *= money;
    line[DISCOUNT] *= money;
    line[TAX] *= money;
}

// Whether a receipt is further ahead of its Kafka timestamp than is allowed. A producer may stamp as it likes: times
// that have no microseconds in 64 bits are compared by their sign.
static bool is_ahead(int64_t occurred_at, int64_t timestamp_ms, int64_t max_skew_us) {
    const int64_t furthest = INT64_C(4000000000000000);
    if (timestamp_ms > furthest) return false;
    return timestamp_ms < -furthest || occurred_at - max_skew_us > timestamp_ms * 1000;
}

// Read the receipts of `many` records, whose keys and values stand in `text`. `currencies` has a byte for each of AAA to
// ZZZ. `columns` are seven of `many` numbers each; `lines` has room for a line in each 30 bytes of text. Returns how many
// lines there are.
int64_t read_receipts(int64_t many, const uint8_t *text, const int64_t *records, int64_t max_skew_us,
                      const uint8_t *currencies, int64_t *columns, int64_t *lines) {
    int64_t found = 0;
    for (int64_t i = 0; i < many; i++) {
        const int64_t *record = records + i * RECORD_WIDTH;
        const uint8_t *begin = text + record[VALUE_AT];
        int64_t *first = lines + found * LINE_WIDTH;
        Receipt receipt = {0};
        columns[KIND * many + i] = ASK;
        if (record[KEY_LENGTH] < 0 || record[VALUE_LENGTH] < 0 || record[VALUE_LENGTH] > MOST_BYTES) continue;
        Text rest = {begin, begin + record[VALUE_LENGTH]};
        Span key = {text + record[KEY_AT], record[KEY_LENGTH]};
        if (!take_receipt(&rest, text, currencies, first, &receipt)) continue;
        if (receipt.store_id.length != key.length || memcmp(receipt.store_id.at, key.at, (size_t)key.length) != 0)
            continue;
        if (is_ahead(receipt.occurred_at, record[TIMESTAMP], max_skew_us)) continue;
        bool reversal = receipt.type == POST_VOID;
        for (int64_t k = 0; k < receipt.kept; k++)
            sign(first + k * LINE_WIDTH, receipt.type == RETURN, reversal ? -1 : 1);
        columns[KIND * many + i] = COUNTED | (reversal ? REVERSAL : 0) | (receipt.type == VOIDED ? VOID : 0) |
            (receipt.type == VOIDED || receipt.type == TRAINING || receipt.kept == 0 ? NOTHING : 0);
        columns[IDENTITY * many + i] = (int64_t)blake2b_8(reversal ? 'r' : 's', receipt.transaction_id);
        columns[OCCURRED_AT * many + i] = receipt.occurred_at;
        columns[FIRST * many + i] = found;
        columns[KEPT * many + i] = receipt.kept;
        columns[ALL * many + i] = receipt.all;
        columns[GROUP * many + i] =
            (int64_t)receipt.currency << 32 | (receipt.business_date ? receipt.business_date : receipt.date);
        found += receipt.kept;
    }
    return found;
}
