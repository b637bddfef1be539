// SPDX-License-Identifier: Apache-2.0
#include "web/sd.h"

#include "base/json_writer.h"
#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct sd_list {
    struct buf *out;
    const struct sd_request *request;
    size_t n;
};

struct sd_request *sd_request_new(const char *component, const char *address, const char *scheme)
{
    struct sd_request *w = calloc(1, sizeof *w);
    if (w == NULL) {
        return NULL;
    }
    w->component = component != NULL ? strdup(component) : NULL;
    w->address = strdup(address);
    w->scheme = scheme;
    if (w->address == NULL || (component != NULL && w->component == NULL)) {
        sd_request_free(w);
        return NULL;
    }
    return w;
}

void sd_request_free(struct sd_request *request)
{
    if (request != NULL) {
        free(request->component);
        free(request->address);
        free(request);
    }
}

static bool is_same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

bool sd_request_is_same(const struct sd_request *a, const struct sd_request *b)
{
    if (a == NULL || b == NULL) {
        return a == b;
    }
    return is_same_text(a->component, b->component) && is_same_text(a->address, b->address) &&
           is_same_text(a->scheme, b->scheme);
}

void sd_target(struct sd_list *list, const char *component, const char *instance, size_t len)
{
    const struct sd_request *request = list->request;
    if (request->component != NULL && strcmp(request->component, component) != 0) {
        return;
    }
    struct buf path = BUF_INIT;
    buf_str(&path, SD_PATH_SOURCE);
    text_percent(&path, component, strlen(component));
    buf_char(&path, '/');
    text_percent(&path, instance, len);
    struct buf *out = list->out;
    if (list->n++ > 0) {
        json_line(out);
    }
    json_begin(out, '{');
    json_key(out, "targets");
    json_begin(out, '[');
    json_string(out, request->address);
    json_end(out, ']');
    json_key(out, "labels");
    json_begin(out, '{');
    json_key(out, "__metrics_path__");
    json_text(out, path.p, path.len);
    json_key(out, "__scheme__");
    json_string(out, request->scheme);
    json_key(out, "instance");
    json_text(out, instance, len);
    json_key(out, "__meta_virtrigaud_component");
    json_string(out, component);
    buf_str(out, "}}");
    out->failed |= path.failed;
    buf_free(&path);
}

int sd_list_write(const struct sd_request *request, const struct web_backend *backend,
                  struct buf *out)
{
    struct sd_list list = {.out = out, .request = request};
    out->max = SD_LIST_MAX;
    json_begin(out, '[');
    backend->targets(backend->ctx, &list);
    buf_str(out, "]\n");
    return out->failed ? -ENOMEM : 0;
}

bool sd_is_path(const char *path)
{
    return strcmp(path, SD_PATH) == 0 || strncmp(path, SD_PATH_SOURCE, strlen(SD_PATH_SOURCE)) == 0;
}

bool sd_is_source_path(const char *target)
{
    return strncmp(target, SD_PATH_SOURCE, strlen(SD_PATH_SOURCE)) == 0;
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

// Whether the text is what `instance` is encoded to in /sd.
static bool is_encoded(const char *text, const char *instance)
{
    struct buf buf = BUF_INIT;
    text_percent(&buf, instance, strlen(instance));
    const char *encoded = buf_string(&buf);
    bool same = encoded != NULL && strcmp(encoded, text) == 0;
    buf_free(&buf);
    return same;
}

int sd_write_source(const struct web_backend *backend, const char *component, const char *instance,
                    struct buf *out)
{
    char twice[SD_NAME_MAX];
    int rc = strlen(instance) < sizeof twice
                 ? backend->source(backend->ctx, component, instance, out)
                 : -ENOENT;
    if (rc != -ENOENT || strchr(instance, '%') == NULL || strlen(instance) >= sizeof twice) {
        return rc;
    }
    strcpy(twice, instance);
    bool other = request_decode(twice, strlen(twice), false) >= 0 && is_encoded(instance, twice);
    return other ? backend->source(backend->ctx, component, twice, out) : -ENOENT;
}

bool sd_split_path(char *path, char **ret_component, char **ret_instance)
{
    char *component = path + strlen(SD_PATH_SOURCE);
    char *instance =
        strncmp(path, SD_PATH_SOURCE, strlen(SD_PATH_SOURCE)) == 0 ? strchr(component, '/') : NULL;
    if (instance == NULL) {
        return false;
    }
    *instance++ = '\0';
    *ret_component = component;
    *ret_instance = instance;
    return strchr(instance, '/') == NULL &&
           request_decode(component, strlen(component), false) >= 0 &&
           request_decode(instance, strlen(instance), false) >= 0;
}
