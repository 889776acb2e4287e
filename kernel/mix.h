// Hashes for tables that are searched from where the hash says.
#ifndef TILLSTREAM_MIX_H
#define TILLSTREAM_MIX_H

#include "text.h"

static inline uint64_t mixed(uint64_t a, uint64_t b) {
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

// Seeded at random by each process: SKUs come from outside, and nobody may choose ones that all meet in one place.
static inline uint64_t hash_of(Span text, uint64_t seed) {
    const uint64_t odd = UINT64_C(0x9E3779B97F4A7C15);
    uint64_t hash = mixed(seed ^ (uint64_t)text.length, odd), word;
    int64_t at = 0;
    for (; text.length - at >= 8; at += 8) {
        memcpy(&word, text.at + at, 8);
        hash = mixed(hash ^ word, odd);
    }
    word = 0;
    memcpy(&word, text.at + at, (size_t)(text.length - at));
    return mixed(hash ^ word, odd ^ seed);
}

#endif
