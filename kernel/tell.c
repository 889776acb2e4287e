// What a chunk tells restock of tracked SKUs, as the text of its messages; see kernel/tell.py.
#include "columns.h"
#include "json.h"
#include "tracked.h"

enum { UNUSUAL = -1, NONE = -1 };

// A purchase: the lines of one SKU in one receipt, added up. `next` is the SKU's next one.
typedef struct {
    int64_t receipt, units, restocked, revenue;
    int32_t next;
} Purchase;

// A SKU of a store: its purchases, and the SKU that was met next.
typedef struct {
    int32_t first, last, next;
} Met;

static bool is_plain(Span text) {
    for (int64_t i = 0; i < text.length; i++)
        if (text.at[i] < 0x20 || text.at[i] == '"' || text.at[i] == '\\' || text.at[i] == 0x7F) return false;
    return true;
}

// Of each store, by number: its purchases as {"NOK":{"sku":[…],…}}, five numbers each, up to its end in `ends`; nothing
// where it has none. `found` are rows of receipt, line and the SKU's number in its store's table, in the order of the
// log; `tables` and `bases` are by the store's number, a base being how many SKUs the stores before it track.
// `met` has room for all of these, `purchases` for as many as rows were found. Returns the length of the text;
// UNUSUAL where a store sold in two currencies, or an id needs an escape.
int64_t tell_purchases(int64_t rows, const int64_t *found, int64_t many, const int64_t *columns, const int64_t *records,
                       const int64_t *stores, const int64_t *lines, int64_t all_stores, const Tracked *const *tables,
                       const int64_t *bases, int64_t all_skus, Met *met, Purchase *purchases, int32_t *firsts,
                       int64_t *groups, uint8_t *text, int64_t *ends) {
    memset(met, 0xFF, (size_t)all_skus * sizeof(Met));
    memset(firsts, 0xFF, (size_t)(2 * all_stores) * sizeof(int32_t));  // the first SKU met in each store, and the last
    int32_t made = 0;
    for (int64_t i = 0; i < rows; i++, found += 3) {
        int64_t receipt = found[0], store = stores[receipt], sku = bases[store] + found[2];
        int64_t currency = columns[GROUP * many + receipt] >> 32;
        if (firsts[2 * store] == NONE) {
            firsts[2 * store] = firsts[2 * store + 1] = (int32_t)sku;
            groups[store] = currency;
        } else if (met[sku].first == NONE) {
            met[firsts[2 * store + 1]].next = (int32_t)sku;
            firsts[2 * store + 1] = (int32_t)sku;
        }
        if (groups[store] != currency) return UNUSUAL;
        const int64_t *line = lines + found[1] * LINE_WIDTH;
        Met *one = met + sku;
        if (one->first == NONE || purchases[one->last].receipt != receipt) {
            purchases[made] = (Purchase){receipt, 0, 0, 0, NONE};
            if (one->first == NONE) one->first = made;
            else purchases[one->last].next = made;
            one->last = made++;
        }
        purchases[one->last].units += line[UNITS];
        purchases[one->last].restocked += line[RESTOCKED];
        purchases[one->last].revenue += line[REVENUE];
    }
    uint8_t *out = text;
    for (int64_t store = 0; store < all_stores; store++) {
        if (firsts[2 * store] == NONE) {
            ends[store] = out - text;
            continue;
        }
        *out++ = '{';
        uint8_t name[3] = {(uint8_t)(groups[store] >> 16), (uint8_t)(groups[store] >> 8), (uint8_t)groups[store]};
        out = put_string(out, (Span){name, 3});
        *out++ = ':';
        uint8_t before = '{';
        for (int32_t sku = firsts[2 * store]; sku != NONE; sku = met[sku].next) {
            Span id = sku_at(tables[store], sku - bases[store]);
            if (!is_plain(id)) return UNUSUAL;
            *out++ = before;
            out = put_string(out, id);
            *out++ = ':';
            uint8_t sign = '[';
            for (int32_t at = met[sku].first; at != NONE; at = purchases[at].next) {
                const Purchase *purchase = purchases + at;
                const int64_t numbers[5] = {
                    records[purchase->receipt * RECORD_WIDTH + OFFSET],
                    columns[OCCURRED_AT * many + purchase->receipt],
                    purchase->units, purchase->restocked, purchase->revenue,
                };
                for (int k = 0; k < 5; k++) {
                    *out++ = sign;
                    out = put_whole(out, numbers[k]);
                    sign = ',';
                }
            }
            *out++ = ']';
            before = ',';
        }
        *out++ = '}';
        *out++ = '}';
        ends[store] = out - text;
    }
    return out - text;
}
