// What purchases do to the items of a store, and which items have to be judged for it; see kernel/items.py.
//
// The arithmetic is that of streams/restock/demand.py and streams/restock/rules.py, operation by operation, so that a
// test can ask for the same numbers. What is decided is not: here it is only shown of an item that no rule's verdict on
// it can bring about anything, with a margin. Whatever might is left to streams.restock.judge, which alone raises,
// changes and resolves alerts.
#include "items.h"
#include "mix.h"
#include "text.h"
#include "tracked.h"

// As streams/restock/demand.py and rules.py have them; kernel/items.py passes nothing, a test compares.
static const double MEMORY = 500.0, PRIOR_HOURS = 30.0, PRIOR_PURCHASES = 1.0, LEAST_SHAPE = 0.05;
static const double SILENCES_REMEMBERED = 100, FEWEST_TO_TELL = 5.0, MOST_SURPRISE = 7.0;
static const double SILENCE = 1e-4, SURGE = 1e-4, MARGIN = 1e-6, HOURS_A_DAY = 12.0;
enum { FEWEST_IN_SURGE = 5, HOURS_A_WEEK = 168, MOST_DIGITS = 18, UNTOLD = -2 };

static void observe(Demand *demand, double clock) {
    double passed = clock - demand->until;
    if (passed <= 0) return;
    demand->until = clock;
    if (demand->censored) {
        demand->last += passed;
        return;
    }
    double kept = exp(-passed / MEMORY);
    demand->hours = demand->hours * kept + MEMORY * (1 - kept);
    demand->purchases *= kept;
    demand->units *= kept;
    demand->squares *= kept;
    demand->revenue *= kept;
}

static void learn_silence(Demand *demand) {
    if (demand->known_purchases < FEWEST_TO_TELL || demand->known_hours <= 0) return;
    double surprise = demand->known_purchases * log1p((demand->until - demand->last) / demand->known_hours);
    if (surprise > MOST_SURPRISE) surprise = MOST_SURPRISE;
    demand->uneven += (surprise * surprise / 2 - demand->uneven) / SILENCES_REMEMBERED;
}

static void bought(Demand *demand, double clock, int64_t units, int64_t revenue) {
    observe(demand, clock);
    double many = (double)units / UNIT;
    if (many > 0) {
        demand->purchases += 1;
        demand->squares += many * many;
        learn_silence(demand);
        demand->last = demand->until;
        demand->known_purchases = demand->purchases;
        demand->known_hours = demand->hours;
    } else if (demand->purchases >= 1 && demand->units + many > 0) {
        demand->purchases -= 1;
        double squares = demand->squares - many * many;
        demand->squares = squares > 0 ? squares : 0;
    } else {
        return;
    }
    demand->units += many;
    double money = demand->revenue + (double)revenue;
    demand->revenue = money > 0 ? money : 0;
}

static int64_t hour_of(int64_t at) { return at >= 0 ? at / HOUR : -((HOUR - 1 - at) / HOUR); }

// What the store's clock showed at the end of the hour of a moment, or shows now where that is forgotten.
static double clock_of(const Store *store, int64_t at) {
    int64_t hour = hour_of(at), low = 0, high = store->many_hours;
    while (low < high) {
        int64_t middle = (low + high) / 2;
        if (store->hours[middle] < hour) low = middle + 1;
        else high = middle;
    }
    return low < store->many_hours && store->hours[low] == hour ? store->clocks[low] : store->done;
}

// Purchases within an hour and the one before it: no fewer than within the last sixty minutes.
static void note_hour(Item *item, int64_t at) {
    int64_t hour = hour_of(at);
    if (hour > item->hour) {
        item->hour_before = hour == item->hour + 1 ? item->in_hour : 0;
        item->in_hour = 0;
        item->hour = hour;
    }
    if (hour == item->hour) item->in_hour++;
    else if (hour == item->hour - 1) item->hour_before++;
}

static int64_t most_in_last_hour(const Item *item, int64_t now) {
    int64_t hour = hour_of(now);
    if (hour <= item->hour) return item->in_hour + item->hour_before;
    return hour == item->hour + 1 ? item->in_hour : 0;
}

static double since_thursday(const Store *store, double hour) {
    int64_t at = (int64_t)hour;
    if (at > HOURS_A_WEEK - 1) at = HOURS_A_WEEK - 1;
    return store->sums[at] + store->week[at] * (hour - (double)at);
}

static double ahead(const Store *store, double days) {
    if (days <= 0) return 0;
    if (!store->week_known) return days * HOURS_A_DAY;
    double whole = floor(days * 24 / HOURS_A_WEEK), rest = days * 24 - whole * HOURS_A_WEEK;
    double begin = fmod((double)store->now / (double)HOUR, HOURS_A_WEEK), end = begin + rest;
    bool over = end >= HOURS_A_WEEK;
    double hours = since_thursday(store, over ? end - HOURS_A_WEEK : end) - since_thursday(store, begin);
    double found = hours + (whole + over) * store->sums[HOURS_A_WEEK];
    return found > 0 ? found : 0;
}

