// SPDX-License-Identifier: Apache-2.0
#include "web/html.h"

#include "base/text.h"

void html_text(struct buf *out, const char *s, size_t len, size_t max, size_t all)
{
    size_t end = text_cut(s, len, max);
    size_t plain = 0; // where the bytes begin that are not yet added
    for (size_t i = 0; i < end;) {
        uint32_t code;
        size_t n = text_char(s + i, end - i, &code);
        if (n > 0 && !text_is_hidden(code)) {
            i += n;
            continue;
        }
        text_html(out, s + plain, i - plain);
        if (n > 0) {
            buf_addf(out, "<i>U+%04X</i>", (unsigned)code);
        } else {
            buf_addf(out, "<i>0x%02X</i>", (unsigned char)s[i]);
        }
        i += n > 0 ? n : 1;
        plain = i;
    }
    text_html(out, s + plain, end - plain);
    if (all > end) {
        buf_addf(out, "<i>… %zu more bytes</i>", all - end);
    }
}

void html_str(struct buf *out, const char *s)
{
    size_t len = strlen(s);
    html_text(out, s, len, len, len);
}

void html_path(struct buf *out, const char *path)
{
    while (*path != '\0') {
        size_t len = strcspn(path, "/");
        text_percent(out, path, len);
        path += len;
        if (*path == '/') {
            buf_char(out, '/');
            path++;
        }
    }
}
