// SPDX-License-Identifier: Apache-2.0
// The driver of clients/conformance for this client: README.md there has its commands.
#include "virtrigaud-client.h"

#include <dirent.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WORDS_MAX = 32, MESSAGES_MAX = 1000 };

struct command {
    char *words[WORDS_MAX];
    size_t n;
    struct virtrigaud_label labels[WORDS_MAX];
    size_t n_labels;
    size_t rest; // the first word after name and labels
};

static struct virtrigaud_client *client;
static struct virtrigaud_stats last; // of a client that is closed
static bool closed;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; // guards what follows
static char *messages[MESSAGES_MAX];
static size_t n_messages;

static void on_message(void *arg, int level, const char *text)
{
    (void)arg;
    (void)level;
    pthread_mutex_lock(&mutex);
    if (n_messages < MESSAGES_MAX) {
        messages[n_messages++] = strdup(text);
    }
    pthread_mutex_unlock(&mutex);
}

// Replaces %XX in place. A NUL byte ends the word, as a C string does.
static void unescape(char *word)
{
    char *out = word;
    for (const char *in = word; *in != '\0'; in++) {
        char hex[3] = {0};
        char *end = hex;
        if (*in == '%' && in[1] != '\0' && in[2] != '\0') {
            memcpy(hex, in + 1, 2);
            *out = (char)strtol(hex, &end, 16);
        }
        if (end == hex + 2) {
            in += 2;
        } else {
            *out = *in;
        }
        out++;
    }
    *out = '\0';
}

// Finds the labels that begin at word `from`.
static void split_labels(struct command *c, size_t from)
{
    c->n_labels = 0;
    for (c->rest = from; c->rest < c->n; c->rest++) {
        char *equals = strchr(c->words[c->rest], '=');
        if (equals == NULL) {
            return;
        }
        *equals = '\0';
        unescape(c->words[c->rest]);
        unescape(equals + 1);
        c->labels[c->n_labels++] = (struct virtrigaud_label){c->words[c->rest], equals + 1};
    }
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void record(const struct command *c, const char *verb, const char *name)
{
    bool given = c->rest < c->n;
    double number = given ? strtod(c->words[c->rest], NULL) : 1;
    if (strcmp(verb, "inc") == 0) {
        virtrigaud_counter_add(client, name, c->labels, c->n_labels, number);
    } else if (strcmp(verb, "add") == 0) {
        virtrigaud_gauge_add(client, name, c->labels, c->n_labels, number);
    } else if (strcmp(verb, "set") == 0) {
        virtrigaud_gauge_set(client, name, c->labels, c->n_labels, number);
    } else if (strcmp(verb, "observe") == 0) {
        virtrigaud_observe(client, name, c->labels, c->n_labels, number);
    } else if (given) {
        virtrigaud_event_value(client, name, c->labels, c->n_labels, number);
    } else {
        virtrigaud_event(client, name, c->labels, c->n_labels);
    }
}

static void record_with_exemplar(struct command *c)
{
    struct virtrigaud_label exemplar = {"trace_id", c->words[2]};
    split_labels(c, 3);
    double number = c->rest < c->n ? strtod(c->words[c->rest], NULL) : 1;
    virtrigaud_observe_with_exemplar(client, c->words[1], c->labels, c->n_labels, number, &exemplar,
                                     1);
}

static void print_recorded(struct command *c)
{
    double value;
    split_labels(c, 2);
    if (virtrigaud_recorded(client, c->words[1], c->labels, c->n_labels, &value) == 0) {
        printf("%.17g\n", value);
    } else {
        puts("null");
    }
}

static bool is_record(const char *verb)
{
    static const char *const verbs[] = {"inc", "add", "set", "observe", "event"};
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (strcmp(verb, verbs[i]) == 0) {
            return true;
        }
    }
    return false;
}

static void pause_ms(double ms)
{
    struct timespec t = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms * 1e6) % 1000000000};
    nanosleep(&t, NULL);
}

static void repeat(struct command *c, size_t from)
{
    long count = strtol(c->words[from + 1], NULL, 10);
    double pause = strtod(c->words[from + 2], NULL);
    double longest = 0;
    split_labels(c, from + 5);
    for (long i = 1; i <= count; i++) {
        double begin = seconds();
        record(c, c->words[from + 3], c->words[from + 4]);
        double took = seconds() - begin;
        longest = took > longest ? took : longest;
        if (i % 10 == 0 && pause > 0) {
            pause_ms(pause);
        }
    }
    if (from == 0) {
        printf("{\"longest\":%.9f}\n", longest);
    }
}

