// SPDX-License-Identifier: Apache-2.0
// The accounts and systemd are played here.
#define ingest_applied played_applied
#define ingest_rejected played_rejected
#define service_status played_status
#include "daemon/backend.c"

#include "unit.h"

static uint64_t applied[CATALOG_MAX_COMPONENTS];
static uint64_t rejected[CATALOG_MAX_COMPONENTS][REJECT_COUNT];
static struct series_store store;
static char told[320];
static struct status_trouble trouble;

uint64_t played_applied(const struct ingest *in, unsigned component)
{
    (void)in;
    return applied[component];
}

uint64_t played_rejected(const struct ingest *in, unsigned component, enum reject_reason reason)
{
    (void)in;
    return rejected[component][reason];
}

void played_status(const char *text)
{
    ck_assert_str_eq(told, "");
    snprintf(told, sizeof told, "%s", text);
}

static void tick(struct status *s, uint64_t now_ms, const char *expected)
{
    told[0] = '\0';
    backend_status_tick(s, NULL, &store, &trouble, now_ms);
    ck_assert_str_eq(told, expected);
}

START_TEST(figures_are_those_of_all_components_and_told_when_they_changed)
{
    struct status s;
    backend_status_open(&s, NULL, &store, &trouble, 1000);
    ck_assert_str_eq(s.text, "0 series, 0 events/s, 0 rejected");
    tick(&s, 6000, "");
    atomic_store(&store.share.quota.used, 12);
    applied[0] = 300;
    applied[CATALOG_MAX_COMPONENTS - 1] = 700;
    rejected[1][REJECT_bad_op] = 3;
    rejected[0][REJECT_COUNT - 1] = 4;
    tick(&s, 10999, "");
    tick(&s, 11000, "12 series, 200 events/s, 7 rejected");
    tick(&s, 15999, "");
    tick(&s, 16000, "12 series, 0 events/s, 7 rejected");
    tick(&s, 21000, "");
    tick(&s, 26000, "");
    trouble.state = "No space left on device";
    tick(&s, 31000, "12 series, 0 events/s, 7 rejected; in memory only: No space left on device");
    trouble.socket = "/run/x/events.sock";
    tick(&s, 36000,
         "12 series, 0 events/s, 7 rejected; in memory only: No space left on device; no client "
         "can connect to /run/x/events.sock");
    trouble = (struct status_trouble){0};
    tick(&s, 41000, "12 series, 0 events/s, 7 rejected");
}
END_TEST

START_TEST(the_greatest_figures_fit)
{
    struct status s;
    backend_status_open(&s, NULL, &store, &trouble, 0);
    atomic_store(&store.share.quota.used, UINT64_MAX);
    applied[0] = UINT64_MAX / 1000;
    rejected[0][0] = UINT64_MAX;
    tick(&s, 5000,
         "18446744073709551615 series, 3689348814741910 events/s, "
         "18446744073709551615 rejected");
}
END_TEST

START_TEST(a_component_s_rate_is_that_between_two_readings)
{
    static struct status_rates rates;
    applied[1] = 1000;
    backend_rates_tick(&rates, NULL, 5000);
    ck_assert(!rates.known);
    applied[1] = 1500;
    backend_rates_tick(&rates, NULL, 5000 + STATUS_RATES_MS - 1);
    ck_assert(!rates.known);
    backend_rates_tick(&rates, NULL, 5000 + 2 * STATUS_RATES_MS);
    ck_assert(rates.known);
    ck_assert_double_eq(rates.per_second[1], 25);
    ck_assert_double_eq(rates.per_second[2], 0);
    backend_rates_tick(&rates, NULL, 5000 + 3 * STATUS_RATES_MS);
    ck_assert_double_eq(rates.per_second[1], 0);
}
END_TEST

UNIT_MAIN("status", figures_are_those_of_all_components_and_told_when_they_changed,
          the_greatest_figures_fit, a_component_s_rate_is_that_between_two_readings)
