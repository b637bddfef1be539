// SPDX-License-Identifier: Apache-2.0
#include "base/json_writer.h"

#include "unit.h"

static void expect(struct buf *got, const char *want)
{
    ck_assert_str_eq(buf_string(got), want);
    buf_free(got);
}

START_TEST(commas_are_where_they_belong)
{
    struct buf b = BUF_INIT;
    json_begin(&b, '{');
    json_key(&b, "a");
    json_begin(&b, '[');
    json_end(&b, ']');
    json_key(&b, "b");
    json_begin(&b, '[');
    json_string(&b, "ends with [");
    json_u64(&b, UINT64_MAX);
    json_double(&b, -0.5);
    json_bool(&b, true);
    json_bool(&b, false);
    json_null(&b);
    json_value(&b, "1e5", 3);
    json_begin(&b, '{');
    json_end(&b, '}');
    json_begin(&b, '{');
    json_key(&b, "ends with :");
    json_text(&b, "\n{", 2);
    json_end(&b, '}');
    json_end(&b, ']');
    json_end(&b, '}');
    expect(&b, "{\"a\":[],\"b\":[\"ends with [\",18446744073709551615,-0.5,true,false,null,1e5,{},"
               "{\"ends with :\":\"\\n{\"}]}");
}
END_TEST

START_TEST(a_value_may_stand_alone)
{
    struct buf b = BUF_INIT;
    json_null(&b);
    expect(&b, "null");
    json_text(&b, "\xff", 1);
    expect(&b, "\"\xef\xbf\xbd\"");
}
END_TEST

START_TEST(a_line_begins_behind_its_comma)
{
    struct buf b = BUF_INIT;
    json_begin(&b, '[');
    json_line(&b);
    json_u64(&b, 1);
    json_line(&b);
    json_u64(&b, 2);
    json_end(&b, ']');
    expect(&b, "[\n1,\n2]");
}
END_TEST

START_TEST(what_does_not_fit_is_said_by_the_buffer)
{
    char room[4];
    struct buf b = {.p = room, .cap = sizeof room, .max = sizeof room};
    json_begin(&b, '[');
    json_u64(&b, 12345);
    json_u64(&b, 1);
    ck_assert(b.failed);
    ck_assert_uint_eq(b.len, 1);
}
END_TEST

UNIT_MAIN("json_writer", commas_are_where_they_belong, a_value_may_stand_alone,
          a_line_begins_behind_its_comma, what_does_not_fit_is_said_by_the_buffer)