typedef struct {
    double rate, units, squares;
} Rate;

static Rate rate_of(const Demand *demand, double prior_rate, double prior_units) {
    double prior_squares = prior_units * (prior_units > 2 * prior_units - 1 ? prior_units : 2 * prior_units - 1);
    double weight = demand->purchases + PRIOR_PURCHASES;
    return (Rate){
        (demand->purchases + PRIOR_HOURS * prior_rate) / (demand->hours + PRIOR_HOURS),
        (demand->units + PRIOR_PURCHASES * prior_units) / weight,
        (demand->squares + PRIOR_PURCHASES * prior_squares) / weight,
    };
}

// Whether the silence is far from being suspicious, -ln of its probability being compared.
static bool is_heard(const Item *item, const Demand *running, double done) {
    double shape = running->known_purchases + PRIOR_HOURS * item->prior_rate;
    shape /= running->uneven > 1 ? running->uneven : 1;
    if (item->watched == NEVER && shape > LEAST_SHAPE) return false;
    double silent = running->censored ? 0 : done - running->last;
    if (silent <= 0 || item->on_hand < (int64_t)UNIT) return true;
    return shape * log1p(silent / (running->known_hours + PRIOR_HOURS)) < -log(SILENCE) - MARGIN;
}

// Whether so many purchases within an hour are none too many.
static bool is_usual(double rate, const Store *store, int64_t many) {
    if (many < FEWEST_IN_SURGE) return true;
    double expected = rate * store->hour_hours;
    if (expected <= 0) return false;
    double term = exp(-expected), below = 0;
    for (int64_t k = 0; k < many; k++) {
        below += term;
        term *= expected / (double)(k + 1);
    }
    return 1 - below > SURGE * (1 + MARGIN);
}

// Whether nothing can come of judging the item as it stands.
static bool is_calm(const Item *item, const Demand *running, const Store *store) {
    if (item->ask || item->watched == UNWATCHED) return false;
    if (!item->counted) return true;
    if (item->on_hand <= 0) return false;
    Rate rate = rate_of(&item->demand, item->prior_rate, item->prior_units);
    if (running != &item->demand) rate = rate_of(running, rate.rate, rate.units);
    if (!is_heard(item, running, store->done) || !is_usual(rate.rate, store, most_in_last_hour(item, store->now)))
        return false;
    double hours = ahead(store, item->lead_time), mean = rate.rate * rate.units * hours;
    double a_day = item->lead_time > 0 ? mean / item->lead_time : rate.rate * rate.units * store->day_hours;
    double late = a_day * item->lead_time_sd;
    double level = mean + item->z * sqrt(rate.rate * rate.squares * hours + late * late);
    if (level < item->pack) level = item->pack;
    if (!isnan(item->reorder_point)) level = item->reorder_point;
    double position = (double)(item->on_hand + item->on_order) / UNIT;
    double margin = MARGIN * (1 + fabs(level) + fabs(position));
    if (item->low == NO_ALERT) return position > level + margin;
    if (item->low == ORDERED) return item->on_order > 0 && position > level + margin;
    if (item->on_order > 0 ? position > level - margin : position > level + item->pack - margin) return false;
    if (isinf(item->worse_at)) return true;
    const Demand *priced = running->units > 0 && running->revenue > 0 ? running : &item->demand;
    if (!(priced->units > 0 && priced->revenue > 0)) return false;
    double lost = rate.rate * rate.units * store->day_hours * (priced->revenue / priced->units);
    return lost < item->worse_at * (1 - MARGIN) - 1;
}

static void see(Item *item, Demand *running, double done) {
    observe(running, done);
    running->censored = item->counted && item->on_hand <= 0;
}

// A purchase of an item, as five numbers: offset, moment, units, restocked, revenue. Its move goes to `move`.
static bool sell(Item *item, int64_t number, Demand *running, const Store *store, const int64_t *purchase, int64_t *move) {
    int64_t offset = purchase[0], at = purchase[1], units = purchase[2], restocked = purchase[3];
    if (item->counted && at > item->counted_at) item->on_hand += restocked - units;
    if (units) bought(running, clock_of(store, at), units, purchase[4]);
    if (units > 0) note_hour(item, at);
    if (!units && !restocked) return false;
    move[MOVE_ITEM] = number;
    move[MOVE_AT] = at;
    move[MOVE_QUANTITY] = restocked - units;
    move[MOVE_OFFSET] = offset;
    move[MOVE_UNITS] = units;
    return true;
}

