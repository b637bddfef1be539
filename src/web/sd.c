// SPDX-License-Identifier: Apache-2.0
#include "web/sd.h"

#include "base/json_writer.h"
#include "base/rcu.h"
#include "base/text.h"
#include "expose/expose.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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

static void write_target(const struct sd_request *request, const char *component,
                         const struct source *src, struct buf *out)
{
    struct buf path = BUF_INIT;
    buf_str(&path, SD_PATH_SOURCE);
    text_percent(&path, component, strlen(component));
    buf_char(&path, '/');
    text_percent(&path, src->instance, src->instance_len);
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
    json_text(out, src->instance, src->instance_len);
    json_key(out, "__meta_virtrigaud_component");
    json_string(out, component);
    buf_str(out, "}}");
    out->failed |= path.failed;
    buf_free(&path);
}

int sd_list_write(const struct sd_request *request, const struct web_backend *backend,
                  struct buf *out)
{
    const struct source *src;
    uint32_t at = 0;
    size_t n = 0;
    out->max = SD_LIST_MAX;
    json_begin(out, '[');
    rcu_enter();
    const struct catalog *c = schema_current(backend->store)->catalog;
    while ((src = sources_next(backend->sources, &at)) != NULL) {
        // A reload may have taken its component away.
        if (src->component >= c->n_components ||
            (request->component != NULL &&
             strcmp(request->component, c->components[src->component]) != 0)) {
            continue;
        }
        if (n++ > 0) {
            json_line(out);
        }
        write_target(request, c->components[src->component], src, out);
    }
    rcu_leave();
    buf_str(out, "]\n");
    return out->failed ? -ENOMEM : 0;
}

bool sd_is_path(const char *path)
{
    return strcmp(path, SD_PATH) == 0 || strncmp(path, SD_PATH_SOURCE, strlen(SD_PATH_SOURCE)) == 0;
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

static int write_source(const struct web_backend *backend, const char *component,
                        const char *instance, struct buf *out)
{
    int rc = -ENOENT;
    rcu_enter();
    const struct schema *schema = schema_current(backend->store);
    int number = catalog_find_component(schema->catalog, component, strlen(component));
    const struct source *src = number < 0
                                   ? NULL
                                   : sources_find(backend->sources, (unsigned)number,
                                                  (struct slice){instance, strlen(instance)});
    if (src != NULL) {
        rc = source_is_up(src) ? expose_self_source(out, schema, src) : -ENOTCONN;
    }
    rcu_leave();
    return rc;
}

int sd_write_source(const struct web_backend *backend, const char *component, const char *instance,
                    struct buf *out)
{
    char twice[SD_NAME_MAX];
    int rc =
        strlen(instance) < sizeof twice ? write_source(backend, component, instance, out) : -ENOENT;
    if (rc != -ENOENT || strchr(instance, '%') == NULL || strlen(instance) >= sizeof twice) {
        return rc;
    }
    strcpy(twice, instance);
    bool other = request_decode(twice, strlen(twice), false) >= 0 && is_encoded(instance, twice);
    return other ? write_source(backend, component, twice, out) : -ENOENT;
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
