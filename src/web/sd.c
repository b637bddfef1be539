// SPDX-License-Identifier: Apache-2.0
#include "web/sd.h"

#include "base/text.h"
#include "web/reply.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

#define PATH_SD "/sd"
#define PATH_SOURCE "/source/"

static const struct reply no_host = {.status = MHD_HTTP_BAD_REQUEST,
                                     .text = "bad request: the Host cannot be a target\n"};
static const struct reply bad_query = {.status = MHD_HTTP_BAD_REQUEST,
                                       .text = "bad request: the query is malformed\n"};
static const struct reply too_many = {
    .status = MHD_HTTP_SERVICE_UNAVAILABLE, .text = "too many lists at once\n", .retry = true};
static const struct reply no_memory = {.status = MHD_HTTP_INTERNAL_SERVER_ERROR,
                                       .text = "out of memory\n"};
static const struct reply unknown = {.status = MHD_HTTP_NOT_FOUND, .text = "no such source\n"};
static const struct reply gone = {.status = MHD_HTTP_SERVICE_UNAVAILABLE,
                                  .text = "the source is not connected\n"};

struct sd_list {
    struct buf out;
    const char *component; // NULL: all
    const char *address;
    const char *scheme; // as this list is asked for
    size_t n;
};

// A list that is on its way.
struct sd_body {
    struct sd *sd;
    struct buf text;
};

bool sd_handles(const char *path)
{
    return strcmp(path, PATH_SD) == 0 || strncmp(path, PATH_SOURCE, strlen(PATH_SOURCE)) == 0;
}

static bool is_port(const char *text)
{
    size_t len = strlen(text);
    return len > 0 && len <= 5 && strspn(text, "0123456789") == len && atoi(text) > 0 &&
           atoi(text) <= 65535;
}

bool sd_is_address(const char *text)
{
    static const char name[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._";
    size_t len;
    if (text[0] == '[') {
        len = 1 + strspn(text + 1, "0123456789abcdefABCDEF:.");
        if (len < 3 || text[len++] != ']') {
            return false;
        }
    } else {
        len = strspn(text, name);
    }
    return len > 0 && len <= 253 &&
           (text[len] == '\0' || (text[len] == ':' && is_port(text + len + 1)));
}

void sd_target(struct sd_list *list, const char *component, const char *instance, size_t len)
{
    if (list->component != NULL && strcmp(list->component, component) != 0) {
        return;
    }
    struct buf path = BUF_INIT;
    buf_str(&path, PATH_SOURCE);
    text_percent(&path, component, strlen(component));
    buf_char(&path, '/');
    text_percent(&path, instance, len);
    struct buf *out = &list->out;
    buf_str(out, list->n++ > 0 ? ",\n{\"targets\":[" : "{\"targets\":[");
    text_json(out, list->address, strlen(list->address));
    buf_str(out, "],\"labels\":{\"__metrics_path__\":");
    text_json(out, path.p, path.len);
    buf_addf(out, ",\"__scheme__\":\"%s\",\"instance\":", list->scheme);
    text_json(out, instance, len);
    buf_str(out, ",\"__meta_virtrigaud_component\":");
    text_json(out, component, strlen(component));
    buf_str(out, "}}");
    out->failed |= path.failed;
    buf_free(&path);
}

static void body_sent(void *body)
{
    struct sd_body *b = body;
    b->sd->held -= b->text.cap;
    buf_free(&b->text);
    free(b);
}

// The value of `component` in a query, in place; NULL when there is none. Returns 0, -EINVAL.
static int read_component(char *query, const char **ret)
{
    *ret = NULL;
    for (char *pair; (pair = strsep(&query, "&")) != NULL;) {
        char *value = strchr(pair, '=');
        if (value != NULL) {
            *value++ = '\0';
        }
        if (query_decode(pair, strlen(pair), true) < 0 ||
            (value != NULL && query_decode(value, strlen(value), true) < 0)) {
            return -EINVAL;
        }
        if (strcmp(pair, "component") == 0) {
            *ret = value != NULL ? value : "";
        }
    }
    return 0;
}

static int send_list(struct sd *sd, struct conn *c, struct sd_list *list)
{
    struct sd_body *body = malloc(sizeof *body);
    if (body == NULL || list->out.failed) {
        free(body);
        buf_free(&list->out);
        return reply_send(sd->conns, c, &no_memory);
    }
    const struct reply_form json = {.type = "application/json"};
    *body = (struct sd_body){.sd = sd, .text = list->out};
    sd->held += body->text.cap;
    struct MHD_Response *response =
        reply_body(sd->conns, &json, body->text.p, body->text.len, body_sent, body);
    if (response == NULL) {
        return reply_send(sd->conns, c, &no_memory);
    }
    return reply_give(sd->conns, c, response);
}

static int answer_list(struct sd *sd, struct conn *c)
{
    struct sd_list list = {.address = sd->external_address,
                           .scheme = c->tls != NULL ? "https" : "http",
                           .out.max = SD_HELD_MAX};
    if (list.address == NULL) {
        list.address = MHD_lookup_connection_value(c->mhd, MHD_HEADER_KIND, "Host");
    }
    if (list.address == NULL || !sd_is_address(list.address)) {
        return reply_send(sd->conns, c, &no_host);
    }
    if (c->query != NULL && read_component(c->query, &list.component) < 0) {
        return reply_send(sd->conns, c, &bad_query);
    }
    if (sd->held >= SD_HELD_MAX) {
        return reply_send(sd->conns, c, &too_many);
    }
    buf_char(&list.out, '[');
    sd->backend->targets(sd->backend->ctx, &list);
    buf_str(&list.out, "]\n");
    return send_list(sd, c, &list);
}

// Looks for the instance as it is encoded twice, and then as it is encoded once.
static int find_source(struct sd *sd, const char *component, const char *instance, struct buf *out)
{
    char twice[SD_NAME_MAX];
    if (strlen(instance) >= sizeof twice) {
        return -ENOENT;
    }
    strcpy(twice, instance);
    int rc = strchr(twice, '%') != NULL && query_decode(twice, strlen(twice), false) >= 0
                 ? sd->backend->source(sd->backend->ctx, component, twice, out)
                 : -ENOENT;
    return rc == -ENOENT ? sd->backend->source(sd->backend->ctx, component, instance, out) : rc;
}

static int answer_source(struct sd *sd, struct conn *c)
{
    char *component = c->path + strlen(PATH_SOURCE);
    char *instance = strchr(component, '/');
    if (instance == NULL) {
        return reply_send(sd->conns, c, &unknown);
    }
    *instance++ = '\0';
    struct buf text = BUF_INIT;
    int rc = find_source(sd, component, instance, &text);
    struct reply up = {
        .status = MHD_HTTP_OK, .text = buf_string(&text), .type = REPLY_TYPE_METRICS};
    const struct reply *reply = rc == -ENOENT               ? &unknown
                                : rc == -ENOTCONN           ? &gone
                                : rc < 0 || up.text == NULL ? &no_memory
                                                            : &up;
    rc = reply_send(sd->conns, c, reply);
    buf_free(&text);
    return rc;
}

int sd_answer(struct sd *sd, struct conn *c)
{
    return strcmp(c->path, PATH_SD) == 0 ? answer_list(sd, c) : answer_source(sd, c);
}
