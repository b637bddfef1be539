// SPDX-License-Identifier: Apache-2.0
/*
 * fuzz_dialogue: four clients of two users on two workers, and time. Each line of the input is a step:
 *
 *   K TEXT      client K (0 to 3) says the text, with an LF, and is read; it connects first where it has to
 *   K+TEXT      the same, and it is read later
 *   K-TEXT      the text without an LF
 *   K*TEXT      the text, so many blanks that the line is too long, and an LF
 *   EK, XK      client K ends what it says; breaks off
 *   D TEXT      adds a line to the next datagram; D-TEXT without an LF
 *   SU          sends the datagram as user U (0 or 1)
 *   TN          N milliseconds pass, and the tick comes
 *   CN, RN      a reload: of catalogue and limits; of `sources`
 *   F           from now on a forget takes several steps
 *   !K N TEXT   client K says the text in the middle of what the other worker deals with next, at the Nth call by
 *               which that looks for its series; several come one after the other
 *
 * Checked is what dialogue_talk.h says, and: the exposition is sane; recognising lines changes nothing that is seen; a
 * rejected line changes nothing, for all is the same if it is broken instead; counters add up to what was sent (dialogue_sums.h); `forget` removes nothing that another
 * source updated and this one did not (dialogue_owners.h); when all have gone, what they owned goes; and nothing takes
 * a second.
 */
#include "dialogue_owners.h"
#include "dialogue_words.h"
#include "exposition.h"
#include "native_text.h"

#include <signal.h>
#include <sys/time.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    MOST_INPUT = 8192,
    MOST_STEPS = 120,
    CACHE = 1 << 20, // bytes
    MOST_MS = 2 * 24 * 3600 * 1000
};

static void on_alarm(int signal)
{
    static const char text[] = "a step takes more than a second\n";
    (void)signal;
    ssize_t n = write(STDERR_FILENO, text, sizeof text - 1);
    (void)n;
    abort();
}

// The next step must end in a second of the processor.
static void watch(void)
{
    static const struct itimerval second = {.it_value.tv_sec = 1};
    setitimer(ITIMER_PROF, &second, NULL);
}

