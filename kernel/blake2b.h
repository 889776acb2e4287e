// BLAKE2b of RFC 7693 without a key, to 8 bytes: what streams.state.receipt_hash computes.
#ifndef TILLSTREAM_BLAKE2B_H
#define TILLSTREAM_BLAKE2B_H

#include "text.h"

static inline uint64_t rotated(uint64_t word, int by) { return (word >> by) | (word << (64 - by)); }

static inline void blake2b_block(uint64_t state[8], const uint8_t block[128], uint64_t so_far, bool last) {
    static const uint64_t start[8] = {
        UINT64_C(0x6A09E667F3BCC908), UINT64_C(0xBB67AE8584CAA73B), UINT64_C(0x3C6EF372FE94F82B),
        UINT64_C(0xA54FF53A5F1D36F1), UINT64_C(0x510E527FADE682D1), UINT64_C(0x9B05688C2B3E6C1F),
        UINT64_C(0x1F83D9ABFB41BD6B), UINT64_C(0x5BE0CD19137E2179)};
    static const uint8_t order[10][16] = {
        {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
        {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4}, {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
        {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13}, {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
        {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11}, {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
        {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5}, {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0}};
    uint64_t v[16], m[16];
    memcpy(m, block, 128);  // little-endian machines only: kernel.build checks
    for (int i = 0; i < 8; i++) {
        v[i] = state[i];
        v[i + 8] = start[i];
    }
    v[12] ^= so_far;
    if (last) v[14] = ~v[14];
#define MIX(a, b, c, d, x, y)            \
    v[a] += v[b] + (x);                  \
    v[d] = rotated(v[d] ^ v[a], 32);     \
    v[c] += v[d];                        \
    v[b] = rotated(v[b] ^ v[c], 24);     \
    v[a] += v[b] + (y);                  \
    v[d] = rotated(v[d] ^ v[a], 16);     \
    v[c] += v[d];                        \
    v[b] = rotated(v[b] ^ v[c], 63);
    for (int round = 0; round < 12; round++) {
        const uint8_t *s = order[round % 10];
        MIX(0, 4, 8, 12, m[s[0]], m[s[1]])
        MIX(1, 5, 9, 13, m[s[2]], m[s[3]])
        MIX(2, 6, 10, 14, m[s[4]], m[s[5]])
        MIX(3, 7, 11, 15, m[s[6]], m[s[7]])
        MIX(0, 5, 10, 15, m[s[8]], m[s[9]])
        MIX(1, 6, 11, 12, m[s[10]], m[s[11]])
        MIX(2, 7, 8, 13, m[s[12]], m[s[13]])
        MIX(3, 4, 9, 14, m[s[14]], m[s[15]])
    }
#undef MIX
    for (int i = 0; i < 8; i++) state[i] ^= v[i] ^ v[i + 8];
}

// The hash of one byte and a text after it; its 8 bytes read as a little-endian number.
static inline uint64_t blake2b_8(uint8_t first, Span text) {
    uint64_t state[8] = {
        UINT64_C(0x6A09E667F3BCC908) ^ UINT64_C(0x01010008), UINT64_C(0xBB67AE8584CAA73B), UINT64_C(0x3C6EF372FE94F82B),
        UINT64_C(0xA54FF53A5F1D36F1), UINT64_C(0x510E527FADE682D1), UINT64_C(0x9B05688C2B3E6C1F),
        UINT64_C(0x1F83D9ABFB41BD6B), UINT64_C(0x5BE0CD19137E2179)};
    uint8_t block[128] = {first};
    int64_t room = 127, done = 0, so_far = 0;
    while (text.length - done > room) {
        memcpy(block + 128 - room, text.at + done, (size_t)room);
        done += room;
        so_far += 128;
        blake2b_block(state, block, (uint64_t)so_far, false);
        room = 128;
    }
    int64_t rest = text.length - done;
    memcpy(block + 128 - room, text.at + done, (size_t)rest);
    memset(block + 128 - room + rest, 0, (size_t)(room - rest));
    blake2b_block(state, block, (uint64_t)(1 + text.length), true);
    return state[0];
}

#endif
