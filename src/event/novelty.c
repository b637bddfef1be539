// SPDX-License-Identifier: Apache-2.0
#include "event/novelty.h"

enum {
    FRUITLESS = 64, // from so many on one in so many is looked at
    SELDOM = 32,
    EARNED = 8, // what parsing a line takes is about as much as so many looks
    DOUBTFUL = FRUITLESS / 2,
};

// One line in SELDOM, by a linear congruential generator: lines that come in turn would else be chosen each time.
static bool is_chosen(struct novelty *n)
{
    n->random = n->random * 1664525 + 1013904223;
    return (n->random >> 16) % SELDOM == 0;
}

bool novelty_take(struct novelty *n)
{
    if (n->fruitless >= FRUITLESS) {
        return is_chosen(n);
    }
    n->fruitless++;
    return true;
}

bool novelty_came_lately(struct novelty *n, uint64_t id)
{
    uint32_t *pair = &n->window[id % (NOVELTY_WINDOW / 2) * 2];
    uint32_t mark = (uint32_t)(id >> 32) | 1;
    for (unsigned i = 0; i < 2; i++) {
        if (pair[i] == mark) {
            pair[i] = 0;
            return true;
        }
    }
    pair[1] = pair[0];
    pair[0] = mark;
    return false;
}

void novelty_was_of_use(struct novelty *n)
{
    n->fruitless -= n->fruitless < EARNED ? n->fruitless : EARNED;
}

bool novelty_is_doubtful(const struct novelty *n)
{
    return n->fruitless >= DOUBTFUL;
}
