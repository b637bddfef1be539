// SPDX-License-Identifier: Apache-2.0
#include "web/webconf_inside.h"

#include "base/num.h"

#include <stdlib.h>

// Reads a number with its unit at *at, and moves *at on. Returns nanoseconds, or -1.
static double read_part(const char **at)
{
    static const struct {
        const char *name;
        double ns;
    } units[] = {{"ns", 1},   {"us", 1e3}, {"\xc2\xb5s", 1e3}, {"\xce\xbcs", 1e3},
                 {"ms", 1e6}, {"s", 1e9},  {"m", 60e9},        {"h", 3600e9}};
    char number[32];
    double value;
    size_t len = strspn(*at, "0123456789.");
    if (len == 0 || len >= sizeof number) {
        return -1;
    }
    memcpy(number, *at, len);
    number[len] = '\0';
    if (num_parse_double(number, &value) < 0) {
        return -1;
    }
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        size_t unit = strlen(units[i].name);
        if (strncmp(*at + len, units[i].name, unit) == 0) {
            *at += len + unit;
            return value * units[i].ns;
        }
    }
    return -1;
}

// A duration as Go writes it: 500ms, 1m30s, 0.
static bool read_duration(const char *text, uint64_t *ret)
{
    double sum = 0;
    if (strcmp(text, "0") == 0) {
        *ret = 0;
        return true;
    }
    for (const char *at = text; *at != '\0' || at == text;) {
        double part = read_part(&at);
        if (part < 0 || (sum += part) > WEBCONF_INTERVAL_S * 1e9) {
            return false;
        }
    }
    *ret = (uint64_t)sum;
    return true;
}

static void read_interval(struct webconf_reader *r, const char *path, const struct yaml_node *n)
{
    if (n->kind != YAML_SCALAR_NODE_KIND || !read_duration(n->text, &r->out->interval_ns)) {
        webconf_problem(r, n, path, "wants a duration of at most 24h, like 500ms or 1m30s");
    }
}

static void read_burst(struct webconf_reader *r, const char *path, const struct yaml_node *n)
{
    uint64_t burst = 0;
    bool digits = n->kind == YAML_SCALAR_NODE_KIND && n->plain && n->text[0] != '\0' &&
                  strlen(n->text) <= 6 && n->text[strspn(n->text, "0123456789")] == '\0';
    if (digits) {
        burst = strtoull(n->text, NULL, 10);
    }
    if (!digits || burst > WEBCONF_BURST) {
        webconf_problem(r, n, path, "wants a whole number from 0 to %d", WEBCONF_BURST);
        return;
    }
    r->out->burst = burst;
}

void webconf_read_limit(struct webconf_reader *r, const char *path, const struct yaml_node *n)
{
    static const struct webconf_key keys[] = {{"interval", read_interval}, {"burst", read_burst}};
    webconf_mapping(r, path, n, keys, sizeof keys / sizeof keys[0]);
    if (r->out->interval_ns > 0 && r->out->burst == 0) {
        webconf_problem(r, n, path, "a burst of 0 would refuse every request");
    }
}