static void unwatch(void)
{
    static const struct itimerval never = {0};
    setitimer(ITIMER_PROF, &never, NULL);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

// Adds the exposition to both accounts of what is seen.
static void look(struct world *w)
{
    static char *lines[2000];
    size_t n = 0;
    const char *line = "";
    const char *text = fixture_text_all(&w->h);
    const char *wrong = exposition_check(text, &line);
    if (wrong != NULL) {
        fprintf(stderr, "%s: %.300s\n", wrong, line);
        abort();
    }
    native_text(w->h.store, &w->h.text);
    buf_str(&w->seen, buf_string(&w->h.text));
    for (char *at = w->h.text.p, *end; *at != '\0'; at = end + 1) {
        end = strchr(at, '\n');
        *end = '\0';
        if (strncmp(at, "virtrigaud_exporter_events_rejected_total", 41) != 0) {
            fixture_must(n < sizeof lines / sizeof lines[0], "too long an exposition");
            lines[n++] = at;
        }
    }
    qsort(lines, n, sizeof lines[0], by_text);
    for (size_t i = 0; i < n; i++) {
        buf_addf(&w->plain, "%s\n", lines[i]);
    }
}

static void say(struct world *w, unsigned k, const char *step, size_t len)
{
    static char line[MOST_INPUT + EVENT_MAX_LINE + 2];
    char how = step[1];
    size_t n = len - 2;
    memcpy(line, step + 2, n);
    if (how == '*') {
        memset(line + n, ' ', EVENT_MAX_LINE + 1 - (n < EVENT_MAX_LINE ? n : EVENT_MAX_LINE));
        n = n < EVENT_MAX_LINE ? EVENT_MAX_LINE + 1 : n + 1;
    }
    if (how != '-') {
        line[n++] = '\n';
    }
    bool apart = how != '+' || owners.apart;
    owners_before(w, k, line, n, how == ' ');
    talk_say(w, k, line, n, apart);
    while (owners.apart && !w->slow && w->clients[k].c->forget != NULL) {
        talk_go_on(w, k);
    }
    owners_after(w);
}

// "!K N TEXT"
static void plan_intrusion(const char *step, size_t len)
{
    char *at;
    if (len < 5 || step[1] < '0' || step[1] > '3' || step[2] != ' ' || intrusions.n == INTRUSIONS) {
        return;
    }
    struct intrusion *i = &intrusions.list[intrusions.n++];
    i->client = (unsigned)(step[1] - '0');
    i->after = (unsigned)strtoul(step + 3, &at, 10) % 64;
    snprintf(i->text, sizeof i->text - 1, "%s", *at == ' ' ? at + 1 : at);
    strcat(i->text, "\n");
}

static void take_step(struct world *w, const char *step, size_t len)
{
    unsigned long number = len > 1 ? strtoul(step + 1, NULL, 10) : 0;
    unsigned k = len > 1 ? (unsigned)(step[1] - '0') : CLIENTS;
    switch (step[0]) {
    case '0':
    case '1':
    case '2':
    case '3':
        if (len > 1 && strchr(" +-*", step[1]) != NULL) {
            say(w, (unsigned)(step[0] - '0'), step, len);
        }
        break;
    case 'D':
        if (len > 1) {
            buf_add(&w->datagram, step + 2, len - 2);
            buf_add(&w->datagram, "\n", step[1] != '-');
        }
        break;
    case 'S':
        owners_unclear();
        talk_send(w, k);
        break;
    case 'E':
    case 'X':
        if (k < CLIENTS && w->clients[k].c != NULL) {
            owners_unclear();
            step[0] == 'E' ? talk_end(w, k) : talk_close(w, k);
        }
        break;
    case 'T':
        owners_unclear();
        w->removed = true;
        world_pass(w, number % MOST_MS);
        look(w);
        break;
    case 'C':
        owners_unclear();
        w->removed = true;
        world_reload(w, (unsigned)number % 8);
        look(w);
        break;
    case 'R':
        world_rights(w, (unsigned)number);
        break;
    case 'F':
        w->slow = true;
        owners.on = false;
        break;
    case '!':
        plan_intrusion(step, len);
        break;
    default:
        break;
    }
}

// No series of a metric with an owner or a ttl is left.
static void check_gone(struct world *w)
{
    static const char *const mortal[] = {"d", "e", "f_info", "h_total"};
    for (const char *line = fixture_samples(&w->h); *line != '\0'; line = strchr(line, '\n') + 1) {
        size_t len = strcspn(line, "{ ");
        for (size_t i = 0; i < sizeof mortal / sizeof mortal[0]; i++) {
            if (len == strlen(mortal[i]) && strncmp(line, mortal[i], len) == 0) {
                fprintf(stderr, "outlives its owner or ttl: %.200s\n", line);
                abort();
            }
        }
    }
}

static void check_sums(struct world *w)
{
    struct sums wanted = talk_sums(w);
    struct sums shown = sums_shown(fixture_samples(&w->h));
    fixture_must(sums_agree(&shown, &wanted, !w->removed), "counters are not what was sent");
}

// All go, and what hangs on them goes with time.
static void leave(struct world *w)
{
    look(w);
    check_sums(w);
    for (unsigned k = 0; k < CLIENTS; k++) {
        if (w->clients[k].c != NULL) {
            talk_close(w, k);
        }
        talk_settle(w);
    }
    for (int i = 0; i < 4; i++) {
        world_pass(w, SOURCE_DATAGRAM_MS + 1000);
    }
    talk_check(w);
    check_gone(w);
    for (unsigned i = 1; i < ACCOUNTS; i++) {
        const struct permission_usage *a = &w->h.ingest->permissions.usages[i];
        fixture_must(a->connections == 0 && a->anonymous == 0, "an account counts who has gone");
    }
    look(w);
}

// What was seen of a run (struct world).
struct outcome {
    char *seen;
    char *plain;
    bool intruded;
    bool slow;
    bool rejected; // some lines
};

// All steps, from the beginning, in a world of their own.
static struct outcome run(const char *text, uint64_t cache, bool censored)
{
    static struct world world;
    struct world *w = &world;
    world_open(w, cache);
    talk_world = w;
    w->censored = censored;
    owners_begin(strstr(text, "forget") != NULL, cache == 0 && !censored);
    size_t steps = 0;
    for (const char *step = text, *end; step != NULL && steps < MOST_STEPS; step = end) {
        size_t len = strcspn(step, "\n");
        end = step[len] != '\0' ? step + len + 1 : NULL;
        static char copy[MOST_INPUT + 1]; // a step ends with NUL
        memcpy(copy, step, len);
        copy[len] = '\0';
        watch();
        take_step(w, copy, len);
        talk_settle(w);
        talk_check(w);
        steps++;
    }
    intrusions.n = 0;
    watch();
    leave(w);
    unwatch();
    fixture_must(buf_string(&w->seen) != NULL && buf_string(&w->plain) != NULL, "no memory");
    struct outcome result = {w->seen.p, w->plain.p, w->intruded, w->slow,
                             w->rejected + w->datagram_rejected > 0};
    w->seen = w->plain = BUF_INIT;
    world_close(w);
    return result;
}

static void outcome_free(struct outcome *o)
{
    free(o->seen);
    free(o->plain);
}

static void must_be_same(const char *one, const char *two, const char *what)
{
    size_t at = 0;
    while (one[at] != '\0' && one[at] == two[at]) {
        at++;
    }
    if (one[at] != two[at]) {
        size_t from = at > 200 ? at - 200 : 0;
        fprintf(stderr, "%s:\n%.400s\n--------\n%.400s\n", what, one + from, two + from);
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > MOST_INPUT) {
        return 0;
    }
    signal(SIGPROF, on_alarm);
    char *text = malloc(size + 1);
    fixture_must(text != NULL, "no memory");
    memcpy(text, data, size);
    text[size] = '\0';
    struct outcome parsed = run(text, 0, false);
    struct outcome other = run(text, CACHE, false);
    // An interruption comes elsewhere when a line takes another way.
    if (!parsed.intruded && !other.intruded) {
        must_be_same(parsed.seen, other.seen, "recognising lines changes what is seen");
    }
    // With other slots a forget takes other steps.
    if (!parsed.intruded && !other.intruded && !parsed.slow && parsed.rejected) {
        outcome_free(&other);
        other = run(text, 0, true);
        must_be_same(parsed.plain, other.plain, "a rejected line changes something");
    }
    outcome_free(&parsed);
    outcome_free(&other);
    free(text);
    return 0;
}