static void start(struct command *c)
{
    struct virtrigaud_config config = VIRTRIGAUD_CONFIG_INIT;
    split_labels(c, 4);
    for (size_t i = 0; i < c->n_labels; i++) {
        bool series = strcmp(c->labels[i].name, "max_series") == 0;
        if (series || strcmp(c->labels[i].name, "max_bytes") == 0) {
            size_t *limit = series ? &config.max_series : &config.max_bytes;
            *limit = strtoul(c->labels[i].value, NULL, 10);
            c->labels[i--] = c->labels[--c->n_labels];
        }
    }
    config.component = c->words[1];
    config.instance = c->words[2];
    config.socket = c->words[3];
    config.labels = c->labels;
    config.n_labels = c->n_labels;
    config.on_message = on_message;
    int error = virtrigaud_start(client, &config);
    closed = false;
    if (error == 0) {
        puts("true");
    } else {
        printf("{\"error\":\"start: %s\"}\n", strerror(-error));
    }
}

static void print_stats(void)
{
    struct virtrigaud_stats s = last;
    if (!closed) {
        virtrigaud_get_stats(client, &s);
    }
    printf("{\"sent\":%llu,\"applied\":%llu,\"refused\":%llu,\"lost\":%llu,\"waiting\":%llu,"
           "\"invalid\":%llu}\n",
           (unsigned long long)s.sent, (unsigned long long)s.applied, (unsigned long long)s.refused,
           (unsigned long long)s.lost, (unsigned long long)s.waiting,
           (unsigned long long)s.invalid);
}

static void print_messages(void)
{
    putchar('[');
    pthread_mutex_lock(&mutex);
    for (size_t i = 0; i < n_messages; i++) {
        fputs(i > 0 ? ",\"" : "\"", stdout);
        for (const char *p = messages[i]; *p != '\0'; p++) {
            bool quoted = *p == '"' || *p == '\\';
            if ((unsigned char)*p >= 0x20) {
                printf(quoted ? "\\%c" : "%c", *p);
            }
        }
        putchar('"');
        free(messages[i]);
    }
    n_messages = 0;
    pthread_mutex_unlock(&mutex);
    puts("]");
}

static int entries(const char *path)
{
    int n = 0;
    DIR *d = opendir(path);
    while (d != NULL && readdir(d) != NULL) {
        n++;
    }
    if (d != NULL) {
        closedir(d);
    }
    return n;
}

static void run_in_child(struct command *c)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        if (strcmp(c->words[1], "repeat") == 0) {
            repeat(c, 1);
        } else {
            split_labels(c, 3);
            record(c, c->words[1], c->words[2]);
        }
        exit(0);
    }
    int status = -1;
    waitpid(pid, &status, 0);
    puts(status == 0 ? "true" : "{\"error\":\"the child failed\"}");
}

static void deal_with_more(struct command *c)
{
    const char *verb = c->words[0];
    if (strcmp(verb, "exemplar") == 0 && c->n > 2) {
        record_with_exemplar(c);
        puts("true");
    } else if (strcmp(verb, "forget") == 0) {
        split_labels(c, 1);
        virtrigaud_forget(client, c->labels, c->n_labels);
        puts("true");
    } else if (strcmp(verb, "recorder") == 0) {
        puts("true"); // a client that is not started is one
    } else if (strcmp(verb, "recorded") == 0 && c->n > 1) {
        print_recorded(c);
    } else {
        puts("\"unsupported\"");
    }
}

static void deal(struct command *c)
{
    const char *verb = c->words[0];
    unsigned ms = c->n > 1 ? (unsigned)(strtod(c->words[1], NULL) * 1000) : 10000;
    if (is_record(verb) && c->n > 1) {
        unescape(c->words[1]);
        split_labels(c, 2);
        record(c, verb, c->words[1]);
        puts("true");
    } else if (strcmp(verb, "repeat") == 0 && c->n > 4) {
        repeat(c, 0);
    } else if (strcmp(verb, "start") == 0 && c->n > 3) {
        start(c);
    } else if (strcmp(verb, "flush") == 0) {
        puts(virtrigaud_flush(client, ms) == 0 ? "true" : "false");
    } else if (strcmp(verb, "stats") == 0) {
        print_stats();
    } else if (strcmp(verb, "close") == 0) {
        virtrigaud_close(client, ms, &last);
        closed = true;
        print_stats();
    } else if (strcmp(verb, "messages") == 0) {
        print_messages();
    } else if (strcmp(verb, "resources") == 0) {
        printf("{\"threads\":%d,\"descriptors\":%d}\n", entries("/proc/self/task"),
               entries("/proc/self/fd"));
    } else if (strcmp(verb, "fork") == 0 && c->n > 2) {
        run_in_child(c);
    } else if (strcmp(verb, "exit") == 0) {
        exit(0);
    } else {
        deal_with_more(c);
    }
}

int main(void)
{
    char *line = NULL;
    size_t size = 0;
    client = virtrigaud_new();
    while (getline(&line, &size, stdin) > 0) {
        struct command c = {0};
        char *save;
        for (char *word = strtok_r(line, " \n", &save); word != NULL && c.n < WORDS_MAX;
             word = strtok_r(NULL, " \n", &save)) {
            c.words[c.n++] = word;
        }
        if (c.n > 0) {
            deal(&c);
            fflush(stdout);
        }
    }
    free(line);
    return 0;
}