static void pay_in(Item *item, Demand *running, int64_t currency) {
    if (currency == item->currency) return;
    item->currency = currency;
    item->demand.revenue = running->revenue = 0;
}

// Purchases of one item in the order of their offsets, five numbers each; those up to `applied` are passed over.
// Returns how many moves there are then.
int64_t sell_purchases(Item *item, int64_t number, Demand *running, const Store *store, int64_t currency,
                       int64_t applied, int64_t many, const int64_t *purchases, int64_t *moves, int64_t moved) {
    for (int64_t i = 0; i < many; i++, purchases += 5) {
        if (purchases[0] <= applied) continue;
        pay_in(item, running, currency);
        moved += sell(item, number, running, store, purchases, moves + moved * MOVE_WIDTH);
        if (purchases[0] > item->applied) item->applied = purchases[0];
    }
    see(item, running, store->done);
    return moved;
}

static bool take_number(Text *text, int64_t *number) {
    bool negative = text->at < text->end && *text->at == '-';
    if (negative) text->at++;
    const uint8_t *begun = text->at;
    int64_t value = 0;
    while (text->at < text->end && is_digit(*text->at)) {
        if (text->at - begun == MOST_DIGITS) return false;
        value = value * 10 + (*text->at++ - '0');
    }
    if (text->at == begun) return false;
    *number = negative ? -value : value;
    return true;
}

// Read {"NOK":{"sku":[…],…}} into rows of six: the item's number (-1 where it is not tracked), and its five. Gives up
// (returns -1) at what is unusual: a second currency, an escape in a SKU, a number of more than eighteen digits.
static int64_t read_rows(Text text, const Tracked *skus, uint64_t seed, int64_t *rows, int64_t *currency) {
    Span name;
    int64_t characters, *out = rows;
    if (!take(&text, '{')) return -1;
    if (take(&text, '}')) return 0;
    if (!take_string(&text, &name, &characters) || name.length != 3 || !take(&text, ':') || !take(&text, '{')) return -1;
    *currency = (int64_t)name.at[0] << 16 | (int64_t)name.at[1] << 8 | name.at[2];
    bool first = true;
    while (!take(&text, '}')) {
        if (!first && !take(&text, ',')) return -1;
        first = false;
        if (!take_string(&text, &name, &characters) || !take(&text, ':') || !take(&text, '[')) return -1;
        int32_t number = skus->index[place_of(skus, name, seed)];
        if (take(&text, ']')) continue;
        do {
            *out++ = number;
            for (int k = 0; k < 5; k++)
                if ((k > 0 && !take(&text, ',')) || !take_number(&text, out++)) return -1;
        } while (take(&text, ','));
        if (!take(&text, ']')) return -1;
    }
    return take(&text, '}') && text.at == text.end ? (out - rows) / 6 : -1;
}

// All purchases of a message. `rows` and `moves` have room for as many as the text may hold; `touched` has a byte for
// each item, set where it was sold; `asked` gets the items that have to be judged, in their order in the text. Returns
// how many, and in `moved` how many moves there are then; -1 where nothing was done since the text is unusual.
int64_t take_purchases(const uint8_t *at, int64_t length, const Tracked *skus, uint64_t seed, Item **items,
                       Demand **running, const Store *store, int64_t *rows, int64_t *moves, int64_t *moved,
                       uint8_t *touched, int64_t *asked) {
    int64_t currency = 0, many = read_rows((Text){at, at + length}, skus, seed, rows, &currency), asking = 0;
    for (int64_t i = 0; i < many;) {
        int64_t number = rows[6 * i], end = i;
        while (end < many && rows[6 * end] == number) end++;
        if (number >= 0 && items[number]->applied > UNTOLD) {
            Item *item = items[number];
            int64_t applied = item->applied;
            for (int64_t k = i; k < end; k++) {
                const int64_t *purchase = rows + 6 * k + 1;
                if (purchase[0] <= applied) continue;
                pay_in(item, running[number], currency);
                *moved += sell(item, number, running[number], store, purchase, moves + *moved * MOVE_WIDTH);
                if (purchase[0] > item->applied) item->applied = purchase[0];
            }
            see(item, running[number], store->done);
            touched[number] = 1;
            if (!is_calm(item, running[number], store)) asked[asking++] = number;
        }
        i = end;
    }
    return many < 0 ? -1 : asking;
}

// Which of some items (all of `many` where `numbers` is null) have to be judged as they stand now.
int64_t not_calm(int64_t many, const int64_t *numbers, Item **items, Demand **running, const Store *store,
                 int64_t *asked) {
    int64_t asking = 0;
    for (int64_t i = 0; i < many; i++) {
        int64_t number = numbers ? numbers[i] : i;
        see(items[number], running[number], store->done);
        if (!is_calm(items[number], running[number], store)) asked[asking++] = number;
    }
    return asking;
}
