// SPDX-License-Identifier: Apache-2.0
#include "ingest/reply.h"

#include "unit.h"

static void expect(struct buf *got, const char *want)
{
    ck_assert_str_eq(buf_string(got), want);
    buf_free(got);
}

START_TEST(replies_are_lines_of_json)
{
    struct buf b = BUF_INIT;
    reply_hello(&b, UINT64_MAX, true);
    expect(&b, "{\"hello\":{\"protocol\":1,\"applied\":18446744073709551615,\"known\":true}}\n");
    reply_hello(&b, 0, false);
    expect(&b, "{\"hello\":{\"protocol\":1,\"applied\":0,\"known\":false}}\n");
    reply_sync(&b, (struct slice){"\"x\\u00e9\"", 9}, 12, 3);
    expect(&b, "{\"sync\":\"x\\u00e9\",\"applied\":12,\"rejected\":3}\n");
    reply_ping(&b, (struct slice){"-0.0", 4});
    expect(&b, "{\"ping\":-0.0}\n");
    reply_forget(&b, 7);
    expect(&b, "{\"forget\":{\"series\":7}}\n");
}
END_TEST

START_TEST(an_error_names_reason_line_and_detail)
{
    struct buf b = BUF_INIT;
    struct rejection v = {
        .reason = REJECT_bad_json, .element = -1, .detail = "a \"quote\"\n\xff\xc2\x9b"};
    reply_error(&b, &v, 7);
    expect(&b, "{\"error\":\"bad_json\",\"line\":7,\"detail\":\"a "
               "\\\"quote\\\"\\n\xef\xbf\xbd\\u009b\"}\n");
    v = (struct rejection){.reason = REJECT_series_limit, .element = 0};
    reply_error(&b, &v, 1);
    expect(&b, "{\"error\":\"series_limit\",\"line\":1,\"index\":0,\"detail\":\"\"}\n");
}
END_TEST

UNIT_MAIN("reply", replies_are_lines_of_json, an_error_names_reason_line_and_detail)
