// SPDX-License-Identifier: Apache-2.0
#include "ctl/command.h"

#include "unit.h"

#include <errno.h>

enum { WORDS = 24 };

static struct command command;
static char *argv[WORDS];
static char *copies[WORDS]; // argv, which may be put into another order
static char *said;

static void drop(void)
{
    for (size_t i = 0; i < WORDS; i++) {
        free(copies[i]);
        copies[i] = NULL;
    }
    free(said);
    said = NULL;
}

// Reads these words, up to NULL. What it keeps is dropped by the next call.
static int parse(const char *const *words)
{
    size_t n;
    int argc = 1;
    drop();
    argv[0] = strdup("virtrigaud-ctl");
    for (; words[argc - 1] != NULL; argc++) {
        argv[argc] = strdup(words[argc - 1]);
    }
    argv[argc] = NULL;
    memcpy(copies, argv, (size_t)argc * sizeof *argv);
    FILE *err = open_memstream(&said, &n);
    int rc = command_parse(&command, argc, argv, err);
    fclose(err);
    return rc;
}

#define PARSE(...) parse((const char *const[]){__VA_ARGS__, NULL})

static void check_request(const char *wanted)
{
    struct buf out = BUF_INIT;
    command_write(&command, &out);
    ck_assert_str_eq(buf_string(&out), wanted);
    buf_free(&out);
}

START_TEST(each_command_makes_its_request)
{
    ck_assert_int_eq(PARSE("status"), 0);
    check_request("{\"status\":{}}");
    ck_assert_uint_eq(command.timeout_ms, 10000);
    ck_assert_int_eq(PARSE("--json", "sources"), 0);
    check_request("{\"sources\":{}}");
    ck_assert(command.json);
    ck_assert_int_eq(PARSE("series", "m_total"), 0);
    check_request("{\"series\":{\"metric\":\"m_total\",\"labels\":{}}}");
    ck_assert_int_eq(PARSE("series", "m", "a=b=c", "d=\"\033"), 0);
    check_request(
        "{\"series\":{\"metric\":\"m\",\"labels\":{\"a\":\"b=c\",\"d\":\"\\\"\\u001b\"}}}");
    ck_assert_int_eq(PARSE("rejects", "--follow"), 0);
    check_request("{\"rejects\":{\"follow\":true}}");
    ck_assert_int_eq(PARSE("top", "--interval", "0.5", "--count=3", "--socket=/s"), 0);
    check_request("{\"status\":{}}");
    ck_assert_uint_eq(command.interval_ms, 500);
    ck_assert_uint_eq(command.count, 3);
    ck_assert_str_eq(command.socket, "/s");
    ck_assert_int_eq(PARSE("forget", "provider/a/b", "--series", "--admin.socket", "/t"), 0);
    check_request("{\"forget\":{\"component\":\"provider\",\"instance\":\"a/b\",\"series\":true}}");
    ck_assert_str_eq(command.socket, "/t");
    ck_assert_int_eq(PARSE("delete", "m", "a="), 0);
    check_request("{\"delete\":{\"metric\":\"m\",\"labels\":{\"a\":\"\"}}}");
    ck_assert_int_eq(PARSE("reload"), 0);
    check_request("{\"reload\":{}}");
    ck_assert_uint_eq(command.timeout_ms, 60000);
    ck_assert_int_eq(PARSE("--version", "nonsense"), 0);
    ck_assert_int_eq(command.kind, COMMAND_VERSION);
    ck_assert_int_eq(PARSE("-h"), 0);
    ck_assert_int_eq(command.kind, COMMAND_HELP);
    drop();
}
END_TEST

static void refuse(const char *const *words, const char *wanted)
{
    ck_assert_int_eq(parse(words), -EINVAL);
    struct buf text = BUF_INIT;
    buf_addf(&text, "virtrigaud-ctl: %s; see --help\n", wanted);
    ck_assert_str_eq(said, buf_string(&text));
    buf_free(&text);
}

#define REFUSE(wanted, ...) refuse((const char *const[]){__VA_ARGS__, NULL}, wanted)

START_TEST(what_is_wrong_is_said)
{
    ck_assert_int_eq(parse((const char *const[]){NULL}), -EINVAL);
    ck_assert_str_eq(said, "virtrigaud-ctl: which command?; see --help\n");
    REFUSE("no such command; the nearest is status", "statu");
    REFUSE("no such command: frobnicate", "frobnicate");
    REFUSE("status takes no argument", "status", "x");
    REFUSE("series needs the name of a metric", "series");
    REFUSE("series needs the name of a metric", "series", "a-b");
    REFUSE("not LABEL=VALUE: x", "series", "m", "x");
    REFUSE("not a label name: 1", "series", "m", "1=x");
    REFUSE("label a is given twice", "series", "m", "a=1", "a=2");
    REFUSE("delete needs at least one LABEL=VALUE, so that no metric goes by mistake", "delete",
           "m");
    REFUSE("forget needs COMPONENT/INSTANCE, as provider/vc1", "forget");
    REFUSE("forget needs COMPONENT/INSTANCE, as provider/vc1", "forget", "provider");
    REFUSE("forget needs COMPONENT/INSTANCE, as provider/vc1", "forget", "provider/");
    REFUSE("forget needs COMPONENT/INSTANCE, as provider/vc1", "forget", "/vc1");
    REFUSE("--follow is of rejects", "status", "--follow");
    REFUSE("--series is of forget", "delete", "m", "a=b", "--series");
    REFUSE("--interval and --count are of top", "status", "--count", "1");
    REFUSE("not a number of views: 0", "top", "--count", "0");
    REFUSE("not a number of seconds above 0: -1", "top", "--interval=-1");
    REFUSE("an option needs a value: --socket", "status", "--socket");
    REFUSE("not an option, or it takes no value: --nonsense", "--nonsense");
    REFUSE("argument 2 is not UTF-8", "series", "\xff");
    REFUSE("more than 16 labels", "series", "m", "a=", "b=", "c=", "d=", "e=", "f=", "g=", "h=",
           "i=", "j=", "k=", "l=", "m=", "n=", "o=", "p=", "q=");
    drop();
}
END_TEST

UNIT_MAIN("command", each_command_makes_its_request, what_is_wrong_is_said)
