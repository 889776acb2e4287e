// Times and dates as schemas.times has them: RFC 3339 with its offset, to microseconds since the Unix epoch, UTC.
#ifndef TILLSTREAM_MOMENT_H
#define TILLSTREAM_MOMENT_H

#include "text.h"

enum { FIRST_YEAR = 1970, LAST_YEAR = 2105 };
#define SECOND INT64_C(1000000)
#define DAY (86400 * SECOND)
// The first moment of 2106.
#define END_OF_TIME (INT64_C(49673) * DAY)

// Two digits, or -1.
static inline int two(const uint8_t *at) {
    return is_digit(at[0]) && is_digit(at[1]) ? (at[0] - '0') * 10 + (at[1] - '0') : -1;
}

// Days since the Unix epoch, by the days of the years before (proleptic Gregorian); years 1970 to 2105.
static inline int64_t days_since_epoch(int year, int month, int day) {
    static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    int leaps = (year - 1) / 4 - (year - 1) / 100 + (year - 1) / 400 - 477;  // 477 of them before 1970
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return (int64_t)(year - 1970) * 365 + leaps + before[month - 1] + (month > 2 && leap) + day - 1;
}

// `2026-11-23` of the calendar, 1970 to 2105, as 20261123 and as days since the Unix epoch.
static inline bool date_at(const uint8_t *at, int32_t *date, int64_t *days) {
    static const int lengths[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int century = two(at), rest = two(at + 2), month = two(at + 5), day = two(at + 8);
    if (century < 0 || rest < 0 || at[4] != '-' || at[7] != '-') return false;
    int year = century * 100 + rest;
    if (year < FIRST_YEAR || year > LAST_YEAR || month < 1 || month > 12 || day < 1 || day > lengths[month - 1])
        return false;
    if (month == 2 && day == 29 && !((year % 4 == 0 && year % 100 != 0) || year % 400 == 0)) return false;
    *date = year * 10000 + month * 100 + day;
    *days = days_since_epoch(year, month, day);
    return true;
}

// `2026-11-23T17:05:09.25+01:00`; `date` is that of the text, at its own offset. A leap second is left to others.
static inline bool moment_of(Span text, int64_t *moment, int32_t *date) {
    const uint8_t *at = text.at, *end = at + text.length;
    int64_t days;
    if (text.length < 20 || !date_at(at, date, &days) || at[10] != 'T' || at[13] != ':' || at[16] != ':') return false;
    int hour = two(at + 11), minute = two(at + 14), second = two(at + 17);
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59) return false;
    at += 19;
    int64_t fraction = 0;
    if (*at == '.') {
        int64_t unit = SECOND / 10;
        const uint8_t *point = at++;
        for (; at < end && is_digit(*at); at++, unit /= 10) fraction += unit * (*at - '0');
        if (at == point + 1) return false;
    }
    int64_t offset = 0;
    if (end - at == 6 && (*at == '+' || *at == '-') && at[3] == ':') {
        int hours = two(at + 1), minutes = two(at + 4);
        if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return false;
        offset = (hours * 60 + minutes) * 60 * SECOND;
        if (*at == '-') offset = -offset;
    } else if (end - at != 1 || *at != 'Z') {
        return false;
    }
    *moment = days * DAY + ((hour * 60 + minute) * 60 + second) * SECOND + fraction - offset;
    return *moment >= 0 && *moment < END_OF_TIME;
}

#endif
